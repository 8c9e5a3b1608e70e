//! What a run tells of itself while it goes, and when it is done.

use crate::generate::score::Score;
use crate::model::ModelSize;
use crate::settings::{ModelConfig, Recipe};
use crate::support::record::number_or_nan;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// What a run is about to do, as far as its shapes and its text tell.
#[derive(Clone, Debug)]
pub struct Plan {
    pub recipe: Recipe,
    pub config: ModelConfig,
    /// Steps of linear warmup.
    pub warmup: usize,
    pub data: String,
    pub size: ModelSize,
    pub flops_per_token: f64,
    /// Floating-point operations that an update adds, in matrix products: Muon's.
    pub update_flops: f64,
    pub tokens_per_step: usize,
    pub first_step: usize,
    pub steps: usize,
    /// Passes over the training text.
    pub epochs: f64,
    /// Bytes, estimated.
    pub memory: f64,
}

/// What only the model itself tells of a run before its first step.
#[derive(Clone, Copy, Debug)]
pub struct Estimate {
    /// Seconds that a step takes, from a step or a part of one that changes nothing.
    pub step_seconds: f64,
    /// Seconds that the steps left take, scoring and saving aside.
    pub seconds: f64,
    /// Root mean square of what the FFNs add to the residual stream at the start.
    pub ffn_output_rms: f64,
}

/// Numbers that aren't finite.
#[derive(Clone, Debug)]
pub struct BadNumbers {
    /// Steps done when they came, that one included.
    pub step: usize,
    pub loss: f64,
    /// NaN where they came while scoring.
    pub grad_norm: f64,
    /// Where the first of them was seen, in words.
    pub place: Option<String>,
}

impl fmt::Display for BadNumbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "loss {}, gradient norm {}", self.loss, self.grad_norm)?;
        self.place.as_ref().map_or(Ok(()), |place| write!(f, ", first seen {place}"))
    }
}

impl std::error::Error for BadNumbers {}

/// One optimizer update, done.
#[derive(Clone, Debug)]
pub struct StepReport {
    /// Updates done.
    pub step: usize,
    pub steps: usize,
    pub loss: f64,
    pub lr: f64,
    /// Before clipping.
    pub grad_norm: f64,
    /// See [`Metric::Step`](crate::run::Metric).
    pub scalars_share: Option<f64>,
    pub scalars: BTreeMap<String, f32>,
    /// Why the step changed nothing, if it was skipped.
    pub skipped: Option<BadNumbers>,
    /// Training tokens read so far.
    pub tokens: u64,
    /// Wall time of this step.
    pub seconds: f64,
    /// By the median of the last steps.
    pub tokens_per_second: f64,
    pub seconds_left: f64,
}

/// The validation text, scored.
#[derive(Clone, Copy, Debug)]
pub struct Evaluation {
    pub step: usize,
    pub score: Score,
    /// All of the validation text, not its first million tokens.
    pub whole: bool,
    /// The lowest loss so far.
    pub best: bool,
    /// The loss of the distribution that the text was drawn from, where known: nats per token.
    pub floor: Option<f64>,
}

/// What a run tells of itself.
pub enum Event<'a> {
    /// The steps begin, from `first_step` on.
    Begun {
        first_step: usize,
        steps: usize,
        estimate: Estimate,
    },
    Stepped(StepReport),
    /// So many tokens of the validation text are scored.
    Scored {
        done: usize,
        all: usize,
    },
    Evaluated(Evaluation),
    /// A line for whoever follows along: something went wrong and did not end the run, or a signal was
    /// answered.
    Told(&'a str),
    /// A text from the model as it is.
    Sampled(&'a str),
}

/// What a watcher can ask of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// Save, and go on.
    Save,
    /// Save, and stop.
    Stop,
}

/// Follows a run.
pub trait Watcher {
    fn notice(&mut self, event: Event<'_>);

    /// Asked after every step, and now and then while the validation text is scored.
    fn request(&mut self) -> Option<Request> {
        None
    }
}

/// A finished run, as `--json` prints it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Outcome {
    pub act: String,
    pub params: usize,
    pub ffn_params: usize,
    pub ffn_dim: usize,
    pub steps: usize,
    pub tokens: u64,
    /// Wall time of all steps, evaluation and saving left out.
    pub seconds: f64,
    /// From the median step; evaluation and saving left out.
    #[serde(deserialize_with = "number_or_nan")]
    pub tokens_per_second: f64,
    /// Mean loss of the last step's batch; none if all steps were skipped.
    pub train_loss: Option<f64>,
    /// Steps that updated nothing, since their loss or gradient was not finite.
    #[serde(default)]
    pub skipped_steps: usize,
    pub val_loss: f64,
    /// exp(val_loss): not read back, since JSON has no number for it where it overflows.
    #[serde(skip_deserializing)]
    pub val_perplexity: f64,
    /// The lowest loss of any evaluation.
    pub best_loss: f64,
    /// None if the tokenizer drops some of the text.
    pub bits_per_byte: Option<f64>,
    /// The loss of the distribution that the text was drawn from, where known: nats per token.
    pub floor: Option<f64>,
    /// Root mean square of the FFN's outputs before the first step.
    #[serde(deserialize_with = "number_or_nan")]
    pub ffn_output_rms: f64,
    /// Floating-point operations to train on one token.
    pub flops_per_token: f64,
    pub checkpoint: PathBuf,
}
