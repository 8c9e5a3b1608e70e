//! Looking inside a model: what the FFN and its activation do, measured.
//!
//! [`inspect`] measures a trained model on a text; [`fresh_models`] measures fresh ones, where
//! activations differ most in what reaches the first layer; [`Shapes`] needs no model at all. Results are
//! plain data, to be printed, drawn or written as JSON.

mod ablation;
mod gradients;
mod knowledge;
mod lens;
mod linear;
mod memories;
mod movement;
mod normal;
mod output;
mod parameters;
mod shapes;
mod survey;
mod units;

pub use ablation::{Half, MeanOutputs, ablated};
pub use gradients::{FreshModels, InitialGradients, OnStandardNormal, Setting, fresh_models};
pub(crate) use knowledge::capacity;
pub use knowledge::{Knowledge, answer, completion, knowledge};
pub use lens::{AtLayer, Lens, Likely, Position, Truth, lens};
pub use linear::LinearFit;
pub use memories::{Memories, Memory, Promoted, Trigger};
pub use movement::{Movement, movement};
pub use normal::gradient_factor;
pub(crate) use normal::on_standard_normal;
pub(crate) use output::train_output;
pub use output::{Output, Outputs};
pub use parameters::{Parameters, PartSize};
pub use shapes::{Bytes, Flops, Shapes, Step};
pub use survey::{FfnOutput, Inspection, Layer, Summary, inspect};
pub(crate) use units::flat_below;
pub use units::{HiddenUnits, Histogram};

use crate::model::{Params, Part};
use crate::settings::ModelConfig;
use candle_core::Var;
use serde::Serialize;

/// A mean and a standard deviation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Moments {
    pub mean: f64,
    pub std: f64,
}

/// A mean under way, of what is a number.
#[derive(Default)]
struct Mean {
    sum: f64,
    count: usize,
}

impl Mean {
    fn add(&mut self, x: f64) {
        if x.is_finite() {
            self.sum += x;
            self.count += 1;
        }
    }

    fn value(&self) -> f64 {
        self.sum / self.count as f64
    }
}

/// The matrices of every layer's FFN as they are stored, in the order of the forward pass: those into
/// the hidden units, of which the first gives the argument of f, then the one out of them.
fn ffn_matrices<'a>(params: &'a Params, config: &ModelConfig) -> Vec<Vec<&'a Var>> {
    let named = params.iter();
    let matrices =
        named.filter(|(spec, _)| spec.role.part() == Part::Ffn && spec.decays()).map(|(_, var)| var);
    let matrices: Vec<&Var> = matrices.collect();
    matrices.chunks(config.act.ffn_matrices()).map(<[&Var]>::to_vec).collect()
}
