//! `trainer.json`: how far the run of a checkpoint is, and what it needs to go on.

use super::json::LARGEST_JSON;
use super::manifest;
use crate::model::kernels::instruction_set;
use crate::settings::{Settings, TextEncoding};
use crate::support::record;
use anyhow::Result;
use serde::{Deserialize, Serialize};
use std::path::Path;

pub const TRAINER: &str = "trainer.json";

/// What computed something: the same build on the same instruction set computes the same bytes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Build {
    /// Of tinygpt.
    pub version: String,
    /// That the kernels chose.
    pub instruction_set: String,
}

impl Build {
    /// This program on this machine.
    pub fn this() -> Build {
        Build {
            version: env!("CARGO_PKG_VERSION").to_string(),
            instruction_set: instruction_set().to_string(),
        }
    }

    /// What to say if this build goes on with what `before` computed, on another instruction set.
    pub fn differs_from(&self, before: &Build) -> Option<String> {
        let (now, then) = (&self.instruction_set, &before.instruction_set);
        (now != then).then(|| {
            format!("the checkpoint was computed with {then}, this machine uses {now}: weights may differ in their last bits from those of an undisturbed run")
        })
    }
}

/// `trainer.json`: what training needs to go on, besides the optimizer's tensors.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainerState {
    pub settings: Settings,
    /// The checkpoint that the weights came from, as `--init` named it; none where they came from the seed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub init: Option<String>,
    /// The directory that the run was started in, where relative paths in the settings begin; `~` is the
    /// home directory. tinygpt 0.1 didn't write it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_in: Option<String>,
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
    /// What computed the steps up to here. tinygpt 0.1 didn't write it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<Build>,
}

/// Reads the training state of a checkpoint directory.
pub fn load_trainer(directory: &Path) -> Result<TrainerState> {
    manifest::verify(directory, &[TRAINER])?;
    record::read(&directory.join(TRAINER), LARGEST_JSON)
}

/// The `--encoding` of the run that a checkpoint comes from; none if it has none or comes from no run of ours.
///
/// # Errors
/// If the checkpoint has a training state that can't be read.
pub fn encoding_of(directory: &Path) -> Result<Option<TextEncoding>> {
    match directory.join(TRAINER).is_file() {
        true => Ok(load_trainer(directory)?.settings.encoding),
        false => Ok(None),
    }
}
