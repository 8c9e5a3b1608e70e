//! Causal self-attention, with grouped key/value heads and a cache for decoding.

use super::linear::Linear;
use super::ops;
use super::params::Params;
use super::rope::Rope;
use crate::settings::{Backbone, ModelConfig};
use candle_core::{Result, Tensor};

/// Keys and values of the tokens read so far, for one layer: (B, K, T, D) each.
#[derive(Clone, Default)]
pub struct Cache(Option<(Tensor, Tensor)>);

impl Cache {
    /// Tokens held.
    pub fn len(&self) -> usize {
        self.0.as_ref().map_or(0, |(keys, _)| keys.dims()[2])
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Appends, and returns everything held. Nothing is learned through a cache, so that no graph is
    /// kept with it.
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
    pub fn new(params: &Params, layer: usize, config: &ModelConfig) -> Result<Attention> {
        let (query, key, value, output) = match config.backbone {
            Backbone::Llama => {
                let linear = |name| Linear::llama(params, &format!("model.layers.{layer}.self_attn.{name}"));
                (linear("q_proj")?, linear("k_proj")?, linear("v_proj")?, linear("o_proj")?)
            }
            Backbone::Gpt2 => {
                let linear = |name| Linear::gpt2(params, &format!("transformer.h.{layer}.attn.{name}"));
                let (joint, dim) = (linear("c_attn")?, config.dim);
                let part = |i| joint.columns(i * dim, dim);
                (part(0)?, part(1)?, part(2)?, linear("c_proj")?)
            }
        };
        let (heads, kv_heads, head_dim) = (config.heads, config.kv_heads, config.head_dim());
        Ok(Attention { query, key, value, output, heads, kv_heads, head_dim })
    }

    /// (B T, C) -> (B T, C). `mask` is (T, S), 0 where token t may see token s, else -infinity.
    pub fn forward(
        &self,
        x: &Tensor,
        batch: usize,
        rope: Option<&Rope>,
        mask: Option<&Tensor>,
        cache: Option<&mut Cache>,
    ) -> Result<Tensor> {
        let tokens = x.dims()[0] / batch;
        // (B T, n D) -> (B, n, T, D)
        let split =
            |x: Tensor, n| x.reshape((batch, tokens, n, self.head_dim))?.transpose(1, 2)?.contiguous();
        let mut q = split(self.query.forward(x)?, self.heads)?;
        let mut k = split(self.key.forward(x)?, self.kv_heads)?;
        let mut v = split(self.value.forward(x)?, self.kv_heads)?;
        let start = cache.as_ref().map_or(0, |cache| cache.len());
        if let Some(rope) = rope {
            q = rope.forward(&q, start)?;
            k = rope.forward(&k, start)?;
        }
        if let Some(cache) = cache {
            (k, v) = cache.extend(&k, &v)?;
        }
        let (k, v) = (self.repeat_kv(&k)?, self.repeat_kv(&v)?); // (B, H, S, D)
        let scores = q.matmul(&k.t()?)?; // (B, H, T, S)
        let weights = ops::causal_softmax(&scores, (self.head_dim as f64).powf(-0.5), mask)?;
        let mixed = weights.matmul(&v)?; // (B, H, T, D)
        let mixed = mixed.transpose(1, 2)?.reshape((batch * tokens, self.heads * self.head_dim))?;
        self.output.forward(&mixed)
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
