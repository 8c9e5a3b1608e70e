//! The model by kernels: the same function as the composition, its backward pass written out.
//!
//! A pass works on slices of f32. Between attentions everything is a function of one row, so that a
//! task takes some rows through all of it while they are in its core's cache; attention is a
//! function of one sequence and head. Tasks are cut by shape, never by the number of threads: the same
//! input gives the same bits whatever computes it.

mod backward;
mod decode;
mod forward;
mod head;
mod layout;
mod learning;
mod values;
mod weight_gradients;
mod workspace;

use super::dropout::Dropout;
use super::params::Params;
use crate::kernels::rope::Angles;
use crate::settings::{Backbone, ModelConfig};
use candle_core::Result;
pub use decode::{Cache, Exact};
use forward::Context;
use layout::{Layout, Weights};
use learning::{Examples, Learning};
use std::sync::{Mutex, PoisonError};
pub use values::with_all_values_mut;
use values::with_values;
use workspace::{Kept, Shape};

/// Tokens that go through the model together, or two sequences if these are more. The others follow, one group of
/// sequences after the other, so that a large batch needs no more memory.
const TOKENS_TOGETHER: usize = 1536;

/// Sequences of `tokens` tokens that go through the model together.
fn sequences_together(tokens: usize) -> usize {
    (TOKENS_TOGETHER / tokens).max(1)
}

/// Values that the buffers of a training step hold.
pub fn values(config: &ModelConfig, batch_size: usize) -> usize {
    learning::values(config, batch_size)
}

/// A model's shape and the buffers that its passes share.
pub struct Fused {
    config: ModelConfig,
    layout: Layout,
    angles: Option<Angles>,
    workspace: Mutex<Workspace>,
}

#[derive(Default)]
struct Workspace {
    scoring: Kept,
    learning: Learning,
    turned: Vec<Vec<f32>>,
}

impl Fused {
    pub fn new(config: &ModelConfig) -> Fused {
        let angles = match config.backbone {
            Backbone::Llama => Some(Angles::new(config.context, config.head_dim(), config.rope_theta)),
            Backbone::Gpt2 => None,
        };
        Fused { config: config.clone(), layout: Layout::new(config), angles, workspace: Mutex::default() }
    }

    /// Negative log-likelihood of each target in nats: ids and targets are sequences of `tokens`
    /// tokens, one after the other.
    ///
    /// # Errors
    /// If an id is not below the vocabulary.
    pub fn losses(&self, params: &Params, ids: &[u32], targets: &[u32], tokens: usize) -> Result<Vec<f32>> {
        self.check_ids(ids)?;
        self.check_ids(targets)?;
        let mut losses = vec![0.0; ids.len()];
        with_values(&params.vars, |weights| {
            let workspace = &mut *self.workspace.lock().unwrap_or_else(PoisonError::into_inner);
            let Workspace { scoring: kept, turned, .. } = workspace;
            self.layout.turn(weights, turned);
            let weights = Weights { values: weights, turned };
            let group = tokens * sequences_together(tokens);
            let groups = ids.chunks(group).zip(targets.chunks(group)).zip(losses.chunks_mut(group));
            for ((ids, targets), losses) in groups {
                let shape = Shape { sequences: ids.len() / tokens, tokens, first_row: 0 };
                kept.resize(&self.config, shape.rows(), 1);
                let context = self.context(weights, shape, None);
                context.forward(ids, kept);
                context.losses(&kept.x[self.config.layers % kept.x.len()], targets, losses);
            }
        })?;
        Ok(losses)
    }

    /// Adds the gradients of the mean loss of a batch to `sums`, which has a slice for each
    /// parameter, and returns that loss in nats per token.
    ///
    /// # Errors
    /// If an id is not below the vocabulary.
    pub fn add_gradients(
        &self,
        params: &Params,
        (ids, targets): (&[u32], &[u32]),
        tokens: usize,
        dropout: Option<Dropout>,
        sums: &mut [Vec<f32>],
    ) -> Result<f64> {
        self.check_ids(ids)?;
        self.check_ids(targets)?;
        let dropout = dropout.filter(|dropout| dropout.rate > 0.0);
        let mut losses = vec![0.0; ids.len()];
        with_values(&params.vars, |weights| {
            let workspace = &mut *self.workspace.lock().unwrap_or_else(PoisonError::into_inner);
            let Workspace { learning, turned, .. } = workspace;
            self.layout.turn(weights, turned);
            let weights = Weights { values: weights, turned };
            let examples = Examples { first_row: 0, ids, targets, losses: &mut losses };
            let context = |shape| self.context(weights, shape, dropout);
            learning.add_gradients(context, examples, tokens, sums);
        })?;
        Ok(losses.iter().map(|loss| f64::from(*loss)).sum::<f64>() / losses.len() as f64)
    }

    /// Reads tokens after those in the cache; returns the logits (V) after the last of them, as
    /// exact as is asked.
    ///
    /// # Errors
    /// If an id is not below the vocabulary, or more tokens are held than the context.
    pub fn read(&self, params: &Params, ids: &[u32], cache: &mut Cache, exact: Exact) -> Result<Vec<f32>> {
        self.check_ids(ids)?;
        let (held, context) = (cache.len() + ids.len(), self.config.context);
        if held > context {
            candle_core::bail!("{held} tokens exceed the context of {context}");
        }
        let prompt = cache.len() == 0 && ids.len() > 1;
        let shape = Shape { sequences: 1, tokens: if prompt { ids.len() } else { 1 }, first_row: 0 };
        with_values(&params.vars, |weights| {
            let weights = Weights { values: weights, turned: &[] };
            let context = self.context(weights, shape, None);
            if prompt {
                let mut kept = Kept::default();
                kept.resize(&self.config, shape.rows(), self.config.layers);
                return context.prefill(ids, &mut kept, cache, exact);
            }
            ids.iter().map(|id| context.read(*id, cache, exact)).last().unwrap_or_default()
        })
    }

    fn context<'a>(&'a self, weights: Weights<'a>, shape: Shape, dropout: Option<Dropout>) -> Context<'a> {
        let Fused { config, layout, angles, .. } = self;
        Context { config, layout, weights, angles: angles.as_ref(), shape, dropout }
    }

    fn check_ids(&self, ids: &[u32]) -> Result<()> {
        let vocab = self.config.vocab_size;
        match ids.iter().find(|id| **id as usize >= vocab) {
            Some(id) => candle_core::bail!("token {id} is not below the vocabulary of {vocab}"),
            None => Ok(()),
        }
    }
}
