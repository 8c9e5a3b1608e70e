//! One optimizer step's gradients.

use super::optimizer::Gradients;
use crate::data::Batch;
use crate::model::{Dropout, Gpt, Pass};
use anyhow::Result;
use candle_core::Tensor;

/// Mean loss over the batch (nats per token) and its gradients.
pub fn gradients(model: &Gpt, batch: &Batch, dropout: Option<Dropout>) -> Result<(f64, Gradients)> {
    let shape = (batch.inputs.len() / model.config.context, model.config.context);
    let inputs = Tensor::from_slice(&batch.inputs, shape, model.device())?;
    let targets = Tensor::from_slice(&batch.targets, shape, model.device())?;
    let mut pass = Pass { learning: true, dropout, ..Pass::default() };
    let loss = model.token_losses(&inputs, &targets, &mut pass)?.mean_all()?;
    let gradients = Gradients::take(&model.params, loss.backward()?)?;
    Ok((f64::from(loss.to_scalar::<f32>()?), gradients))
}
