//! Reading tokens to predict the next one.

use super::attention::KvCache;
use super::fused::{Cache, FusedGpt};
use super::gpt::{Gpt, Pass};
use candle_core::{Result, Tensor};
use std::sync::Arc;

/// A model with the keys and values of what it has read so far.
pub struct Decoder(State);

enum State {
    Candle(Arc<Gpt>, Vec<KvCache>),
    Fused(Arc<FusedGpt>, Cache),
}

impl Decoder {
    pub(super) fn of_candle(model: Arc<Gpt>) -> Decoder {
        let caches = model.caches();
        Decoder(State::Candle(model, caches))
    }

    pub(super) fn of_fused(model: Arc<FusedGpt>) -> Decoder {
        let cache = model.cache();
        Decoder(State::Fused(model, cache))
    }

    /// Tokens read.
    pub fn len(&self) -> usize {
        match &self.0 {
            State::Candle(_, caches) => caches[0].len(),
            State::Fused(_, cache) => cache.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Forgets everything read.
    pub fn clear(&mut self) {
        match &mut self.0 {
            State::Candle(model, caches) => *caches = model.caches(),
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
                let logits = model.forward(&ids, &mut Pass { caches: Some(caches), ..Pass::default() })?; // (T, V)
                logits.get(logits.dims()[0] - 1)?.to_vec1()
            }
        }
    }
}
