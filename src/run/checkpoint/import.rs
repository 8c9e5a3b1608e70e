//! The weights of a model as this program or transformers wrote them: under one of several names, in one
//! file or in shards, in any of four number formats.

use super::json::read_json;
use super::tensors::{most_bytes, read_files};
use crate::model::{Model, ParamMap, ParamSpec, Params};
use crate::settings::{ModelConfig, Ops};
use crate::{bail_input, input_error};
use anyhow::Result;
use candle_core::{Device, Tensor};
use std::cell::Cell;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

pub const WEIGHTS: &str = "model.safetensors";
/// Says which shard holds which tensor.
pub const INDEX: &str = "model.safetensors.index.json";

const HEAD: &str = "lm_head.weight";
/// What names of the class with an output head begin with, and those of the class without do not.
const PREFIXES: [&str; 2] = ["model.", "transformer."];
/// Constants that older checkpoints hold beside the parameters: masks and rotary frequencies.
const BUFFERS: [&str; 3] = [".attn.bias", ".attn.masked_bias", ".rotary_emb.inv_freq"];

/// The parameters of the model `config` from `files` in a checkpoint directory.
pub fn read_params(
    directory: &Path,
    files: &[String],
    config: &ModelConfig,
    device: &Device,
) -> Result<Params> {
    let files: Vec<PathBuf> = files.iter().map(|file| directory.join(file)).collect();
    let shapes = |specs: &[ParamSpec]| -> Vec<(String, Vec<usize>)> {
        specs.iter().map(|spec| (spec.name.clone(), spec.shape.clone())).collect()
    };
    let expected = shapes(&ParamMap::new(config).specs);
    let known: BTreeSet<&str> = expected.iter().map(|(name, _)| name.as_str()).collect();
    let head_of_tied = Cell::new(false);
    let canonical = |name: &str| -> Option<String> {
        if BUFFERS.iter().any(|buffer| name.ends_with(buffer)) {
            return None;
        }
        if config.tied && name == HEAD {
            head_of_tied.set(true);
            return None;
        }
        let prefixed = PREFIXES.iter().map(|prefix| format!("{prefix}{name}"));
        Some(prefixed.into_iter().find(|longer| known.contains(longer.as_str())).unwrap_or(name.to_string()))
    };
    // Besides the parameters: a copy of the embedding as the head, and a mask in every layer.
    let extra = config.vocab_size * config.dim + config.layers * config.context * config.context;
    let elements = expected.iter().map(|(_, shape)| shape.iter().product::<usize>()).sum::<usize>();
    let most = most_bytes(elements.saturating_add(extra));
    let tensors = read_files(&files, &expected, &canonical, most, device)?;
    if head_of_tied.get() {
        let head = [(HEAD.to_string(), vec![config.vocab_size, config.dim])];
        let only_head = |name: &str| (name == HEAD).then(|| name.to_string());
        let head = read_files(&files, &head, &only_head, most, device)?;
        let embedding = &tensors[&expected[0].0];
        if head[HEAD].ne(embedding)?.sum_all()?.to_scalar::<u8>()? != 0 {
            bail_input!(
                "{} holds a {HEAD} that differs from the embedding, but config.json ties the two: set tie_word_embeddings to false",
                directory.display()
            );
        }
    }
    Ok(Params::fill(config, |spec| Ok(tensors[&spec.name].clone()))?)
}

/// A model with its context shortened to `context`.
pub fn with_context(model: Model, context: usize, ops: Ops) -> Result<Model> {
    if context == model.config.context {
        return Ok(model);
    }
    let config = ModelConfig { context, ..model.config }.validated()?;
    // Only a table of positions has another shape then: its first rows stay.
    let params = Params::fill(&config, |spec| {
        model.params.get(&spec.name).and_then(|tensor: Tensor| tensor.narrow(0, 0, spec.shape[0]))
    })?;
    Ok(Model::new(config, params, ops)?)
}

/// The names of the files with the weights of a checkpoint directory.
pub fn weight_files(directory: &Path) -> Result<Vec<String>> {
    let index = directory.join(INDEX);
    if directory.join(WEIGHTS).is_file() {
        return Ok(vec![WEIGHTS.to_string()]);
    }
    if index.is_file() {
        return Ok(shards(&index)?.into_iter().collect());
    }
    let mut entries = fs::read_dir(directory).into_iter().flatten().flatten();
    if entries.any(|entry| is_pickled(&entry.path())) {
        return Err(refuse_pickles(&directory.display().to_string()));
    }
    Ok(vec![WEIGHTS.to_string()])
}

fn is_pickled(path: &Path) -> bool {
    let ends = ["bin", "pt", "pth", "ckpt"];
    path.extension().is_some_and(|end| ends.iter().any(|pickled| end.eq_ignore_ascii_case(pickled)))
}

/// What to say of a file where a checkpoint's directory is wanted.
pub fn refuse_file(path: &Path) -> anyhow::Error {
    let shown = path.display();
    if is_pickled(path) {
        return refuse_pickles(&shown.to_string());
    }
    input_error!("{shown} is a file; a checkpoint is the directory with its config.json")
}

/// What to say where weights are pickled.
pub fn refuse_pickles(place: &str) -> anyhow::Error {
    input_error!(
        "{place} holds no {WEIGHTS}. Weights in .bin or .pt files are pickled Python, which can run any code, and are not read: write them anew by transformers' AutoModelForCausalLM.from_pretrained(...).save_pretrained(...)"
    )
}

/// The names of the files that an index names, each a file beside it.
pub fn shards(index: &Path) -> Result<BTreeSet<String>> {
    let json = read_json(index)?;
    let Some(map) = json["weight_map"].as_object() else {
        bail_input!("{} has no weight_map", index.display());
    };
    let mut shards = BTreeSet::new();
    for shard in map.values() {
        let name = shard.as_str().unwrap_or_default();
        if !name.ends_with(".safetensors") || name.contains(['/', '\\']) {
            bail_input!("{} names {shard}, which is no safetensors file beside it", index.display());
        }
        shards.insert(name.to_string());
    }
    Ok(shards)
}
