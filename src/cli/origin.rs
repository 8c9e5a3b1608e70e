//! The checkpoint that `train --init` fine-tunes.

use crate::bail_input;
use crate::data::Tokenizer;
use crate::model::Model;
use crate::run::checkpoint::{load_config, load_model, load_tokenizer, with_context};
use crate::run::find_checkpoint;
use crate::settings::{Ops, Settings, TokenizerKind};
use anyhow::Result;
use candle_core::Device;
use std::path::{Path, PathBuf};

pub struct Origin {
    /// As the user named it.
    name: String,
    checkpoint: PathBuf,
    vocab_size: usize,
    /// The model's shape and the tokenizer.
    pub settings: Settings,
}

/// Settings that a flag can't change, besides the model's shape.
const FIXED: [&str; 3] = ["init-std", "ffn-init-scale", "tokenizer"];

impl Origin {
    /// # Errors
    /// If a flag contradicts the checkpoint.
    pub fn open(name: &str, flags: &Settings) -> Result<Origin> {
        let checkpoint = find_checkpoint(Path::new(name))?;
        if checkpoint.is_file() {
            bail_input!("--init takes a directory or hf:OWNER/NAME; {name} is a file");
        }
        let config = load_config(&checkpoint)?;
        let shape = Settings::of_model(&config);
        let is_fixed =
            |flag: &str| FIXED.contains(&flag) || shape.to_map().contains_key(flag) && flag != "context";
        if let Some((flag, _)) = flags.to_map().iter().find(|(flag, _)| is_fixed(flag)) {
            bail_input!("--{flag} can't be combined with --init: {name} has its own; leave --{flag} out");
        }
        if let Some(context) = flags.context.filter(|context| *context > config.context) {
            bail_input!(
                "--context is {context}; {name} has {} positions, so it must be at most that",
                config.context
            );
        }
        let kind = match name.strip_prefix("hf:") {
            Some(repo) => TokenizerKind::Hub(repo.to_string()),
            None => TokenizerKind::File(checkpoint.join("tokenizer.json")),
        };
        let settings = Settings { tokenizer: Some(kind), ..shape };
        Ok(Origin { name: name.to_string(), checkpoint, vocab_size: config.vocab_size, settings })
    }

    pub fn tokenizer(&self) -> Result<Tokenizer> {
        let tokenizer = load_tokenizer(&self.checkpoint)?;
        let (tokens, known) = (tokenizer.vocab_size(), self.vocab_size);
        if tokens > known {
            bail_input!(
                "{}: the tokenizer has {tokens} tokens, but the model's vocabulary has {known}; use a tokenizer.json that belongs to the model",
                self.name
            );
        }
        Ok(tokenizer)
    }

    /// The model, its context cut to `context`.
    pub fn model(&self, context: usize, device: &Device, ops: Ops) -> Result<Model> {
        with_context(load_model(&self.checkpoint, device, ops)?, context, ops)
    }
}
