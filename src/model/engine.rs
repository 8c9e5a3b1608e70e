//! A model and what computes it: candle on any device, or the fused kernels for f32 on a CPU.

use super::decoder::Decoder;
use super::fused::FusedGpt;
use super::gpt::{Gpt, Pass};
use super::gradients::Gradients;
use super::params::Params;
use crate::settings::{ModelConfig, Ops};
use candle_core::{DType, Device, Result, Tensor};
use std::sync::Arc;

/// A model with its parameters. What computes it is chosen once, when it is made.
pub struct Model {
    pub config: ModelConfig,
    pub params: Params,
    /// The reference over the same parameters, for looking inside.
    pub gpt: Arc<Gpt>,
    engine: Engine,
}

enum Engine {
    Candle,
    Fused(Arc<FusedGpt>),
}

impl Model {
    /// The model over these parameters, computing on their device and in their number format.
    pub fn new(config: ModelConfig, params: Params, ops: Ops) -> Result<Model> {
        let gpt = Arc::new(Gpt::new(&config, &params.tensors())?);
        let fuses = ops == Ops::Fused && params.dtype() == DType::F32 && params.device().is_cpu();
        let engine = match fuses {
            true => Engine::Fused(Arc::new(FusedGpt::new(&config, params.clone()))),
            false => Engine::Candle,
        };
        Ok(Model { config, params, gpt, engine })
    }

    pub fn device(&self) -> &Device {
        self.params.device()
    }

    /// What computes it.
    pub fn ops(&self) -> Ops {
        match self.engine {
            Engine::Candle => Ops::Plain,
            Engine::Fused(_) => Ops::Fused,
        }
    }

    /// Negative log-likelihood of each target in nats: ids and targets are sequences of `tokens` tokens, one
    /// after the other.
    ///
    /// # Errors
    /// If an id isn't below the vocabulary, or `tokens` exceeds the context.
    pub fn losses(&self, ids: &[u32], targets: &[u32], tokens: usize) -> Result<Vec<f32>> {
        match &self.engine {
            Engine::Fused(fused) => fused.losses(ids, targets, tokens),
            Engine::Candle => {
                let shape = (ids.len() / tokens, tokens);
                let tensor = |ids| Tensor::from_slice(ids, shape, self.device());
                self.gpt.token_losses(&tensor(ids)?, &tensor(targets)?, &mut Pass::default())?.to_vec1()
            }
        }
    }

    /// Sums of gradients, all 0.
    pub fn gradients(&self) -> Gradients {
        match &self.engine {
            Engine::Candle => Gradients::of_candle(Arc::clone(&self.gpt), self.params.clone()),
            Engine::Fused(fused) => Gradients::of_fused(Arc::clone(fused)),
        }
    }

    /// A decoder that has read nothing yet.
    pub fn decoder(&self) -> Decoder {
        match &self.engine {
            Engine::Candle => Decoder::of_candle(Arc::clone(&self.gpt)),
            Engine::Fused(fused) => Decoder::of_fused(Arc::clone(fused)),
        }
    }
}
