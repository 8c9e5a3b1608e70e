//! Learning by the composition: candle's autograd, and AdamW in its operations.

use super::learner::Learner;
use super::moments::Moments;
use super::{EPS, corrections};
use crate::data::Batch;
use crate::model::{Dropout, Gpt, Params, Pass};
use crate::settings::Training;
use anyhow::Result;
use candle_core::Tensor;

/// The learner that runs on every device.
pub struct Composed {
    training: Training,
    moments: Moments,
    /// One gradient per parameter, in the parameters' order; none before the first pass of a step.
    gradients: Vec<Tensor>,
}

impl Composed {
    pub fn new(params: &Params, training: &Training) -> Result<Composed> {
        Ok(Composed { training: training.clone(), moments: Moments::zeros(params)?, gradients: Vec::new() })
    }

    /// Adds gradients, one per parameter.
    pub fn add(&mut self, gradients: Vec<Tensor>) -> Result<()> {
        if self.gradients.is_empty() {
            self.gradients = gradients;
            return Ok(());
        }
        for (sum, gradient) in self.gradients.iter_mut().zip(gradients) {
            *sum = (&*sum + gradient)?;
        }
        Ok(())
    }
}

impl Learner for Composed {
    fn accumulate(&mut self, model: &Gpt, batch: &Batch, dropout: Option<Dropout>) -> Result<f64> {
        let tokens = model.config.context.min(batch.inputs.len());
        let shape = (batch.inputs.len() / tokens, tokens);
        let inputs = Tensor::from_slice(&batch.inputs, shape, model.device())?;
        let targets = Tensor::from_slice(&batch.targets, shape, model.device())?;
        let mut pass = Pass { learning: true, dropout, ..Pass::default() };
        let loss = model.token_losses(&inputs, &targets, &mut pass)?.mean_all()?;
        let mut store = loss.backward()?;
        let gradients = model.params.vars.iter().map(|var| match store.remove(var) {
            Some(gradient) => Ok(gradient.detach()),
            // The loss does not depend on it.
            None => var.zeros_like(),
        });
        self.add(gradients.collect::<candle_core::Result<_>>()?)?;
        Ok(f64::from(loss.to_scalar::<f32>()?))
    }

    fn norm(&self) -> Result<f64> {
        let mut sum = 0.0;
        for gradient in &self.gradients {
            sum += f64::from(gradient.sqr()?.sum_all()?.to_scalar::<f32>()?);
        }
        Ok(sum.sqrt())
    }

    fn bad_gradients(&self) -> Result<Vec<bool>> {
        let is_bad = |gradient: &Tensor| {
            let values: Vec<f32> = gradient.flatten_all()?.to_vec1()?;
            Ok(!values.iter().all(|value| value.is_finite()))
        };
        self.gradients.iter().map(is_bad).collect()
    }

    fn clear(&mut self) {
        self.gradients.clear();
    }

    fn update(&mut self, params: &Params, scale: f64, lr: f64, step: usize) -> Result<()> {
        let Training { beta1, beta2, weight_decay, .. } = self.training;
        let (mean_scale, square_scale) = corrections(&self.training, lr, step);
        let Moments { mean, square } = &mut self.moments;
        for (i, (var, spec)) in params.vars.iter().zip(&params.specs).enumerate() {
            let gradient = (&self.gradients[i] * scale)?;
            mean[i] = ((&mean[i] * beta1)? + (&gradient * (1.0 - beta1))?)?;
            square[i] = ((&square[i] * beta2)? + (gradient.sqr()? * (1.0 - beta2))?)?;
            let denominator = ((&square[i] * square_scale)?.sqrt()? + EPS)?;
            let change = ((&mean[i] * mean_scale)? / denominator)?;
            let decay = if spec.decays() { lr * weight_decay } else { 0.0 };
            var.set(&((var.as_tensor().detach() * (1.0 - decay))? - change)?)?;
        }
        self.clear();
        Ok(())
    }

    fn moments(&mut self) -> &mut Moments {
        &mut self.moments
    }
}
