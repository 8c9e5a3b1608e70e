//! The files of a checkpoint directory, written whole or not at all.

use super::card::write_card;
use super::config::{config_json, parse_config};
use super::gguf::{self, is_gguf};
use super::import::{read_params, weight_files};
use super::json::{json_if_there, read_json, write_json};
use super::manifest::{self, CARD};
use super::tensors::{read_tensors, write_tensors};
use super::trainer::{TRAINER, TrainerState};
use crate::data::Tokenizer;
use crate::model::{Decoder, Model};
use crate::settings::{ModelConfig, Ops};
use crate::support::files::{SAVING, sync};
use crate::support::owned::entries;
use crate::support::record;
use crate::support::waiting::waiting;
use crate::{bail_input, input_error};
use anyhow::{Context, Result};
use candle_core::{Device, Tensor};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

/// Everything a checkpoint holds.
pub struct Checkpoint<'a> {
    pub model: &'a Model,
    pub tokenizer: &'a Tokenizer,
    pub trainer: &'a TrainerState,
    /// The optimizer's state, named after its parameter with `.m` and `.v` behind it.
    pub optimizer: BTreeMap<String, Tensor>,
}

/// Writes a checkpoint directory: complete under its name, or not there.
pub fn save(directory: &Path, checkpoint: &Checkpoint) -> Result<()> {
    let failed = || format!("cannot save the checkpoint {}", directory.display());
    let parent = directory.parent().unwrap_or(Path::new("."));
    let beside = tempfile::Builder::new().prefix(SAVING).tempdir_in(parent).with_context(failed)?;
    write_files(beside.path(), checkpoint).with_context(failed)?;
    // `tempdir` makes the directory private; a checkpoint is as readable as its neighbours.
    if let Ok(metadata) = fs::metadata(parent) {
        fs::set_permissions(beside.path(), metadata.permissions()).with_context(failed)?;
    }
    if directory.exists() {
        remove(directory).with_context(failed)?;
    }
    fs::rename(beside.keep(), directory).with_context(failed)?;
    sync(parent).with_context(failed)
}

/// The files of a checkpoint.
const FILES: [&str; 8] = [
    CARD,
    manifest::MANIFEST,
    "config.json",
    "model.safetensors",
    "optimizer.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    TRAINER,
];

/// The name of something in a checkpoint directory that no checkpoint has.
pub fn foreign_file(directory: &Path) -> Option<String> {
    let is_own = |name: &str| FILES.contains(&name) || name.starts_with(SAVING);
    entries(directory).find(|name| !is_own(name))
}

/// Removes a checkpoint directory. It's whole for as long as it has its name.
///
/// # Errors
/// If somebody put other files into it: nothing is removed then.
pub fn remove(directory: &Path) -> Result<()> {
    if let Some(name) = foreign_file(directory) {
        bail_input!("{} isn't a file that tinygpt wrote: move it away", directory.join(name).display());
    }
    let parent = directory.parent().unwrap_or(Path::new("."));
    let failed = || format!("cannot remove {}", directory.display());
    let nameless = tempfile::Builder::new().prefix(SAVING).tempdir_in(parent).with_context(failed)?;
    fs::rename(directory, nameless.path().join("checkpoint")).with_context(failed)?;
    nameless.close().with_context(failed)
}

/// True if `directory` is a checkpoint that tinygpt saved: its training state is the one that the manifest names.
pub fn is_saved(directory: &Path) -> bool {
    directory.join(manifest::MANIFEST).is_file() && manifest::verify(directory, &[TRAINER]).is_ok()
}

fn write_files(directory: &Path, checkpoint: &Checkpoint) -> Result<()> {
    let model = checkpoint.model;
    let tokenizer = checkpoint.tokenizer;
    let (end, end_name) = tokenizer.end_of_text().unzip();
    let bos = tokenizer.beginning().first().copied();
    let bos_name = bos.map(|id| tokenizer.token_name(id)).or(end_name.map(str::to_string));
    let tokenizer_config = json!({
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": bos_name,
        "eos_token": end_name,
        "clean_up_tokenization_spaces": false,
        "model_max_length": model.config.context,
    });
    write_json(directory, "config.json", &config_json(&model.config, bos.or(end), &tokenizer.stops()))?;
    fs::write(directory.join("tokenizer.json"), tokenizer.to_json()?)?;
    write_json(directory, "tokenizer_config.json", &tokenizer_config)?;
    fs::write(directory.join(TRAINER), record::page(checkpoint.trainer)?)?;
    let named = model.params.specs().iter().map(|spec| spec.name.clone());
    let parameters = named.zip(model.params.vars.iter().map(|var| var.as_tensor().clone())).collect();
    write_tensors(&directory.join("model.safetensors"), &parameters)?;
    write_tensors(&directory.join("optimizer.safetensors"), &checkpoint.optimizer)?;
    write_card(directory, &model.config, checkpoint.trainer, None)?;
    manifest::write(directory)
}

/// Reads what the model of a checkpoint, a directory or a GGUF file, is.
pub fn load_config(directory: &Path) -> Result<ModelConfig> {
    if is_gguf(directory) {
        return gguf::read_config(directory);
    }
    manifest::verify(directory, &["config.json"])?;
    let path = directory.join("config.json");
    parse_config(&read_json(&path)?).map_err(|error| input_error!("{}: {error}", path.display()))
}

/// Reads the model of a checkpoint, a directory or a GGUF file.
pub fn load_model(directory: &Path, device: &Device, ops: Ops) -> Result<Model> {
    let _waiting = waiting(format!("reading {}", directory.display()));
    if is_gguf(directory) {
        return gguf::read_model(directory, device, ops);
    }
    let config = load_config(directory)?;
    let weights = weight_files(directory)?;
    manifest::verify(directory, &weights)?;
    let params = read_params(directory, &weights, &config, device)?;
    Ok(Model::new(config, params, ops)?)
}

/// Reads what continues texts: the model of a checkpoint, whose matrices stay quantized if they are.
pub fn load_decoder(directory: &Path, device: &Device) -> Result<Decoder> {
    if is_gguf(directory) && device.is_cpu() {
        let waiting = waiting(format!("reading {}", directory.display()));
        if let Some(decoder) = gguf::read_decoder(directory)? {
            return Ok(decoder);
        }
        drop(waiting);
    }
    Ok(load_model(directory, device, Ops::Fused)?.decoder())
}

/// Reads the tokenizer of a checkpoint, a directory or a GGUF file, with the special tokens that
/// transformers takes from the other files of a directory.
pub fn load_tokenizer(directory: &Path) -> Result<Tokenizer> {
    if is_gguf(directory) {
        return gguf::read_tokenizer(directory);
    }
    let path = directory.join("tokenizer.json");
    if !path.is_file() && ["vocab.json", "tokenizer.model"].iter().any(|name| directory.join(name).is_file())
    {
        bail_input!(
            "{} is missing; make it of the tokenizer that is there by transformers' AutoTokenizer.from_pretrained(...).save_pretrained(...)",
            path.display()
        );
    }
    manifest::verify(directory, &["tokenizer.json"])?;
    let tokenizer = Tokenizer::from_file(&path)?.stopping_at(stops(directory)?);
    // transformers 5 doesn't look at add_bos_token here: the post-processor of tokenizer.json decides.
    let end = &json_if_there(directory, "tokenizer_config.json")?["eos_token"];
    Ok(match end.as_str().or(end["content"].as_str()) {
        Some(end) => tokenizer.ending_with(end),
        None => tokenizer,
    })
}

/// The tokens that end generation: those of generation_config.json or else of config.json, each one id or a
/// list of them.
fn stops(directory: &Path) -> Result<Vec<u32>> {
    let ids = |value: &Value| -> Vec<u32> {
        let list = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        list.iter().filter_map(Value::as_u64).filter_map(|id| u32::try_from(id).ok()).collect()
    };
    for name in ["generation_config.json", "config.json"] {
        let stops = ids(&json_if_there(directory, name)?["eos_token_id"]);
        if !stops.is_empty() {
            return Ok(stops);
        }
    }
    Ok(Vec::new())
}

/// Reads the optimizer's tensors of a checkpoint directory, which must have exactly these names and shapes.
pub fn load_optimizer(
    directory: &Path,
    shapes: &[(String, Vec<usize>)],
    device: &Device,
) -> Result<HashMap<String, Tensor>> {
    manifest::verify(directory, &["optimizer.safetensors"])?;
    read_tensors(&directory.join("optimizer.safetensors"), shapes, device)
}
