//! Dropout (Srivastava et al. 2014) with masks that are a function of where they are used.

use crate::random;
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
    /// Zeroes a share `rate` of x and scales the rest, so that the expectation stays.
    pub fn forward(&self, x: &Tensor, layer: usize, site: &str) -> Result<Tensor> {
        if self.rate == 0.0 {
            return Ok(x.clone());
        }
        let label = format!("dropout {} {} {layer} {site}", self.step, self.micro_step);
        let mut rng = random::stream(self.seed, &label);
        let kept = 1.0 / (1.0 - self.rate) as f32;
        let mask: Vec<f32> = (0..x.elem_count())
            .map(|_| if random::uniform(&mut rng) < self.rate { 0.0 } else { kept })
            .collect();
        x * Tensor::from_vec(mask, x.shape(), x.device())?
    }
}
