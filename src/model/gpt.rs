//! The whole model: embedding, blocks, final norm, output head.

use super::attention::{Attention, Cache};
use super::dropout::Dropout;
use super::ffn::Ffn;
use super::fused::Fused;
use super::norm::Norm;
use super::ops;
use super::params::Params;
use super::rope::Rope;
use crate::settings::{Backbone, ModelConfig, Ops};
use candle_core::{DType, Device, Result, Tensor};

/// A place in the forward pass that an observer can look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Site {
    /// The residual stream that the FFN adds to, (N, C).
    Residual,
    /// What the FFN reads, (N, C).
    FfnInput,
    /// The argument of the activation, (N, F).
    PreActivation,
    /// What the down projection reads, (N, F).
    FfnHidden,
    /// What the FFN adds to the residual stream, (N, C).
    FfnOutput,
}

/// Called with (site, layer, values).
pub type Observer<'a> = &'a mut dyn FnMut(Site, usize, &Tensor);

/// What one forward pass does besides computing logits.
#[derive(Default)]
pub struct Pass<'a> {
    /// One cache per layer: the tokens given are the ones after those held.
    pub caches: Option<&'a mut [Cache]>,
    /// Keep what a backward pass needs.
    pub learning: bool,
    /// Used while training.
    pub dropout: Option<Dropout>,
    pub observer: Option<Observer<'a>>,
}

impl Pass<'_> {
    pub fn observe(&mut self, site: Site, layer: usize, x: &Tensor) {
        if let Some(observer) = &mut self.observer {
            observer(site, layer, x);
        }
    }

    fn drop(&self, x: Tensor, layer: usize, site: &str) -> Result<Tensor> {
        match &self.dropout {
            Some(dropout) => dropout.forward(&x, layer, site),
            None => Ok(x),
        }
    }
}

struct Block {
    attention_norm: Norm,
    attention: Attention,
    ffn_norm: Norm,
    ffn: Ffn,
}

impl Block {
    /// (B T, C) -> (B T, C): attention moves information between tokens, the FFN works on each.
    fn forward(
        &self,
        x: &Tensor,
        layer: usize,
        model: &Gpt,
        shape: Shape,
        mask: Option<&Tensor>,
        pass: &mut Pass,
    ) -> Result<Tensor> {
        let cache = pass.caches.as_mut().map(|caches| &mut caches[layer]);
        let normed = self.attention_norm.forward(x)?;
        let attended = self.attention.forward(&normed, shape.batch, model.rope.as_ref(), mask, cache)?;
        let x = (x + pass.drop(attended, layer, "attention")?)?;
        pass.observe(Site::Residual, layer, &x);
        let transformed = self.ffn.forward(&self.ffn_norm.forward(&x)?, layer, pass)?;
        x + pass.drop(transformed, layer, "ffn")?
    }
}

/// How many sequences and tokens a forward pass gets, and where the tokens stand.
#[derive(Clone, Copy)]
struct Shape {
    batch: usize,
    tokens: usize,
    start: usize,
}

/// A decoder-only transformer.
pub struct Gpt {
    pub config: ModelConfig,
    pub params: Params,
    embedding: Tensor,
    positions: Option<Tensor>,
    rope: Option<Rope>,
    blocks: Vec<Block>,
    norm: Norm,
    /// The unembedding, (V, C).
    pub head: Tensor,
    fused: Option<Fused>,
}

impl Gpt {
    /// The model over these parameters, computing in their number format.
    pub fn new(config: ModelConfig, params: Params, device: &Device, ops: Ops) -> Result<Gpt> {
        let dtype = params.vars[0].dtype();
        let by_kernels = ops == Ops::Fused && dtype == DType::F32 && device.is_cpu();
        let (embedding, positions, rope) = match config.backbone {
            Backbone::Llama => {
                (params.get("model.embed_tokens.weight")?, None, Some(Rope::new(&config, dtype, device)?))
            }
            Backbone::Gpt2 => {
                (params.get("transformer.wte.weight")?, Some(params.get("transformer.wpe.weight")?), None)
            }
        };
        let norm = |layer: Option<usize>, llama: &str, gpt2: &str| {
            let name = match (config.backbone, layer) {
                (Backbone::Llama, Some(layer)) => format!("model.layers.{layer}.{llama}"),
                (Backbone::Llama, None) => format!("model.{llama}"),
                (Backbone::Gpt2, Some(layer)) => format!("transformer.h.{layer}.{gpt2}"),
                (Backbone::Gpt2, None) => format!("transformer.{gpt2}"),
            };
            Norm::new(&params, &name, &config)
        };
        let blocks = (0..config.layers)
            .map(|layer| {
                Ok(Block {
                    attention_norm: norm(Some(layer), "input_layernorm", "ln_1")?,
                    attention: Attention::new(&params, layer, &config)?,
                    ffn_norm: norm(Some(layer), "post_attention_layernorm", "ln_2")?,
                    ffn: Ffn::new(&params, layer, &config)?,
                })
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Gpt {
            norm: norm(None, "norm", "ln_f")?,
            head: if config.tied { embedding.clone() } else { params.get("lm_head.weight")? },
            fused: by_kernels.then(|| Fused::new(&config)),
            embedding,
            positions,
            rope,
            blocks,
            config,
            params,
        })
    }

    pub fn device(&self) -> &Device {
        self.embedding.device()
    }

    /// Empty caches, one per layer.
    pub fn caches(&self) -> Vec<Cache> {
        vec![Cache::default(); self.config.layers]
    }

    /// The kernels that compute the same, where `--ops fused` asks for them and they can.
    pub fn fused(&self) -> Option<&Fused> {
        self.fused.as_ref()
    }

    /// Token ids (B, T) -> logits (B T, V).
    ///
    /// # Errors
    /// If the tokens, with those already in the cache, exceed the context.
    pub fn forward(&self, ids: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        let (batch, tokens) = ids.dims2()?;
        let start = pass.caches.as_ref().map_or(0, |caches| caches[0].len());
        let shape = Shape { batch, tokens, start };
        if start + tokens > self.config.context {
            candle_core::bail!("{} tokens exceed the context of {}", start + tokens, self.config.context);
        }
        let mut x = self.embedding.index_select(&ids.flatten_all()?, 0)?; // (B T, C)
        if let Some(positions) = &self.positions {
            let here = positions.narrow(0, start, tokens)?; // (T, C)
            x = x.reshape((batch, tokens, self.config.dim))?.broadcast_add(&here)?.flatten_to(1)?;
        }
        x = pass.drop(x, 0, "embedding")?;
        let mask = self.mask(shape)?;
        for (layer, block) in self.blocks.iter().enumerate() {
            x = block.forward(&x, layer, self, shape, mask.as_ref(), pass)?;
            if !pass.learning {
                x = x.detach();
            }
        }
        self.unembed(&x)
    }

    /// What the residual stream says about the next token: (N, C) -> logits (N, V).
    pub fn unembed(&self, x: &Tensor) -> Result<Tensor> {
        self.norm.forward(x)?.matmul(&self.head.t()?)
    }

    /// Negative log-likelihood of each target in nats: ids and targets (B, T) -> (B T).
    pub fn token_losses(&self, ids: &Tensor, targets: &Tensor, pass: &mut Pass) -> Result<Tensor> {
        ops::token_losses(&self.forward(ids, pass)?, &targets.flatten_all()?)
    }

    /// (T, S): 0 where token t may see token s, else -infinity; none where a single token may see
    /// everything before it.
    fn mask(&self, shape: Shape) -> Result<Option<Tensor>> {
        if shape.tokens == 1 {
            return Ok(None);
        }
        let keys = shape.start + shape.tokens;
        let row = |t: usize| (0..keys).map(move |s| if s <= t { 0.0 } else { f32::NEG_INFINITY });
        let mask: Vec<f32> = (shape.start..keys).flat_map(row).collect();
        let mask = Tensor::from_vec(mask, (shape.tokens, keys), self.device())?;
        mask.to_dtype(self.embedding.dtype()).map(Some)
    }
}
