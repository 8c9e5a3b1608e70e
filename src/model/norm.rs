//! Normalisation of each row.

use super::ops;
use super::params::Params;
use crate::settings::{Backbone, ModelConfig};
use candle_core::{Result, Tensor};

/// RMSNorm on the llama backbone, LayerNorm on gpt2's.
pub struct Norm {
    weight: Tensor,
    bias: Option<Tensor>,
    eps: f64,
}

impl Norm {
    pub fn new(params: &Params, name: &str, config: &ModelConfig) -> Result<Norm> {
        let bias = match config.backbone {
            Backbone::Llama => None,
            Backbone::Gpt2 => Some(params.get(&format!("{name}.bias"))?),
        };
        Ok(Norm { weight: params.get(&format!("{name}.weight"))?, bias, eps: config.norm_eps })
    }

    /// (N, C) -> (N, C)
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        ops::norm(x, &self.weight, self.bias.as_ref(), self.eps)
    }
}
