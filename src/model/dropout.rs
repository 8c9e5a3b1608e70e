//! Dropout (Srivastava et al. 2014) with masks that are a function of where they are used.

use crate::support::random;
use candle_core::{Result, Tensor};

/// Drops values while training. Two forward passes with equal fields drop the same ones.
#[derive(Clone, Copy, Debug)]
pub struct Dropout {
    pub rate: f64,
    pub seed: u64,
    pub step: usize,
    /// Which of the step's accumulated passes this is.
    pub micro_step: usize,
}

impl Dropout {
    /// Zeroes each value of x with probability `rate` and scales the others by 1 / (1 - rate).
    pub fn forward(&self, x: &Tensor, layer: usize, site: &str) -> Result<Tensor> {
        if self.rate == 0.0 {
            return Ok(x.clone());
        }
        let mut mask = vec![1.0; x.elem_count()];
        self.apply(&mut mask, 0, layer, site);
        x * Tensor::from_vec(mask, x.shape(), x.device())?.to_dtype(x.dtype())?
    }

    /// Applies dropout in place to a part of x that starts at its value `first`.
    pub fn apply(&self, values: &mut [f32], first: usize, layer: usize, site: &str) {
        if self.rate == 0.0 {
            return;
        }
        let label = format!("dropout {} {} {layer} {site}", self.step, self.micro_step);
        let mut rng = random::stream(self.seed, &label);
        random::skip_uniforms(&mut rng, first);
        let kept = 1.0 / (1.0 - self.rate) as f32;
        for value in values {
            *value *= if random::uniform(&mut rng) < self.rate { 0.0 } else { kept };
        }
    }
}
