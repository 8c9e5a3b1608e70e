//! AdamW (Loshchilov & Hutter 2019) with clipping by global norm.

use crate::model::Params;
use crate::settings::Training;
use anyhow::{Context, Result};
use candle_core::Tensor;
use candle_core::backprop::GradStore;
use std::collections::{BTreeMap, HashMap};

/// As in PyTorch.
const EPS: f64 = 1e-8;

/// One gradient per parameter, in the parameters' order.
pub struct Gradients(Vec<Tensor>);

impl Gradients {
    /// Gradients that are known, one per parameter.
    pub fn new(gradients: Vec<Tensor>) -> Gradients {
        Gradients(gradients)
    }

    /// Takes the parameters' gradients out of a backward pass. A parameter that the loss does not
    /// depend on has a gradient of zero.
    pub fn take(params: &Params, mut store: GradStore) -> Result<Gradients> {
        let gradients = params.vars.iter().map(|var| match store.remove(var) {
            Some(gradient) => Ok(gradient.detach()),
            None => var.zeros_like(),
        });
        Ok(Gradients(gradients.collect::<candle_core::Result<_>>()?))
    }

    /// Adds those of another pass.
    pub fn add(&mut self, other: &Gradients) -> Result<()> {
        for (sum, gradient) in self.0.iter_mut().zip(&other.0) {
            *sum = (&*sum + gradient)?;
        }
        Ok(())
    }

    /// The Euclidean norm over all parameters.
    pub fn norm(&self) -> Result<f64> {
        let mut sum = 0.0;
        for gradient in &self.0 {
            sum += f64::from(gradient.sqr()?.sum_all()?.to_scalar::<f32>()?);
        }
        Ok(sum.sqrt())
    }
}

/// What to multiply gradients of norm `norm` with so that they are no longer than `limit`, which is
/// 0 for no limit. As `torch.nn.utils.clip_grad_norm_`.
pub fn clip_scale(norm: f64, limit: f64) -> f64 {
    if limit > 0.0 { (limit / (norm + 1e-6)).min(1.0) } else { 1.0 }
}

/// The optimizer's state: running means of each gradient and of its square.
pub struct AdamW {
    beta1: f64,
    beta2: f64,
    weight_decay: f64,
    mean: Vec<Tensor>,
    square: Vec<Tensor>,
}

impl AdamW {
    pub fn new(params: &Params, training: &Training) -> Result<AdamW> {
        let zeros =
            || params.vars.iter().map(|var| var.zeros_like()).collect::<candle_core::Result<Vec<_>>>();
        Ok(AdamW {
            beta1: training.beta1,
            beta2: training.beta2,
            weight_decay: training.weight_decay,
            mean: zeros()?,
            square: zeros()?,
        })
    }

    /// Update number `step`, counted from 0, with `scale` times the gradients.
    pub fn update(
        &mut self,
        params: &Params,
        gradients: &Gradients,
        scale: f64,
        lr: f64,
        step: usize,
    ) -> Result<()> {
        let (beta1, beta2) = (self.beta1, self.beta2);
        let updates = step as i32 + 1;
        let mean_scale = lr / (1.0 - beta1.powi(updates));
        let square_scale = 1.0 / (1.0 - beta2.powi(updates));
        for (i, (var, spec)) in params.vars.iter().zip(&params.specs).enumerate() {
            let gradient = (&gradients.0[i] * scale)?;
            self.mean[i] = ((&self.mean[i] * beta1)? + (&gradient * (1.0 - beta1))?)?;
            self.square[i] = ((&self.square[i] * beta2)? + (gradient.sqr()? * (1.0 - beta2))?)?;
            let denominator = ((&self.square[i] * square_scale)?.sqrt()? + EPS)?;
            let change = ((&self.mean[i] * mean_scale)? / denominator)?;
            let decay = if spec.decays() { lr * self.weight_decay } else { 0.0 };
            var.set(&((var.as_tensor().detach() * (1.0 - decay))? - change)?)?;
        }
        Ok(())
    }

    /// The moments by name, for a checkpoint.
    pub fn moments(&self, params: &Params) -> BTreeMap<String, Tensor> {
        let named = |suffix: &'static str, moments: &[Tensor]| -> Vec<(String, Tensor)> {
            let names = params.specs.iter().map(|spec| format!("{}.{suffix}", spec.name));
            names.zip(moments.iter().cloned()).collect()
        };
        named("m", &self.mean).into_iter().chain(named("v", &self.square)).collect()
    }

    /// Names and shapes of [`AdamW::moments`].
    pub fn moment_shapes(params: &Params) -> Vec<(String, Vec<usize>)> {
        let both = |spec: &crate::model::ParamSpec| {
            ["m", "v"].map(|suffix| (format!("{}.{suffix}", spec.name), spec.shape.clone()))
        };
        params.specs.iter().flat_map(both).collect()
    }

    /// Restores what [`AdamW::moments`] gave.
    pub fn restore(&mut self, params: &Params, mut moments: HashMap<String, Tensor>) -> Result<()> {
        for (i, spec) in params.specs.iter().enumerate() {
            let mut take = |suffix: &str| {
                moments
                    .remove(&format!("{}.{suffix}", spec.name))
                    .with_context(|| format!("no moments of {}", spec.name))
            };
            self.mean[i] = take("m")?;
            self.square[i] = take("v")?;
        }
        Ok(())
    }
}
