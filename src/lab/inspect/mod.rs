//! Measurements inside models: what the FFN and its activation do.
//!
//! [`inspect`] measures a trained model on a text, [`fresh_models`] the gradients of untrained models, and [`lens`]
//! what each layer predicts. [`ModelShape`] needs only a configuration. All results are plain data, ready to be
//! printed, drawn or written as JSON.

mod ablation;
mod gradients;
mod knowledge;
mod lens;
mod linear;
mod memories;
mod movement;
mod normal;
mod output;
mod shape;
mod survey;
mod units;

pub use ablation::{Half, MeanOutputs, ablated};
pub use gradients::{Architecture, FreshModels, InitialGradients, OnStandardNormal, fresh_models};
pub use knowledge::{Knowledge, answer, completion, knowledge};
pub use lens::{LensLayer, LogitLens, PromptPosition, TokenChance, lens};
pub use linear::LinearFit;
pub use memories::{Promoted, Trigger, UnitMemories, UnitMemory};
pub use movement::{Movement, movement};
pub use normal::gradient_factor;
pub(crate) use normal::on_standard_normal;
pub(crate) use output::train_output;
pub use output::{Output, Outputs};
pub use shape::{FlopsPerToken, ModelShape, ParameterCounts, PartCount, TrainingBytes};
pub use survey::{FfnOutput, Inspection, LayerInspection, inspect};
pub(crate) use units::flat_below;
pub use units::{HiddenUnits, Histogram};

use crate::activation::Function;
use crate::model::{Model, Params, Part, Pass, Site};
use crate::settings::ModelConfig;
use candle_core::{DType, Device, Result, Tensor, Var};
use serde::Serialize;
use std::path::PathBuf;

/// What `tinygpt inspect` found. `--json` prints it.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Findings {
    /// A model without weights.
    Shape {
        /// Preset or file.
        model: String,
        /// The tokenizer that the size of the vocabulary comes from.
        vocabulary: String,
        #[serde(flatten)]
        shape: ModelShape,
    },
    Trained {
        checkpoint: PathBuf,
        /// The text that the survey is of.
        data: Option<String>,
        prompt: Option<LogitLens>,
        #[serde(flatten)]
        shape: ModelShape,
        #[serde(flatten)]
        survey: Option<Inspection>,
    },
    Fresh {
        data: String,
        #[serde(flatten)]
        found: FreshModels,
    },
}

/// A mean and a standard deviation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct MeanStd {
    pub mean: f64,
    pub std: f64,
}

/// Sums over finite numbers. Others are ignored.
#[derive(Default)]
struct Running {
    count: u64,
    sum: f64,
    squares: f64,
}

impl Running {
    fn add(&mut self, x: f64) {
        if x.is_finite() {
            self.count += 1;
            self.sum += x;
            self.squares += x * x;
        }
    }

    fn mean(&self) -> f64 {
        self.sum / self.count as f64
    }

    fn mean_std(&self) -> MeanStd {
        let mean = self.mean();
        // Rounding may make the difference of two equal numbers negative.
        MeanStd { mean, std: (self.squares / self.count as f64 - mean * mean).max(0.0).sqrt() }
    }
}

/// A forward pass over token ids (B, T) with an observer that can fail. Returns the logits (B T, V).
fn observe(
    model: &Model,
    ids: &Tensor,
    pass: &mut Pass,
    mut observer: impl FnMut(Site, usize, &Tensor) -> Result<()>,
) -> Result<Tensor> {
    let mut seen = Ok(());
    let mut observer = |site: Site, layer: usize, x: &Tensor| {
        if seen.is_ok() {
            seen = observer(site, layer, x);
        }
    };
    let logits = model.gpt.observe(ids, pass, &mut observer)?;
    seen.map(|()| logits)
}

/// Inputs (B, T) and targets (B T) of windows of `length` tokens.
fn windows(inputs: &[u32], targets: &[u32], length: usize) -> Result<(Tensor, Tensor)> {
    let inputs = Tensor::from_slice(inputs, (inputs.len() / length, length), &Device::Cpu)?;
    Ok((inputs, Tensor::new(targets, &Device::Cpu)?))
}

/// Each layer's activation, with its learned scalars.
fn functions(model: &Model) -> Result<Vec<Function>> {
    let value = |parameter: &usize| {
        let var = model.params.vars[*parameter].as_tensor();
        Ok(var.to_dtype(DType::F64)?.to_vec1::<f64>()?[0])
    };
    let blocks = model.params.map.blocks.iter();
    blocks
        .map(|block| {
            let scalars = block.scalars.iter().map(value).collect::<Result<_>>()?;
            Ok(Function { act: model.config.act, scalars })
        })
        .collect()
}

/// Every layer's FFN matrices as they are stored, in the order of the forward pass: those into the hidden units,
/// the first of which gives the pre-activations, then the one out of them.
fn ffn_matrices<'a>(params: &'a Params, config: &ModelConfig) -> Vec<Vec<&'a Var>> {
    let matrices = params.iter().filter(|(spec, _)| spec.role.part() == Part::Ffn && spec.decays());
    let matrices: Vec<&Var> = matrices.map(|(_, var)| var).collect();
    matrices.chunks(config.act.ffn_matrices()).map(<[&Var]>::to_vec).collect()
}
