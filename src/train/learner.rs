//! What learns: gradients and the optimizer that uses them, by the kernels or by the composition.

use super::composed::Composed;
use super::fused::Fused;
use super::moments::Moments;
use crate::data::Batch;
use crate::model::{Dropout, Gpt, Params};
use crate::settings::Training;
use anyhow::Result;

/// Sums gradients over the passes of a step and updates the model with them.
pub trait Learner {
    /// Adds the gradients of the batch's mean loss, which it returns in nats per token.
    fn accumulate(&mut self, model: &Gpt, batch: &Batch, dropout: Option<Dropout>) -> Result<f64>;

    /// The Euclidean norm of the sum over all parameters.
    fn norm(&self) -> Result<f64>;

    /// For each parameter whether its sum holds a value that is not finite.
    fn bad_gradients(&self) -> Result<Vec<bool>>;

    /// Forgets the sum.
    fn clear(&mut self);

    /// Update number `step`, counted from 0, with `scale` times the sum, which is then forgotten.
    fn update(&mut self, params: &Params, scale: f64, lr: f64, step: usize) -> Result<()>;

    /// The optimizer's state, to be saved and restored.
    fn moments(&mut self) -> &mut Moments;
}

/// The learner for a model.
pub fn learner(model: &Gpt, training: &Training) -> Result<Box<dyn Learner>> {
    match model.fused() {
        Some(_) => Ok(Box::new(Fused::new(&model.params, training)?)),
        None => Ok(Box::new(Composed::new(&model.params, training)?)),
    }
}

/// What to multiply gradients of norm `norm` with so that they are no longer than `limit`, which is
/// 0 for no limit. As `torch.nn.utils.clip_grad_norm_`.
pub fn clip_scale(norm: f64, limit: f64) -> f64 {
    if limit > 0.0 { (limit / (norm + 1e-6)).min(1.0) } else { 1.0 }
}
