//! Where tokens stand: the angles that rotate queries and keys, and what each token may see.

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

    /// The tables of the `tokens` positions from `start`: (T, D) each.
    fn narrow(&self, start: usize, tokens: usize) -> Result<(Tensor, Tensor)> {
        Ok((self.cos.narrow(0, start, tokens)?, self.sin.narrow(0, start, tokens)?))
    }
}

/// Where the T tokens of a forward pass stand among the S read so far, themselves included.
pub struct Positions {
    /// Cosines and sines of their angles, (T, D) each, on a backbone that rotates.
    rotation: Option<(Tensor, Tensor)>,
    /// (T, S): 0 where a token may see another, else -infinity. None where a single token sees everything.
    pub mask: Option<Tensor>,
}

impl Positions {
    /// `tokens` tokens that stand at `start`, `start + 1`, ...
    pub fn new(
        start: usize,
        tokens: usize,
        rope: Option<&Rope>,
        (dtype, device): (DType, &Device),
    ) -> Result<Positions> {
        let keys = start + tokens;
        let row = |t: usize| (0..keys).map(move |s| if s <= t { 0.0 } else { f32::NEG_INFINITY });
        let mask = || {
            let values: Vec<f32> = (start..keys).flat_map(row).collect();
            Tensor::from_vec(values, (tokens, keys), device)?.to_dtype(dtype)
        };
        Ok(Positions {
            rotation: rope.map(|rope| rope.narrow(start, tokens)).transpose()?,
            mask: (tokens > 1).then(mask).transpose()?,
        })
    }

    /// Rotates queries or keys to their positions, on a backbone that rotates: (B, H, T, D) -> (B, H, T, D).
    pub fn rotate(&self, x: Tensor) -> Result<Tensor> {
        match &self.rotation {
            Some((cos, sin)) => ops::rotate(&x, cos, sin),
            None => Ok(x),
        }
    }
}
