//! AdamW (Loshchilov & Hutter 2019, algorithm 2), as `torch.optim.AdamW` computes it.

use crate::model::kernels::adamw::{self, Update};
use crate::model::{Gradients, ParamSpec, Params, with_all_values_mut};
use crate::settings::Training;
use anyhow::{Context, Result};
use candle_core::Tensor;
use rayon::prelude::*;
use std::collections::{BTreeMap, HashMap};

/// Added to the denominators, as in PyTorch.
const EPS: f64 = 1e-8;
/// Elements that one task updates.
const SHARD: usize = 32 * 1024;

/// The optimizer and its state: running means of each gradient and of its square.
pub struct AdamW {
    training: Training,
    /// The parameters that it updates.
    indices: Vec<usize>,
    mean: Vec<Tensor>,
    square: Vec<Tensor>,
}

/// The numbers of one update.
#[derive(Clone, Copy)]
struct Rates {
    /// Multiplies the gradients: what clipping and accumulation make of them.
    gradient_scale: f64,
    lr: f64,
    /// lr / (1 - beta1^t), which corrects the mean's bias towards its start at 0.
    mean_scale: f64,
    /// 1 / (1 - beta2^t)
    square_scale: f64,
}

impl AdamW {
    pub fn new(params: &Params, indices: Vec<usize>, training: &Training) -> Result<AdamW> {
        let zeros =
            || indices.iter().map(|&i| params.vars[i].zeros_like()).collect::<candle_core::Result<Vec<_>>>();
        let (mean, square) = (zeros()?, zeros()?);
        Ok(AdamW { training: training.clone(), indices, mean, square })
    }

    /// Update number `step`, counted from 0, with `scale` times the gradients. Fused ones are set to 0.
    pub fn update(
        &mut self,
        params: &Params,
        gradients: &mut Gradients,
        scale: f64,
        lr: f64,
        step: usize,
    ) -> Result<()> {
        let updates = step as i32 + 1;
        let rates = Rates {
            gradient_scale: scale,
            lr,
            mean_scale: lr / (1.0 - self.training.beta1.powi(updates)),
            square_scale: 1.0 / (1.0 - self.training.beta2.powi(updates)),
        };
        match gradients {
            Gradients::Candle { sums, .. } => self.update_tensors(params, sums, rates),
            Gradients::Fused { sums, .. } => self.update_slices(params, sums, rates),
        }
    }

    /// The parameters that it updates.
    fn specs<'a>(&'a self, params: &'a Params) -> impl Iterator<Item = &'a ParamSpec> {
        self.indices.iter().map(|&i| &params.specs()[i])
    }

    /// What a step keeps of a parameter's values: 1 - lr * weight decay, if the parameter decays.
    fn kept(&self, spec: &ParamSpec, lr: f64) -> f64 {
        if spec.decays() { 1.0 - lr * self.training.weight_decay } else { 1.0 }
    }

    fn update_tensors(&mut self, params: &Params, gradients: &[Tensor], rates: Rates) -> Result<()> {
        let Training { beta1, beta2, .. } = self.training;
        for (at, &i) in self.indices.iter().enumerate() {
            let (spec, var) = (&params.specs()[i], &params.vars[i]);
            let gradient = (&gradients[i] * rates.gradient_scale)?;
            self.mean[at] = ((&self.mean[at] * beta1)? + (&gradient * (1.0 - beta1))?)?;
            self.square[at] = ((&self.square[at] * beta2)? + (gradient.sqr()? * (1.0 - beta2))?)?;
            let denominator = ((&self.square[at] * rates.square_scale)?.sqrt()? + EPS)?;
            let change = ((&self.mean[at] * rates.mean_scale)? / denominator)?;
            var.set(&((var.as_tensor().detach() * self.kept(spec, rates.lr))? - change)?)?;
        }
        Ok(())
    }

    /// Updates slices in place in one pass over the values, and sets the gradients to 0.
    fn update_slices(&mut self, params: &Params, gradients: &mut [Vec<f32>], rates: Rates) -> Result<()> {
        let update = |spec: &ParamSpec| Update {
            beta1: self.training.beta1 as f32,
            beta2: self.training.beta2 as f32,
            eps: EPS as f32,
            gradient_scale: rates.gradient_scale as f32,
            mean_scale: rates.mean_scale as f32,
            square_scale: rates.square_scale as f32,
            keep: self.kept(spec, rates.lr) as f32,
        };
        let values = self.indices.iter().map(|&i| params.vars[i].as_tensor());
        let gradients = gradients.iter_mut().enumerate().filter(|(i, _)| self.indices.contains(i));
        let gradients: Vec<&mut Vec<f32>> = gradients.map(|(_, gradient)| gradient).collect();
        let tensors: Vec<&Tensor> = values.chain(&self.mean).chain(&self.square).collect();
        with_all_values_mut(&tensors, |mut values| {
            let mut squares = values.split_off(2 * gradients.len());
            let mut means = values.split_off(gradients.len());
            let state = means.iter_mut().zip(&mut squares);
            let all = values.iter_mut().zip(gradients).zip(state).zip(self.specs(params));
            let shards: Vec<_> = all
                .flat_map(|(((values, gradients), (mean, square)), spec)| {
                    let state = mean.chunks_mut(SHARD).zip(square.chunks_mut(SHARD));
                    let shards = values.chunks_mut(SHARD).zip(gradients.chunks_mut(SHARD)).zip(state);
                    shards.map(move |shard| (update(spec), shard))
                })
                .collect();
            shards.into_par_iter().for_each(|(update, ((values, gradients), (mean, square)))| {
                adamw::update(update, values, gradients, mean, square);
            });
        })?;
        Ok(())
    }

    /// The state by name, for a checkpoint: `{parameter}.m` and `{parameter}.v`.
    pub fn state(&self, params: &Params) -> BTreeMap<String, Tensor> {
        let names = |suffix| self.specs(params).map(move |spec| state_name(spec, suffix));
        let means = names("m").zip(self.mean.iter().cloned());
        means.chain(names("v").zip(self.square.iter().cloned())).collect()
    }

    /// Names and shapes of [`AdamW::state`].
    pub fn state_shapes(&self, params: &Params) -> Vec<(String, Vec<usize>)> {
        let both = |spec: &ParamSpec| ["m", "v"].map(|suffix| (state_name(spec, suffix), spec.shape.clone()));
        self.specs(params).flat_map(both).collect()
    }

    /// Restores what [`AdamW::state`] gave.
    pub fn restore(&mut self, params: &Params, mut state: HashMap<String, Tensor>) -> Result<()> {
        let mut take = |suffix: &str| -> Result<Vec<Tensor>> {
            let names = self.specs(params).map(|spec| state_name(spec, suffix));
            names.map(|name| state.remove(&name).with_context(|| format!("no state {name}"))).collect()
        };
        (self.mean, self.square) = (take("m")?, take("v")?);
        Ok(())
    }
}

fn state_name(spec: &ParamSpec, suffix: &str) -> String {
    format!("{}.{suffix}", spec.name)
}

/// What to multiply gradients of norm `norm` with so that they are no longer than `limit`, which is
/// 0 for no limit. As `torch.nn.utils.clip_grad_norm_`.
pub fn clip_scale(norm: f64, limit: f64) -> f64 {
    if limit > 0.0 { (limit / (norm + 1e-6)).min(1.0) } else { 1.0 }
}
