//! Causal self-attention, with grouped key/value heads and a cache for decoding.

use super::linear::Linear;
use super::ops;
use super::param_map::BlockParams;
use super::parts::Parts;
use super::positions::Positions;
use candle_core::{Result, Tensor};
use candle_nn::Module;
use candle_nn::kv_cache::KvCache;

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
                let outputs = |i| joint[0].outputs(i * config.dim, config.dim);
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
            (k, v) = cache.append(&k, &v)?;
        }
        let grouped = |x: Tensor, last| x.reshape((batch, self.kv_heads, (), last));
        let keys = k.dims()[2];
        // Every key/value head serves H / K query heads in a row.
        let scores = grouped(q, self.head_dim)?.matmul(&k.t()?)?; // (B, K, H / K T, S)
        let scores = scores.reshape((batch, self.heads, tokens, keys))?;
        let weights = ops::causal_softmax(&scores, (self.head_dim as f64).powf(-0.5), at.mask.as_ref())?;
        let mixed = grouped(weights, keys)?.matmul(&v)?; // (B, K, H / K T, D)
        let mixed = mixed.reshape((batch, self.heads, tokens, self.head_dim))?;
        self.output.forward(&mixed.transpose(1, 2)?.reshape((batch, tokens, dim))?)
    }
}
