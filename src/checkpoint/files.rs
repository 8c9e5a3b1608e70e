//! The files of a checkpoint directory, written whole or not at all.

use super::card::write_card;
use super::config::{config_json, parse_config};
use super::gguf::{self, is_gguf};
use super::import::{read_params, weight_files};
use super::manifest;
use super::tensors::{read_tensors, write_tensors};
use crate::data::Tokenizer;
use crate::files::{SAVING, read_text, sync};
use crate::model::Model;
use crate::settings::{ModelConfig, Ops, Settings};
use crate::{bail_input, input_error};
use anyhow::{Context, Result};
use candle_core::{Device, Tensor};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

/// `trainer.json`: what training needs to go on, besides the optimizer's tensors.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainerState {
    pub settings: Settings,
    /// The checkpoint that the weights came from, as `--init` named it; none where they came from the seed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init: Option<String>,
    /// Optimizer updates done.
    pub step: usize,
    /// Optimizer updates planned.
    pub steps: usize,
    /// Training tokens read.
    pub tokens: u64,
    pub params: usize,
    /// Mean loss of the last step's batch, nats per token; none if all steps were skipped.
    pub train_loss: Option<f64>,
    /// Steps that updated nothing, since their loss or gradient was not finite.
    #[serde(default)]
    pub skipped_steps: usize,
    /// Root mean square of the FFN's outputs before the first step.
    pub ffn_output_rms: f64,
    /// [`Dataset::fingerprint`](crate::data::Dataset::fingerprint) of the text.
    pub data: String,
    /// Tokens of the training and of the validation text.
    #[serde(default)]
    pub text_tokens: Option<(usize, usize)>,
}

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
        fs::remove_dir_all(directory).with_context(failed)?;
    }
    fs::rename(beside.keep(), directory).with_context(failed)?;
    sync(parent).with_context(failed)
}

fn write_files(directory: &Path, checkpoint: &Checkpoint) -> Result<()> {
    let model = checkpoint.model;
    let (end_of_text, special) = checkpoint.tokenizer.end_of_text().unzip();
    let tokenizer_config = json!({
        "tokenizer_class": "PreTrainedTokenizerFast",
        "bos_token": special,
        "eos_token": special,
        "clean_up_tokenization_spaces": false,
        "model_max_length": model.config.context,
    });
    write_json(directory, "config.json", &config_json(&model.config, end_of_text))?;
    fs::write(directory.join("tokenizer.json"), checkpoint.tokenizer.to_json()?)?;
    write_json(directory, "tokenizer_config.json", &tokenizer_config)?;
    write_json(directory, "trainer.json", &serde_json::to_value(checkpoint.trainer)?)?;
    let named = model.params.specs().iter().map(|spec| spec.name.clone());
    let parameters = named.zip(model.params.vars.iter().map(|var| var.as_tensor().clone())).collect();
    write_tensors(&directory.join("model.safetensors"), &parameters)?;
    write_tensors(&directory.join("optimizer.safetensors"), &checkpoint.optimizer)?;
    write_card(directory, &model.config, checkpoint.trainer, None)?;
    manifest::write(directory)
}

fn write_json(directory: &Path, name: &str, value: &Value) -> Result<()> {
    Ok(fs::write(directory.join(name), serde_json::to_string_pretty(value)? + "\n")?)
}

/// Bytes that a `config.json` or a `trainer.json` may have.
const LARGEST_JSON: u64 = 1 << 20;

pub(super) fn read_json(path: &Path) -> Result<Value> {
    let text = read_text(path, LARGEST_JSON)?;
    serde_json::from_str(&text).map_err(|error| input_error!("{} is no JSON: {error}", path.display()))
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
    if is_gguf(directory) {
        return gguf::read_model(directory, device, ops);
    }
    let config = load_config(directory)?;
    let weights = weight_files(directory)?;
    manifest::verify(directory, &weights)?;
    let params = read_params(directory, &weights, &config, device)?;
    Ok(Model::new(config, params, ops)?)
}

/// Reads the tokenizer of a checkpoint, a directory or a GGUF file. Where tokenizer_config.json names the token that ends a
/// text, that is it.
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
    let tokenizer = Tokenizer::from_file(&path)?;
    let config = directory.join("tokenizer_config.json");
    let config = if config.is_file() { read_json(&config)? } else { Value::Null };
    let end = &config["eos_token"];
    Ok(match end.as_str().or(end["content"].as_str()) {
        Some(end) => tokenizer.ending_with(end),
        None => tokenizer,
    })
}

/// Reads the training state of a checkpoint directory.
pub fn load_trainer(directory: &Path) -> Result<TrainerState> {
    manifest::verify(directory, &["trainer.json"])?;
    let path = directory.join("trainer.json");
    serde_json::from_value(read_json(&path)?)
        .map_err(|error| input_error!("{} is no training state: {error}", path.display()))
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
