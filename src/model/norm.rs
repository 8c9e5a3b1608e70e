//! Normalisation of each row.

use super::ops;
use candle_core::{Result, Tensor};
use candle_nn::Module;

/// RMSNorm on the llama backbone, LayerNorm, which has a bias, on gpt2's. candle's own have no backward pass.
pub struct Norm {
    weight: Tensor,
    bias: Option<Tensor>,
    eps: f64,
}

impl Norm {
    pub fn new(weight: Tensor, bias: Option<Tensor>, eps: f64) -> Norm {
        Norm { weight, bias, eps }
    }
}

impl Module for Norm {
    /// (.., C) -> (.., C)
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        ops::norm(x, &self.weight, self.bias.as_ref(), self.eps)
    }
}
