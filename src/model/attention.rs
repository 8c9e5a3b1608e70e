//! Causal self-attention, with grouped key/value heads and a cache for decoding.

use super::ops;
use super::param_map::BlockParams;
use super::parts::Parts;
use super::positions::Positions;
use candle_core::{Result, Tensor};
use candle_nn::{Linear, Module};

/// Keys and values of the tokens read so far, for one layer: (B, K, T, D) each.
#[derive(Clone, Default)]
pub struct KvCache(Option<(Tensor, Tensor)>);

impl KvCache {
    /// Tokens held.
    pub fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |(keys, _)| keys.dims()[2])
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Appends, and returns everything held. Nothing is learned through a cache, so it keeps no graph.
    fn extend(&mut self, keys: &Tensor, values: &Tensor) -> Result<(Tensor, Tensor)> {
        let all = match self.0.take() {
            None => (keys.detach(), values.detach()),
            Some((k, v)) => (Tensor::cat(&[&k, keys], 2)?.detach(), Tensor::cat(&[&v, values], 2)?.detach()),
        };
        self.0 = Some(all.clone());
        Ok(all)
    }
}

pub struct Attention {
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
    heads: usize,
    kv_heads: usize,
    head_dim: usize,
}

impl Attention {
    pub(super) fn new(parts: &Parts, of: &BlockParams) -> Result<Attention> {
        let config = parts.config;
        let (heads, kv_heads, head_dim) = (config.heads, config.kv_heads, config.head_dim());
        let linears = of.qkv.iter().map(|linear| parts.linear(*linear)).collect::<Result<Vec<_>>>()?;
        let [query, key, value] = match &linears[..] {
            [query, key, value] => [query.clone(), key.clone(), value.clone()],
            joint => {
                let outputs = |i| outputs(&joint[0], i * config.dim, config.dim);
                [outputs(0)?, outputs(1)?, outputs(2)?]
            }
        };
        let output = parts.linear(of.attention_output)?;
        Ok(Attention { query, key, value, output, heads, kv_heads, head_dim })
    }

    /// (B, T, C) -> (B, T, C)
    pub fn forward(&self, x: &Tensor, at: &Positions, cache: Option<&mut KvCache>) -> Result<Tensor> {
        let (batch, tokens, dim) = x.dims3()?;
        // (B, T, n D) -> (B, n, T, D)
        let split =
            |x: Tensor, n| x.reshape((batch, tokens, n, self.head_dim))?.transpose(1, 2)?.contiguous();
        let q = at.rotate(split(self.query.forward(x)?, self.heads)?)?;
        let mut k = at.rotate(split(self.key.forward(x)?, self.kv_heads)?)?;
        let mut v = split(self.value.forward(x)?, self.kv_heads)?;
        if let Some(cache) = cache {
            (k, v) = cache.extend(&k, &v)?;
        }
        let (k, v) = (self.repeat_kv(&k)?, self.repeat_kv(&v)?); // (B, H, S, D)
        let scores = q.matmul(&k.t()?)?; // (B, H, T, S)
        let weights = ops::causal_softmax(&scores, (self.head_dim as f64).powf(-0.5), at.mask.as_ref())?;
        let mixed = weights.matmul(&v)?; // (B, H, T, D)
        self.output.forward(&mixed.transpose(1, 2)?.reshape((batch, tokens, dim))?)
    }

    /// (B, K, S, D) -> (B, H, S, D): every key/value head serves H / K query heads in a row.
    fn repeat_kv(&self, x: &Tensor) -> Result<Tensor> {
        if self.heads == self.kv_heads {
            return Ok(x.clone());
        }
        let (b, k, s, d) = x.dims4()?;
        let groups = self.heads / self.kv_heads;
        x.unsqueeze(2)?.expand((b, k, groups, s, d))?.reshape((b, k * groups, s, d))
    }
}

/// The map to `len` of the outputs, from `start`. Cutting the weights, not the result, keeps the backward
/// pass from padding activations.
fn outputs(linear: &Linear, start: usize, len: usize) -> Result<Linear> {
    let bias = linear.bias().map(|bias| bias.narrow(0, start, len)).transpose()?;
    Ok(Linear::new(linear.weight().narrow(0, start, len)?, bias))
}
