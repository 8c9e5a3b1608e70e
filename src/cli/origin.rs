//! Where a run's initial weights come from, if not from its seed: `train --init`.

use crate::bail_input;
use crate::data::Tokenizer;
use crate::model::Model;
use crate::run::checkpoint::{load_config, load_model, load_tokenizer, with_context};
use crate::run::find_checkpoint;
use crate::settings::{Ops, Settings, TokenizerKind};
use anyhow::Result;
use candle_core::Device;
use std::path::{Path, PathBuf};

/// A checkpoint to be trained on.
pub struct Origin {
    /// As the user named it.
    name: String,
    checkpoint: PathBuf,
    vocab_size: usize,
    /// What the checkpoint decides.
    pub settings: Settings,
}

/// What the checkpoint decides and no flag may, besides its shape.
const ITS_OWN: [&str; 3] = ["init-std", "ffn-init-scale", "tokenizer"];

impl Origin {
    /// # Errors
    /// If a flag asks for another model than the checkpoint's.
    pub fn open(name: &str, flags: &Settings) -> Result<Origin> {
        let checkpoint = find_checkpoint(Path::new(name))?;
        if checkpoint.is_file() {
            bail_input!("--init takes a directory or hf:OWNER/NAME; {name} is a file");
        }
        let config = load_config(&checkpoint)?;
        let shape = Settings::of_model(&config);
        let decided =
            |flag: &str| ITS_OWN.contains(&flag) || shape.to_map().contains_key(flag) && flag != "context";
        if let Some((flag, _)) = flags.to_map().iter().find(|(flag, _)| decided(flag)) {
            bail_input!("--{flag} cannot go with --init: the model of {name} decides it");
        }
        if let Some(context) = flags.context.filter(|context| *context > config.context) {
            bail_input!("--context is {context}, but the model of {name} knows {} positions", config.context);
        }
        let kind = match name.strip_prefix("hf:") {
            Some(repo) => TokenizerKind::Hub(repo.to_string()),
            None => TokenizerKind::File(checkpoint.join("tokenizer.json")),
        };
        let settings = Settings { tokenizer: Some(kind), ..shape };
        Ok(Origin { name: name.to_string(), checkpoint, vocab_size: config.vocab_size, settings })
    }

    /// The checkpoint's tokenizer.
    pub fn tokenizer(&self) -> Result<Tokenizer> {
        let tokenizer = load_tokenizer(&self.checkpoint)?;
        if tokenizer.vocab_size() > self.vocab_size {
            bail_input!(
                "the tokenizer of {} has {} tokens, but its model knows {}: they do not belong together",
                self.name,
                tokenizer.vocab_size(),
                self.vocab_size
            );
        }
        Ok(tokenizer)
    }

    /// The checkpoint's model, its context cut to `context`.
    pub fn model(&self, context: usize, device: &Device, ops: Ops) -> Result<Model> {
        with_context(load_model(&self.checkpoint, device, ops)?, context, ops)
    }
}
