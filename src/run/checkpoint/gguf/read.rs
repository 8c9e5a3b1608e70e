//! Reading a GGUF file: any tensor type that candle dequantizes, into f32, or as it is for generating.

use super::metadata::Metadata;
use super::tokenizer;
use super::{GRAPHS, Layout, gguf_name};
use crate::data::Tokenizer;
use crate::model::{Decoder, Gpt, Model, ParamMap, ParamSpec, Params, Tensors, is_full, rows};
use crate::settings::{Backbone, ModelConfig, Ops};
use crate::{bail_input, input_error};
use anyhow::Result;
use candle_core::quantized::gguf_file::{Content, Value};
use candle_core::quantized::{GgmlDType, QTensor};
use candle_core::{Device, Tensor};
use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{BufReader, Read, Seek};
use std::path::Path;
use std::sync::Arc;

/// Reads what the model of a file is.
pub fn read_config(path: &Path) -> Result<ModelConfig> {
    open(path, |content, _| config(content))
}

/// Reads the tokenizer of a file.
pub fn read_tokenizer(path: &Path) -> Result<Tokenizer> {
    open(path, |content, _| tokenizer::read(&metadata(content)?))
}

/// Reads the model of a file.
pub fn read_model(path: &Path, device: &Device, ops: Ops) -> Result<Model> {
    open(path, |content, file| {
        let config = config(content)?;
        let mut tensors = HashMap::new();
        for spec in ParamMap::new(&config).specs {
            let tensor = parameter(content, file, &config, &spec)?.to_device(device)?;
            tensors.insert(spec.name, tensor);
        }
        refuse_other_tensors(content, &config)?;
        let params = Params::fill(&config, |spec| Ok(tensors[&spec.name].clone()))?;
        Ok(Model::new(config, params, ops)?)
    })
}

/// Types that candle multiplies by without SIMD, at a quarter of the speed of others or less. They become Q8_0.
const SLOW: [GgmlDType; 3] = [GgmlDType::Q4_1, GgmlDType::Q5_0, GgmlDType::Q5_1];

/// A decoder that keeps the matrices of a file as small as they are there: half the bytes to read for each token, or less.
/// Nothing if they are in f32, f16 or bf16.
pub fn read_decoder(path: &Path) -> Result<Option<Decoder>> {
    open(path, |content, file| {
        if content.tensor_infos.values().all(|info| is_full(info.ggml_dtype)) {
            return Ok(None);
        }
        let config = config(content)?;
        let mut tensors = HashMap::new();
        for spec in ParamMap::new(&config).specs {
            let mut tensor = stored(content, file, &config, &spec)?;
            if let Layout::Interleaved(heads) = Layout::of(&config, &spec) {
                tensor = rows(&tensor, Layout::without_interleaving(heads, spec.shape[0]))?;
            }
            if SLOW.contains(&tensor.dtype()) {
                tensor = QTensor::quantize(&tensor.dequantize(&Device::Cpu)?, GgmlDType::Q8_0)?;
            }
            tensors.insert(spec.name, Arc::new(tensor));
        }
        refuse_other_tensors(content, &config)?;
        let model = Gpt::new(&config, &Tensors::Quantized(tensors))?;
        Ok(Some(Decoder::of_candle(Arc::new(model))))
    })
}

fn refuse_other_tensors(content: &Content, config: &ModelConfig) -> Result<()> {
    let known: HashSet<String> = ParamMap::new(config).specs.iter().map(gguf_name).collect();
    match content.tensor_infos.keys().filter(|name| !known.contains(*name)).min() {
        Some(extra) => bail_input!("it holds the tensor {extra}, for which this program has no use"),
        None => Ok(()),
    }
}

/// Reads one parameter of the model `config`, in its shape and in f32.
pub(super) fn parameter(
    content: &Content,
    file: &mut (impl Read + Seek),
    config: &ModelConfig,
    spec: &ParamSpec,
) -> Result<Tensor> {
    let tensor = stored(content, file, config, spec)?.dequantize(&Device::Cpu)?;
    Ok(Layout::of(config, spec).undo(&tensor)?)
}

/// Reads one parameter as it is stored. Its shape is checked.
fn stored(
    content: &Content,
    file: &mut (impl Read + Seek),
    config: &ModelConfig,
    spec: &ParamSpec,
) -> Result<QTensor> {
    let (name, layout) = (gguf_name(spec), Layout::of(config, spec));
    let Some(info) = content.tensor_infos.get(&name) else {
        bail_input!("it lacks the tensor {name}");
    };
    let mut shape = spec.shape.clone();
    if matches!(layout, Layout::Transposed) {
        shape.reverse();
    }
    if info.shape.dims() != shape {
        bail_input!("its tensor {name} is {:?}; a model of this shape needs {shape:?}", info.shape.dims());
    }
    Ok(content.tensor(file, &name, &Device::Cpu)?)
}

/// Opens a file for `read`, whose errors then name it.
fn open<T>(path: &Path, read: impl FnOnce(&Content, &mut BufReader<File>) -> Result<T>) -> Result<T> {
    let failed = |error: anyhow::Error| input_error!("{}: {error}", path.display());
    let file = File::open(path).map_err(|error| failed(error.into()))?;
    let mut file = BufReader::new(file);
    refuse_no_alignment(&mut file).map_err(failed)?;
    let content =
        Content::read(&mut file).map_err(|error| failed(input_error!("no whole GGUF file: {error}")))?;
    read(&content, &mut file).map_err(failed)
}

/// Metadata that is looked through: keys come first, long lists of tokens later.
const LOOKED_THROUGH: u64 = 16 << 20;

/// candle divides by the alignment that a file states.
fn refuse_no_alignment(file: &mut BufReader<File>) -> Result<()> {
    let mut start = Vec::new();
    file.take(LOOKED_THROUGH).read_to_end(&mut start)?;
    file.rewind()?;
    let key = b"general.alignment";
    let value = start
        .windows(key.len())
        .position(|part| part[0] == key[0] && part == key)
        .map(|at| at + key.len() + 4);
    // Behind the key stands the type of its value, then that.
    if value.and_then(|at| start.get(at..at + 4)).is_some_and(|value| value == [0; 4]) {
        bail_input!("its general.alignment is 0");
    }
    Ok(())
}

pub(super) fn metadata(content: &Content) -> Result<Metadata<'_>> {
    match content.metadata.get("general.architecture") {
        Some(Value::String(architecture)) => Ok(Metadata { values: &content.metadata, architecture }),
        _ => bail_input!("it does not say its general.architecture"),
    }
}

/// # Errors
/// If the file asks for arithmetic that this program does not do.
pub(super) fn config(content: &Content) -> Result<ModelConfig> {
    let metadata = metadata(content)?;
    let Some(&(_, backbone, act)) = GRAPHS.iter().find(|graph| graph.0 == metadata.architecture) else {
        let known = GRAPHS.map(|graph| graph.0).join(", ");
        bail_input!("its general.architecture is {}; known: {known}", metadata.architecture);
    };
    let (dim, heads) = (
        metadata.needed_size("{arch}.embedding_length")?,
        metadata.needed_size("{arch}.attention.head_count")?,
    );
    let kv_heads = metadata.size("{arch}.attention.head_count_kv")?.unwrap_or(heads);
    let Some(embedding) = content.tensor_infos.get("token_embd.weight") else {
        bail_input!("it lacks the tensor token_embd.weight");
    };
    let eps = match backbone {
        Backbone::Llama => "{arch}.attention.layer_norm_rms_epsilon",
        Backbone::Gpt2 => "{arch}.attention.layer_norm_epsilon",
    };
    let Some(norm_eps) = metadata.number(eps) else {
        bail_input!("it has no {}", eps.replace("{arch}", metadata.architecture));
    };
    let config = ModelConfig {
        backbone,
        act: act.parse()?,
        layers: metadata.needed_size("{arch}.block_count")?,
        heads,
        kv_heads,
        dim,
        ffn_dim: metadata.needed_size("{arch}.feed_forward_length")?,
        context: metadata.needed_size("{arch}.context_length")?,
        vocab_size: embedding.shape.dims().first().copied().unwrap_or(0),
        tied: !content.tensor_infos.contains_key("output.weight"),
        // The file does not say how its weights began.
        init_std: 0.02,
        norm_eps,
        rope_theta: metadata.number("{arch}.rope.freq_base").unwrap_or(10_000.0),
    }
    .validated()?;
    refuse_other_arithmetic(&metadata, config.head_dim())?;
    Ok(config)
}

/// Values that change the arithmetic are refused, never ignored.
fn refuse_other_arithmetic(metadata: &Metadata, head_dim: usize) -> Result<()> {
    for key in ["rope.dimension_count", "attention.key_length", "attention.value_length"] {
        let key = format!("{{arch}}.{key}");
        if let Some(size) = metadata.size(&key)?.filter(|size| *size != head_dim) {
            let key = key.replace("{arch}.", "");
            bail_input!("its {key} is {size}, but a head has {head_dim} elements; that is not supported");
        }
    }
    let off = |key: &str| metadata.number(&format!("{{arch}}.{key}")).is_none_or(|value| value == 0.0);
    for key in ["attention.sliding_window", "expert_count", "attention.clamp_kqv", "attention.max_alibi_bias"]
    {
        if !off(key) {
            bail_input!("it sets {key}; that is not supported");
        }
    }
    let unscaled = metadata.text("{arch}.rope.scaling.type").is_none_or(|kind| kind == "none");
    let factors = ["rope.scaling.factor", "rope.scale_linear", "rope.scaling.attn_factor"];
    let is_one = |key: &str| {
        metadata.number(&format!("{{arch}}.{key}")).is_none_or(|value| value == 1.0 || value == 0.0)
    };
    if !unscaled || !factors.into_iter().all(is_one) {
        bail_input!("it scales rotary positions; that is not supported");
    }
    Ok(())
}
