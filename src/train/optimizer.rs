//! The optimizer of a run: AdamW for all parameters, or Muon for the matrices between hidden units and AdamW for the
//! rest.

use super::adamw::AdamW;
use super::muon;
use crate::model::{Gradients, ParamSpec, Params, with_all_values_mut};
use crate::settings::{OptimizerKind, Training};
use anyhow::{Context, Result};
use candle_core::{Device, Tensor};
use rayon::prelude::*;
use std::collections::{BTreeMap, HashMap};

pub struct Optimizer {
    adamw: AdamW,
    weight_decay: f64,
    /// The parameters that Muon updates, and the running mean of each one's gradient.
    matrices: Vec<usize>,
    momentum: Vec<Vec<f32>>,
}

impl Optimizer {
    pub fn new(params: &Params, training: &Training) -> Result<Optimizer> {
        let for_muon =
            |i: &usize| training.optimizer == OptimizerKind::Muon && muon::is_for(&params.specs()[*i]);
        let (matrices, others): (Vec<usize>, Vec<usize>) = (0..params.specs().len()).partition(for_muon);
        Ok(Optimizer {
            adamw: AdamW::new(params, others, training)?,
            weight_decay: training.weight_decay,
            momentum: matrices.iter().map(|&i| vec![0.0; params.specs()[i].elements()]).collect(),
            matrices,
        })
    }

    /// Update number `step`, counted from 0, with `scale` times the gradients, which are then cleared.
    pub fn update(
        &mut self,
        params: &Params,
        gradients: &mut Gradients,
        scale: f64,
        lr: f64,
        step: usize,
    ) -> Result<()> {
        self.adamw.update(params, gradients, scale, lr, step)?;
        let rates = (scale, lr, 1.0 - lr * self.weight_decay);
        let momentum = self.matrices.iter().zip(&mut self.momentum);
        match gradients {
            Gradients::Candle { sums, .. } => {
                for (&i, momentum) in momentum {
                    let (spec, var) = (&params.specs()[i], &params.vars[i]);
                    let flat = |tensor: &Tensor| tensor.flatten_all()?.to_vec1::<f32>();
                    let (mut values, gradient) = (flat(var)?, flat(&sums[i])?);
                    muon::update(spec, (&mut values, momentum), &gradient, rates);
                    var.set(&Tensor::from_vec(values, spec.shape.as_slice(), var.device())?)?;
                }
                sums.clear();
            }
            Gradients::Fused { sums, .. } => {
                let tensors: Vec<&Tensor> =
                    self.matrices.iter().map(|&i| params.vars[i].as_tensor()).collect();
                with_all_values_mut(&tensors, |values| {
                    let of_muon = sums.iter_mut().enumerate().filter(|(i, _)| self.matrices.contains(i));
                    let all: Vec<_> = momentum.zip(values).zip(of_muon.map(|(_, sum)| sum)).collect();
                    all.into_par_iter().for_each(|(((&i, momentum), values), gradient)| {
                        muon::update(&params.specs()[i], (values, momentum), gradient, rates);
                        gradient.fill(0.0);
                    });
                })?;
            }
        }
        Ok(())
    }

    /// The state by name, for a checkpoint: `{parameter}.m` and `{parameter}.v`, or `{parameter}.momentum`.
    pub fn state(&self, params: &Params) -> Result<BTreeMap<String, Tensor>> {
        let mut state = self.adamw.state(params);
        for (&i, momentum) in self.matrices.iter().zip(&self.momentum) {
            let spec = &params.specs()[i];
            let tensor = Tensor::from_slice(momentum, spec.shape.as_slice(), &Device::Cpu)?;
            state.insert(momentum_name(spec), tensor);
        }
        Ok(state)
    }

    /// Names and shapes of [`Optimizer::state`].
    pub fn state_shapes(&self, params: &Params) -> Vec<(String, Vec<usize>)> {
        let of_muon = self.matrices.iter().map(|&i| &params.specs()[i]);
        let of_muon = of_muon.map(|spec| (momentum_name(spec), spec.shape.clone()));
        self.adamw.state_shapes(params).into_iter().chain(of_muon).collect()
    }

    /// Restores what [`Optimizer::state`] gave.
    pub fn restore(&mut self, params: &Params, mut state: HashMap<String, Tensor>) -> Result<()> {
        for (&i, momentum) in self.matrices.iter().zip(&mut self.momentum) {
            let name = momentum_name(&params.specs()[i]);
            let saved = state.remove(&name).with_context(|| format!("no state {name}"))?;
            *momentum = saved.flatten_all()?.to_vec1()?;
        }
        self.adamw.restore(params, state)
    }
}

fn momentum_name(spec: &ParamSpec) -> String {
    format!("{}.momentum", spec.name)
}
