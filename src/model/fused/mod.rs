//! The model by fused kernels: the same function as the reference, its backward pass written out.
//!
//! A pass works on slices of f32. Between attentions everything is a function of one row, so that a
//! task takes some rows through all of it while they are in its core's cache; attention is a
//! function of one sequence and head. Tasks are cut by shape, never by the number of threads: the same
//! input gives the same bits whatever computes it.

mod backward;
mod decode;
mod forward;
mod head;
mod learning;
mod linear;
mod tiles;
mod values;
mod weight_gradients;
mod workspace;

use super::dropout::Dropout;
use super::params::Params;
use crate::model::kernels::rope::Angles;
use crate::settings::{Backbone, ModelConfig};
use candle_core::Result;
pub use decode::Cache;
use forward::FusedPass;
pub use learning::values;
use learning::{Examples, Learning};
use linear::{Weights, transpose_all};
use std::sync::{Mutex, PoisonError};
pub use values::with_all_values_mut;
use values::with_values;
use workspace::{Kept, PassShape, sequences_together};

/// A model, and the buffers that its passes share.
pub struct FusedGpt {
    pub config: ModelConfig,
    params: Params,
    angles: Option<Angles>,
    workspace: Mutex<Workspace>,
}

#[derive(Default)]
struct Workspace {
    scoring: Kept,
    learning: Learning,
    transposed: Vec<Vec<f32>>,
}

impl FusedGpt {
    /// The model over these parameters, which must be f32 on the CPU.
    pub fn new(config: &ModelConfig, params: Params) -> FusedGpt {
        let angles = match config.backbone {
            Backbone::Llama => Some(Angles::new(config.context, config.head_dim(), config.rope_theta)),
            Backbone::Gpt2 => None,
        };
        FusedGpt { config: config.clone(), params, angles, workspace: Mutex::default() }
    }

    pub fn params(&self) -> &Params {
        &self.params
    }

    /// A cache with room for a whole context, empty.
    pub fn cache(&self) -> Cache {
        Cache::new(&self.config)
    }

    /// Negative log-likelihood of each target in nats: ids and targets are sequences of `tokens`
    /// tokens, one after the other.
    ///
    /// # Errors
    /// If an id isn't below the vocabulary, or `tokens` exceeds the context.
    pub fn losses(&self, ids: &[u32], targets: &[u32], tokens: usize) -> Result<Vec<f32>> {
        self.check(ids, tokens)?;
        self.check(targets, tokens)?;
        let mut losses = vec![0.0; ids.len()];
        with_values(&self.params.vars, |values| {
            let workspace = &mut *self.workspace.lock().unwrap_or_else(PoisonError::into_inner);
            let Workspace { scoring: kept, transposed, .. } = workspace;
            transpose_all(&self.params.map, values, transposed);
            let weights = Weights { values, transposed };
            let group = tokens * sequences_together(tokens);
            let groups = ids.chunks(group).zip(targets.chunks(group)).zip(losses.chunks_mut(group));
            for ((ids, targets), losses) in groups {
                let shape = PassShape { sequences: ids.len() / tokens, tokens, first_row: 0 };
                kept.resize(&self.config, shape.rows(), 1);
                let pass = self.pass(weights, shape, None);
                pass.forward(ids, kept);
                pass.losses(&kept.x[self.config.layers % kept.x.len()], targets, losses);
            }
        })?;
        Ok(losses)
    }

    /// Adds the gradients of the mean loss of a batch to `sums`, which has a slice for each
    /// parameter, and returns that loss in nats per token.
    ///
    /// # Errors
    /// If an id isn't below the vocabulary, or `tokens` exceeds the context.
    pub fn add_gradients(
        &self,
        (ids, targets): (&[u32], &[u32]),
        tokens: usize,
        dropout: Option<Dropout>,
        sums: &mut [Vec<f32>],
    ) -> Result<f64> {
        self.check(ids, tokens)?;
        self.check(targets, tokens)?;
        let dropout = dropout.filter(|dropout| dropout.rate > 0.0);
        let mut losses = vec![0.0; ids.len()];
        with_values(&self.params.vars, |values| {
            let workspace = &mut *self.workspace.lock().unwrap_or_else(PoisonError::into_inner);
            let Workspace { learning, transposed, .. } = workspace;
            transpose_all(&self.params.map, values, transposed);
            let weights = Weights { values, transposed };
            let examples = Examples { first_row: 0, ids, targets, losses: &mut losses };
            learning.add_gradients(|shape| self.pass(weights, shape, dropout), examples, tokens, sums);
        })?;
        Ok(losses.iter().map(|loss| f64::from(*loss)).sum::<f64>() / losses.len() as f64)
    }

    /// Reads tokens after those in the cache; returns the logits (V) after the last of them, as
    /// exact as asked.
    ///
    /// # Errors
    /// If an id isn't below the vocabulary, or more tokens are held than the context.
    pub fn read(&self, ids: &[u32], cache: &mut Cache) -> Result<Vec<f32>> {
        self.check(ids, cache.len() + ids.len())?;
        let prompt = cache.len() == 0 && ids.len() > 1;
        let shape = PassShape { sequences: 1, tokens: if prompt { ids.len() } else { 1 }, first_row: 0 };
        with_values(&self.params.vars, |values| {
            let pass = self.pass(Weights { values, transposed: &[] }, shape, None);
            if prompt {
                let mut kept = Kept::default();
                kept.resize(&self.config, shape.rows(), self.config.layers);
                return pass.prefill(ids, &mut kept, cache);
            }
            ids.iter().map(|id| pass.read(*id, cache)).last().unwrap_or_default()
        })
    }

    fn pass<'a>(&'a self, weights: Weights<'a>, shape: PassShape, dropout: Option<Dropout>) -> FusedPass<'a> {
        let FusedGpt { config, params, angles, .. } = self;
        FusedPass { config, map: &params.map, weights, angles: angles.as_ref(), shape, dropout }
    }

    /// Refuses ids outside the vocabulary, and sequences of more `tokens` than the context.
    fn check(&self, ids: &[u32], tokens: usize) -> Result<()> {
        let ModelConfig { vocab_size, context, .. } = self.config;
        if tokens > context {
            candle_core::bail!("{tokens} tokens exceed the context of {context}");
        }
        match ids.iter().find(|id| **id as usize >= vocab_size) {
            Some(id) => candle_core::bail!("token {id} is not below the vocabulary of {vocab_size}"),
            None => Ok(()),
        }
    }
}
