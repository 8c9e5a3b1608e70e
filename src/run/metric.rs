//! The lines of `metrics.jsonl`.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// What a run logs. Numbers that aren't finite are none: JSON has no other way to write them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged, expecting = "it isn't a step, an evaluation or a sample")]
pub enum Metric {
    Step {
        step: usize,
        /// Mean loss of the step's batch, nats per token.
        loss: Option<f64>,
        lr: f64,
        /// Before clipping.
        grad_norm: Option<f64>,
        /// The share of the squared norm that is the activations' learned scalars'; none without any.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        scalars_share: Option<f64>,
        /// The learned scalars after the step, by layer and name, such as `0.beta`.
        #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
        scalars: BTreeMap<String, f32>,
        /// Training tokens read so far.
        tokens: u64,
        /// Wall time of the step.
        seconds: f64,
        /// True if the step updated nothing.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        skipped: bool,
    },
    Evaluation {
        step: usize,
        val_loss: f64,
        val_perplexity: Option<f64>,
        /// None if the tokenizer drops some of the text.
        bits_per_byte: Option<f64>,
        /// Tokens that were scored.
        val_tokens: usize,
    },
    Sample {
        step: usize,
        sample: String,
    },
}

impl Metric {
    /// Updates done by then.
    pub fn step(&self) -> usize {
        match self {
            Metric::Step { step, .. } | Metric::Evaluation { step, .. } | Metric::Sample { step, .. } => {
                *step
            }
        }
    }

    /// The loss on the validation text, if this is an evaluation.
    pub fn val_loss(&self) -> Option<f64> {
        match self {
            Metric::Evaluation { val_loss, .. } => Some(*val_loss),
            _ => None,
        }
    }

    /// Wall time, if this is a step.
    pub fn seconds(&self) -> Option<f64> {
        match self {
            Metric::Step { seconds, .. } => Some(*seconds),
            _ => None,
        }
    }
}

/// A number as a record holds it.
pub fn finite(number: f64) -> Option<f64> {
    Some(number).filter(|number| number.is_finite())
}
