//! Rotary positions: the angles by which queries and keys are rotated.

use super::ops;
use crate::settings::ModelConfig;
use candle_core::{DType, Device, Result, Tensor};

/// Cosines and sines of every position's angles, (context, D).
pub struct Rope {
    cos: Tensor,
    sin: Tensor,
}

impl Rope {
    pub fn new(config: &ModelConfig, dtype: DType, device: &Device) -> Result<Rope> {
        let head_dim = config.head_dim();
        let angles: Vec<f64> = (0..config.context)
            .flat_map(|position| {
                (0..head_dim).map(move |i| {
                    let pair = (i % (head_dim / 2)) as f64;
                    position as f64 * config.rope_theta.powf(-2.0 * pair / head_dim as f64)
                })
            })
            .collect();
        let table = |f: fn(f64) -> f64| {
            let values: Vec<f64> = angles.iter().map(|angle| f(*angle)).collect();
            Tensor::from_vec(values, (config.context, head_dim), &Device::Cpu)?
                .to_dtype(dtype)?
                .to_device(device)
        };
        Ok(Rope { cos: table(f64::cos)?, sin: table(f64::sin)? })
    }

    /// (B, H, T, D) -> (B, H, T, D), the T tokens standing at `start`, `start + 1`, ...
    pub fn forward(&self, x: &Tensor, start: usize) -> Result<Tensor> {
        let tokens = x.dims()[2];
        ops::rotate(x, &self.cos.narrow(0, start, tokens)?, &self.sin.narrow(0, start, tokens)?)
    }
}
