//! Checkpoints of the Hugging Face hub, through its own cache.

use super::import::{INDEX, WEIGHTS, refuse_pickles, shards};
use crate::data::HubModel;
use crate::{bail_input, input_error};
use anyhow::Result;
use std::path::PathBuf;

/// The directory in the cache that holds the model `owner/name[@revision]`: its configuration, weights and
/// tokenizer, fetched where they are missing.
///
/// # Errors
/// If the repository has no weights as safetensors, or changes while it is fetched.
pub fn fetch_model(name: &str) -> Result<PathBuf> {
    let model: HubModel = name.parse()?;
    let mut files = vec![model.file("config.json")?, model.file("tokenizer.json").map_err(|error| {
        input_error!("{error:#}. A slow tokenizer becomes a tokenizer.json by transformers' AutoTokenizer.from_pretrained(...).save_pretrained(...)")
    })?];
    for name in ["tokenizer_config.json", "generation_config.json"] {
        files.extend(model.file_if_there(name)?);
    }
    if let Some(weights) = model.file_if_there(WEIGHTS)? {
        files.push(weights);
    } else if let Some(index) = model.file_if_there(INDEX)? {
        for shard in shards(&index)? {
            files.push(model.file(&shard)?);
        }
        files.push(index);
    } else {
        return Err(refuse_pickles(&format!("hf:{name}")));
    }
    // Every commit has a directory of its own.
    let directory = files[0].parent().unwrap_or(&files[0]).to_path_buf();
    if files.iter().any(|file| file.parent() != Some(&directory)) {
        bail_input!("hf:{name} changed while it was fetched; try again");
    }
    Ok(directory)
}
