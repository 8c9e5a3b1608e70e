//! The choice between the composition and the kernels, for all that needs no gradients. Learning
//! chooses in `train::learner`.

use super::attention::Cache;
use super::fused::{self, Exact};
use super::gpt::{Gpt, Pass};
use candle_core::{Result, Tensor};

/// What a model has read: keys and values of every layer.
pub enum Memory {
    Composed(Vec<Cache>),
    Fused(fused::Cache),
}

impl Memory {
    /// Tokens held.
    pub fn len(&self) -> usize {
        match self {
            Memory::Composed(caches) => caches[0].len(),
            Memory::Fused(cache) => cache.len(),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

impl Gpt {
    /// Negative log-likelihood of each target in nats, by the kernels or by the composition: ids and
    /// targets are sequences of `tokens` tokens, one after the other.
    pub fn losses(&self, ids: &[u32], targets: &[u32], tokens: usize) -> Result<Vec<f32>> {
        if let Some(fused) = self.fused() {
            return fused.losses(&self.params, ids, targets, tokens);
        }
        let shape = (ids.len() / tokens, tokens);
        let tensor = |ids| Tensor::from_slice(ids, shape, self.device());
        self.token_losses(&tensor(ids)?, &tensor(targets)?, &mut Pass::default())?.to_vec1()
    }

    /// Nothing read yet.
    pub fn memory(&self) -> Memory {
        match self.fused() {
            Some(_) => Memory::Fused(fused::Cache::new(&self.config)),
            None => Memory::Composed(self.caches()),
        }
    }

    /// Reads tokens after those in memory, by the kernels or by the composition; returns the logits
    /// (V) after the last of them, as exact as is asked.
    ///
    /// # Errors
    /// If the tokens, with those read already, exceed the context.
    pub fn read(&self, ids: &[u32], memory: &mut Memory, exact: Exact) -> Result<Vec<f32>> {
        match (memory, self.fused()) {
            (Memory::Fused(cache), Some(fused)) => fused.read(&self.params, ids, cache, exact),
            (Memory::Composed(caches), _) => {
                let ids = Tensor::new(ids, self.device())?.unsqueeze(0)?;
                let mut pass = Pass { caches: Some(caches), ..Pass::default() };
                let logits = self.forward(&ids, &mut pass)?; // (T, V)
                logits.get(logits.dims()[0] - 1)?.to_vec1()
            }
            (Memory::Fused(_), None) => candle_core::bail!("the memory is another model's"),
        }
    }
}
