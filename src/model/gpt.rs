//! The reference model: a decoder-only transformer built from candle modules.

use super::attention::Attention;
use super::dropout::Dropout;
use super::ffn::Ffn;
use super::linear::{Embedding, Linear};
use super::norm::Norm;
use super::ops;
use super::param_map::{BlockParams, ParamMap};
use super::parts::{Parts, Tensors};
use super::positions::{Positions, Rope};
use crate::settings::{Backbone, ModelConfig};
use candle_core::{DType, Device, Result, Tensor};
use candle_nn::Module;
use candle_nn::kv_cache::KvCache;

/// What one forward pass does besides computing logits.
#[derive(Default)]
pub struct Pass<'a> {
    /// One cache per layer: the tokens given are the ones after those held.
    pub caches: Option<&'a mut [KvCache]>,
    /// Keep what a backward pass needs.
    pub learning: bool,
    /// Used while training.
    pub dropout: Option<Dropout>,
}

impl Pass<'_> {
    pub(super) fn drop(&self, x: Tensor, layer: usize, place: &str) -> Result<Tensor> {
        match &self.dropout {
            Some(dropout) => dropout.forward(&x, layer, place),
            None => Ok(x),
        }
    }
}

/// Tokens that a cache makes room for at once.
const CACHED: usize = 256;

/// One transformer block: attention moves information between tokens, the FFN works on each by itself.
pub struct Block {
    attention_norm: Norm,
    attention: Attention,
    pub(super) ffn_norm: Norm,
    pub(super) ffn: Ffn,
}

impl Block {
    fn new(parts: &Parts, of: &BlockParams) -> Result<Block> {
        Ok(Block {
            attention_norm: parts.norm(of.attention_norm)?,
            attention: Attention::new(parts, of)?,
            ffn_norm: parts.norm(of.ffn_norm)?,
            ffn: Ffn::new(parts, of)?,
        })
    }

    /// (B, T, C) -> (B, T, C)
    fn forward(&self, x: &Tensor, layer: usize, at: &Positions, pass: &mut Pass) -> Result<Tensor> {
        let x = self.attend(x, layer, at, pass)?;
        let transformed = self.ffn.forward(&self.ffn_norm.forward(&x)?)?;
        x + pass.drop(transformed, layer, "ffn")?
    }

    /// The first half: x + attention(norm(x)), (B, T, C) -> (B, T, C).
    pub(super) fn attend(&self, x: &Tensor, layer: usize, at: &Positions, pass: &mut Pass) -> Result<Tensor> {
        let normed = self.attention_norm.forward(x)?;
        let cache = pass.caches.as_mut().map(|caches| &mut caches[layer]);
        let attended = self.attention.forward(&normed, at, cache)?;
        x + pass.drop(attended, layer, "attention")?
    }
}

/// A decoder-only transformer.
pub struct Gpt {
    pub config: ModelConfig,
    embedding: Embedding,
    /// (context, C), where positions are learned.
    position_embedding: Option<Tensor>,
    rope: Option<Rope>,
    pub(super) blocks: Vec<Block>,
    norm: Norm,
    head: Linear,
    device: Device,
    dtype: DType,
}

impl Gpt {
    /// The model over tensors that are named and shaped as [`ParamMap`] says.
    ///
    /// # Errors
    /// If a tensor is missing or has another shape.
    pub fn new(config: &ModelConfig, tensors: &Tensors) -> Result<Gpt> {
        let map = ParamMap::new(config);
        let parts = Parts { config, map: &map, tensors };
        let (device, dtype) = (parts.device().clone(), parts.dtype());
        let rope = match config.backbone {
            Backbone::Llama => Some(Rope::new(config, dtype, &device)?),
            Backbone::Gpt2 => None,
        };
        Ok(Gpt {
            head: parts.linear(map.head)?,
            embedding: parts.embedding()?,
            position_embedding: map.positions.map(|table| parts.tensor(table)).transpose()?,
            rope,
            blocks: map.blocks.iter().map(|block| Block::new(&parts, block)).collect::<Result<_>>()?,
            norm: parts.norm(map.norm)?,
            config: config.clone(),
            device,
            dtype,
        })
    }

    pub fn device(&self) -> &Device {
        &self.device
    }

    pub fn dtype(&self) -> DType {
        self.dtype
    }

    /// Empty caches, one per layer.
    pub fn caches(&self) -> Vec<KvCache> {
        vec![KvCache::new(2, CACHED.min(self.config.context)); self.config.layers]
    }

    /// Token ids (B, T) -> logits (B T, V).
    ///
    /// # Errors
    /// If the tokens, with those already in the cache, exceed the context.
    pub fn forward(&self, ids: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        self.unembed(&self.stream(ids, pass)?.flatten_to(1)?)
    }

    /// Token ids (B, T) -> the residual stream after the last block, (B, T, C).
    ///
    /// # Errors
    /// Those of [`Gpt::forward`].
    pub(super) fn stream(&self, ids: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        let (mut x, at) = self.embed(ids, pass)?;
        for (layer, block) in self.blocks.iter().enumerate() {
            x = block.forward(&x, layer, &at, pass)?;
            if !pass.learning {
                x = x.detach();
            }
        }
        Ok(x)
    }

    /// Token ids (B, T) -> the residual stream before the first block, (B, T, C), and where the tokens stand.
    pub(super) fn embed(&self, ids: &Tensor, pass: &Pass) -> Result<(Tensor, Positions)> {
        let tokens = ids.dims2()?.1;
        let start = pass.caches.as_ref().map_or(0, |caches| caches[0].current_seq_len());
        if start + tokens > self.config.context {
            candle_core::bail!("{} tokens exceed the context of {}", start + tokens, self.config.context);
        }
        let mut x = self.embedding.forward(ids)?; // (B, T, C)
        if let Some(table) = &self.position_embedding {
            x = x.broadcast_add(&table.narrow(0, start, tokens)?)?;
        }
        let at = Positions::new(start, tokens, self.rope.as_ref(), (self.dtype(), self.device()))?;
        Ok((pass.drop(x, 0, "embedding")?, at))
    }

    /// What the residual stream says about the next token: (N, C) -> logits (N, V).
    pub fn unembed(&self, x: &Tensor) -> Result<Tensor> {
        self.head.forward(&self.norm.forward(x)?)
    }

    /// The FFN of each block.
    pub fn ffns(&self) -> impl Iterator<Item = &Ffn> {
        self.blocks.iter().map(|block| &block.ffn)
    }

    /// Negative log-likelihood of each target in nats: ids and targets (B, T) -> (B T).
    pub fn token_losses(&self, ids: &Tensor, targets: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        ops::token_losses(&self.forward(ids, pass)?, &targets.flatten_all()?)
    }
}
