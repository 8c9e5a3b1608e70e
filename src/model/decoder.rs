//! Reading tokens to predict the next one.

use super::fused::{Cache, FusedGpt};
use super::gpt::{Gpt, Pass};
use crate::settings::ModelConfig;
use candle_core::{Result, Tensor};
use candle_nn::kv_cache::KvCache;
use std::sync::Arc;

/// A model with the keys and values of what it has read so far.
pub struct Decoder(State);

enum State {
    Candle(Arc<Gpt>, Vec<KvCache>),
    Fused(Arc<FusedGpt>, Cache),
}

impl Decoder {
    pub fn of_candle(model: Arc<Gpt>) -> Decoder {
        let caches = model.caches();
        Decoder(State::Candle(model, caches))
    }

    pub(super) fn of_fused(model: Arc<FusedGpt>) -> Decoder {
        let cache = model.cache();
        Decoder(State::Fused(model, cache))
    }

    /// What the model is.
    pub fn config(&self) -> &ModelConfig {
        match &self.0 {
            State::Candle(model, _) => &model.config,
            State::Fused(model, _) => &model.config,
        }
    }

    /// Tokens read.
    pub fn len(&self) -> usize {
        match &self.0 {
            State::Candle(_, caches) => caches[0].current_seq_len(),
            State::Fused(_, cache) => cache.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets everything read.
    pub fn clear(&mut self) {
        match &mut self.0 {
            State::Candle(_, caches) => caches.iter_mut().for_each(KvCache::reset),
            State::Fused(_, cache) => cache.clear(),
        }
    }

    /// Reads more tokens; returns the logits (V) after the last of them.
    ///
    /// # Errors
    /// If the tokens, with those read already, exceed the context, or an id isn't below the vocabulary.
    pub fn read(&mut self, ids: &[u32]) -> Result<Vec<f32>> {
        match &mut self.0 {
            State::Fused(model, cache) => model.read(ids, cache),
            State::Candle(model, caches) => {
                let ids = Tensor::new(ids, model.device())?.unsqueeze(0)?;
                let x = model.stream(&ids, &mut Pass { caches: Some(caches), ..Pass::default() })?; // (1, T, C)
                model.unembed(&x.narrow(1, x.dims()[1] - 1, 1)?.flatten_to(1)?)?.get(0)?.to_vec1()
            }
        }
    }
}
