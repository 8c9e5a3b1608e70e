//! Learning by the kernels: gradients summed in place, AdamW in one pass over them.

use super::learner::Learner;
use super::moments::Moments;
use super::{EPS, corrections};
use crate::data::Batch;
use crate::kernels::adamw::{self, Update};
use crate::model::{Dropout, Gpt, ParamSpec, Params, with_all_values_mut};
use crate::settings::Training;
use anyhow::{Context, Result};
use candle_core::{Tensor, Var};
use rayon::prelude::*;

/// Elements that one task works on.
const SHARD: usize = 32 * 1024;

/// The learner for f32 on a CPU.
pub struct Fused {
    training: Training,
    moments: Moments,
    /// The sum of the gradients, one slice per parameter, in the parameters' order.
    sums: Vec<Vec<f32>>,
}

impl Fused {
    pub fn new(params: &Params, training: &Training) -> Result<Fused> {
        let sums = params.specs.iter().map(|spec| vec![0.0; spec.elements()]).collect();
        Ok(Fused { training: training.clone(), moments: Moments::zeros(params)?, sums })
    }

    /// The sum for each parameter.
    #[cfg(test)]
    pub fn sums(&mut self) -> &mut [Vec<f32>] {
        &mut self.sums
    }
}

impl Learner for Fused {
    fn accumulate(&mut self, model: &Gpt, batch: &Batch, dropout: Option<Dropout>) -> Result<f64> {
        let kernels = model.fused().context("the model has no kernels")?;
        let tokens = model.config.context.min(batch.inputs.len());
        let ids = (&*batch.inputs, &*batch.targets);
        Ok(kernels.add_gradients(&model.params, ids, tokens, dropout, &mut self.sums)?)
    }

    fn norm(&self) -> Result<f64> {
        let shards: Vec<&[f32]> = self.sums.iter().flat_map(|sum| sum.chunks(SHARD)).collect();
        let squares: Vec<f32> = shards.into_par_iter().map(adamw::sum_of_squares).collect();
        Ok(squares.iter().map(|square| f64::from(*square)).sum::<f64>().sqrt())
    }

    fn bad_gradients(&self) -> Result<Vec<bool>> {
        Ok(self.sums.iter().map(|sum| !sum.iter().all(|value| value.is_finite())).collect())
    }

    fn clear(&mut self) {
        for sum in &mut self.sums {
            sum.fill(0.0);
        }
    }

    fn update(&mut self, params: &Params, scale: f64, lr: f64, step: usize) -> Result<()> {
        let training = &self.training;
        let (mean_scale, square_scale) = corrections(training, lr, step);
        let update = |spec: &ParamSpec| {
            let decay = if spec.decays() { lr * training.weight_decay } else { 0.0 };
            Update {
                beta1: training.beta1 as f32,
                beta2: training.beta2 as f32,
                eps: EPS as f32,
                gradient_scale: scale as f32,
                mean_scale: mean_scale as f32,
                square_scale: square_scale as f32,
                keep: (1.0 - decay) as f32,
            }
        };
        let Moments { mean, square } = &self.moments;
        let values = params.vars.iter().map(Var::as_tensor);
        let tensors: Vec<&Tensor> = values.chain(mean).chain(square).collect();
        let sums = &mut self.sums;
        with_all_values_mut(&tensors, |mut values| {
            let mut squares = values.split_off(2 * sums.len());
            let mut means = values.split_off(sums.len());
            let moments = means.iter_mut().zip(&mut squares);
            let all = values.iter_mut().zip(sums).zip(moments).zip(&params.specs);
            let shards: Vec<_> = all
                .flat_map(|(((values, sums), (mean, square)), spec)| {
                    let moments = mean.chunks_mut(SHARD).zip(square.chunks_mut(SHARD));
                    let shards = values.chunks_mut(SHARD).zip(sums.chunks_mut(SHARD)).zip(moments);
                    shards.map(move |shard| (update(spec), shard))
                })
                .collect();
            shards.into_par_iter().for_each(|(update, ((values, sums), (mean, square)))| {
                adamw::update(update, values, sums, mean, square);
            });
        })?;
        Ok(())
    }

    fn moments(&mut self) -> &mut Moments {
        &mut self.moments
    }
}
