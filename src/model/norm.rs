//! Normalisation of each row. candle's own norms have no backward pass; this composition has.

use super::params::Params;
use crate::settings::{Backbone, ModelConfig};
use candle_core::{D, Result, Tensor};

/// RMSNorm (Zhang & Sennrich 2019) without a bias, LayerNorm (Ba et al. 2016) with one.
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
        let scaled = |x: &Tensor| {
            let mean_square = x.sqr()?.mean_keepdim(D::Minus1)?; // (N, 1)
            x.broadcast_div(&(mean_square + self.eps)?.sqrt()?)?.broadcast_mul(&self.weight)
        };
        match &self.bias {
            None => scaled(x),
            Some(bias) => {
                let centred = x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?;
                scaled(&centred)?.broadcast_add(bias)
            }
        }
    }
}
