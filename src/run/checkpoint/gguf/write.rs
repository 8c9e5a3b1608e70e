//! Writing a GGUF file that llama.cpp computes right.

use super::metadata::describe;
use super::tokenizer::describe_tokenizer;
use super::verify::verify;
use super::{GRAPHS, Layout, gguf_name, llama_cpp_graph};
use crate::bail_input;
use crate::data::Tokenizer;
use crate::model::Model;
use crate::support::files::write_whole;
use anyhow::Result;
use candle_core::quantized::gguf_file::{self, Value};
use candle_core::quantized::{GgmlDType, QTensor};
use clap::ValueEnum;
use std::io::{BufWriter, Write};
use std::path::Path;

/// The number format of the matrices of a GGUF file. Vectors, and GPT-2's positions, stay f32.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Quantization {
    F32,
    F16,
    /// Blocks of 32 bytes with a common f16 factor; rows that they do not divide are f16
    #[value(name = "q8_0")]
    Q8_0,
}

impl Quantization {
    /// `LLAMA_FTYPE` in llama.h.
    fn file_type(self) -> u32 {
        match self {
            Quantization::F32 => 0,
            Quantization::F16 => 1,
            Quantization::Q8_0 => 7,
        }
    }

    fn of(self, name: &str, shape: &[usize]) -> GgmlDType {
        if shape.len() < 2 || name.starts_with("position_embd") {
            return GgmlDType::F32;
        }
        let row = shape[shape.len() - 1];
        match self {
            Quantization::F32 => GgmlDType::F32,
            Quantization::Q8_0 if row.is_multiple_of(GgmlDType::Q8_0.block_size()) => GgmlDType::Q8_0,
            Quantization::F16 | Quantization::Q8_0 => GgmlDType::F16,
        }
    }
}

/// Writes a model and its tokenizer to a GGUF file; `name` is what the file calls it. The file is read back
/// and compared before it gets its place.
///
/// # Errors
/// If llama.cpp would compute another function, or has no tokenizer that does the same, or if a weight isn't
/// a finite number or doesn't fit the number format.
pub fn export_gguf(
    path: &Path,
    name: &str,
    model: &Model,
    tokenizer: &Tokenizer,
    quantization: Quantization,
) -> Result<()> {
    let config = &model.config;
    let Some(architecture) = llama_cpp_graph(config.backbone, config.act) else {
        let known = GRAPHS.map(|(name, _, act)| format!("{name} computes {act}")).join(", ");
        bail_input!(
            "llama.cpp would compute something else than {} in this model: its graphs have their activation built in ({known})",
            config.act
        );
    };
    refuse_values_that_are_not_finite(model)?;
    let text = |text: &str| Value::String(text.to_string());
    let mut metadata = vec![
        ("general.architecture".to_string(), text(architecture)),
        ("general.name".to_string(), text(name)),
        ("general.file_type".to_string(), Value::U32(quantization.file_type())),
        ("general.quantization_version".to_string(), Value::U32(2)),
    ];
    metadata.extend(describe(config, architecture));
    metadata.extend(describe_tokenizer(tokenizer, config.vocab_size)?);

    let mut tensors = Vec::new();
    for (spec, var) in model.params.iter() {
        let tensor = Layout::of(config, spec).apply(var.as_tensor())?;
        let name = gguf_name(spec);
        let quantized = QTensor::quantize(&tensor, quantization.of(&name, tensor.dims()))?;
        tensors.push((name, quantized));
    }
    let metadata: Vec<(&str, &Value)> = metadata.iter().map(|(key, value)| (key.as_str(), value)).collect();
    let tensors: Vec<(&str, &QTensor)> =
        tensors.iter().map(|(name, tensor)| (name.as_str(), tensor)).collect();
    write_whole(path, |file| {
        let mut out = BufWriter::new(&mut *file);
        gguf_file::write(&mut out, &metadata, &tensors)?;
        out.flush()?;
        drop(out);
        verify(file, &metadata, model, tokenizer)
    })
}

fn refuse_values_that_are_not_finite(model: &Model) -> Result<()> {
    for (spec, var) in model.params.iter() {
        let values = var.flatten_all()?.to_vec1::<f32>()?;
        if let Some(value) = values.iter().find(|value| !value.is_finite()) {
            bail_input!(
                "the tensor {} holds {value}: this model's training diverged, so there is nothing to export. Export an earlier checkpoint",
                spec.name
            );
        }
    }
    Ok(())
}
