//! Gradients of the mean loss, summed over the batches of a step.

use super::dropout::Dropout;
use super::fused::FusedGpt;
use super::gpt::{Gpt, Pass};
use super::params::Params;
use crate::model::kernels::adamw::sum_of_squares;
use candle_core::{DType, Result, Tensor};
use rayon::prelude::*;
use std::sync::Arc;

/// Elements that one task sums.
const SHARD: usize = 32 * 1024;

/// A model and the sums of its gradients since they were last cleared: one per parameter, in the parameters'
/// order, where the engine adds them up.
pub enum Gradients {
    /// `sums` is empty while they are 0.
    Candle {
        model: Arc<Gpt>,
        params: Params,
        sums: Vec<Tensor>,
    },
    Fused {
        model: Arc<FusedGpt>,
        sums: Vec<Vec<f32>>,
    },
}

impl Gradients {
    pub(super) fn of_candle(model: Arc<Gpt>, params: Params) -> Gradients {
        Gradients::Candle { model, params, sums: Vec::new() }
    }

    pub(super) fn of_fused(model: Arc<FusedGpt>) -> Gradients {
        let sums = model.params().specs().iter().map(|spec| vec![0.0; spec.elements()]).collect();
        Gradients::Fused { model, sums }
    }

    /// Adds the gradients of the mean loss of a batch, and returns that loss in nats per token: ids and targets
    /// are sequences of `tokens` tokens, one after the other.
    ///
    /// # Errors
    /// If an id isn't below the vocabulary, or `tokens` exceeds the context.
    pub fn add(
        &mut self,
        ids: &[u32],
        targets: &[u32],
        tokens: usize,
        dropout: Option<Dropout>,
    ) -> Result<f64> {
        match self {
            Gradients::Candle { model, params, sums } => {
                let (loss, gradients) = differentiate(model, params, (ids, targets), tokens, dropout)?;
                if sums.is_empty() {
                    *sums = gradients;
                } else {
                    for (sum, gradient) in sums.iter_mut().zip(gradients) {
                        *sum = (&*sum + gradient)?;
                    }
                }
                Ok(loss)
            }
            Gradients::Fused { model, sums } => model.add_gradients((ids, targets), tokens, dropout, sums),
        }
    }

    /// The Euclidean norm of all sums together.
    pub fn norm(&self) -> Result<f64> {
        let square = match self {
            Gradients::Candle { sums, .. } => {
                let square = |sum: &Tensor| Ok(f64::from(sum.sqr()?.sum_all()?.to_scalar::<f32>()?));
                sums.iter().map(square).sum::<Result<f64>>()?
            }
            Gradients::Fused { sums, .. } => {
                let shards: Vec<&[f32]> = sums.iter().flat_map(|sum| sum.chunks(SHARD)).collect();
                let squares: Vec<f32> = shards.into_par_iter().map(sum_of_squares).collect();
                squares.iter().map(|square| f64::from(*square)).sum()
            }
        };
        Ok(square.sqrt())
    }

    /// The Euclidean norm of the sums of some small parameters.
    pub fn norm_of(&self, parameters: &[usize]) -> Result<f64> {
        let mut square = 0.0;
        for parameter in parameters {
            let values = match self {
                Gradients::Candle { sums, .. } => {
                    sums[*parameter].flatten_all()?.to_dtype(DType::F32)?.to_vec1()?
                }
                Gradients::Fused { sums, .. } => sums[*parameter].clone(),
            };
            square += values.iter().map(|value: &f32| f64::from(*value).powi(2)).sum::<f64>();
        }
        Ok(square.sqrt())
    }

    /// For each parameter whether its sum is finite.
    pub fn are_finite(&self) -> Result<Vec<bool>> {
        let finite = |values: &[f32]| values.iter().all(|value| value.is_finite());
        match self {
            Gradients::Candle { sums, .. } => {
                sums.iter().map(|sum| Ok(finite(&sum.flatten_all()?.to_vec1()?))).collect()
            }
            Gradients::Fused { sums, .. } => Ok(sums.iter().map(|sum| finite(sum)).collect()),
        }
    }

    /// Back to 0.
    pub fn clear(&mut self) {
        match self {
            Gradients::Candle { sums, .. } => sums.clear(),
            Gradients::Fused { sums, .. } => sums.iter_mut().for_each(|sum| sum.fill(0.0)),
        }
    }
}

/// The mean loss of a batch by candle, in nats per token, and its gradients.
fn differentiate(
    model: &Gpt,
    params: &Params,
    (ids, targets): (&[u32], &[u32]),
    tokens: usize,
    dropout: Option<Dropout>,
) -> Result<(f64, Vec<Tensor>)> {
    let tensor = |ids| Tensor::from_slice(ids, (targets.len() / tokens, tokens), model.device());
    let mut pass = Pass { learning: true, dropout, ..Pass::default() };
    let loss = model.token_losses(&tensor(ids)?, &tensor(targets)?, &mut pass)?.mean_all()?;
    let mut store = loss.backward()?;
    let gradients = params.vars.iter().map(|var| match store.remove(var) {
        // Detached: a gradient would keep the graph that it came from.
        Some(gradient) => Ok(gradient.detach()),
        // The loss doesn't depend on it.
        None => var.zeros_like(),
    });
    let gradients = gradients.collect::<Result<_>>()?;
    Ok((f64::from(loss.to_scalar::<f32>()?), gradients))
}
