//! Learning from a batch: forward, loss and backward, a group of sequences after the other, each in two
//! halves.
//!
//! The halves share nothing that is written. So one core takes one of them through the whole pass, and finds
//! in its own cache what it wrote a phase before; with more cores each half has its phases' tasks.

use super::forward::FusedPass;
use super::head;
use super::weight_gradients::Sums;
use super::workspace::{Gradient, Kept, PassShape, TOKENS_TOGETHER};
use crate::model::kernels::add;
use crate::settings::ModelConfig;
use rayon::prelude::*;

/// Sequences of ids, one after the other, the ids that follow, and where their losses go.
pub struct Examples<'a> {
    /// The batch's row that these begin with.
    pub first_row: usize,
    pub ids: &'a [u32],
    pub targets: &'a [u32],
    pub losses: &'a mut [f32],
}

impl<'a> Examples<'a> {
    /// The first `rows` rows, or all where there are fewer, and the others.
    fn split(self, rows: usize) -> (Examples<'a>, Examples<'a>) {
        let rows = rows.min(self.ids.len());
        let (ids, other_ids) = self.ids.split_at(rows);
        let (targets, other_targets) = self.targets.split_at(rows);
        let (losses, other_losses) = self.losses.split_at_mut(rows);
        let first_row = self.first_row + rows;
        let others = Examples { first_row, ids: other_ids, targets: other_targets, losses: other_losses };
        (Examples { first_row: self.first_row, ids, targets, losses }, others)
    }
}

/// The buffers of both halves.
#[derive(Default)]
pub struct Learning {
    halves: [Half; 2],
    /// What the second half adds its gradients to: all 0 between two batches.
    second_sums: Vec<Vec<f32>>,
}

#[derive(Default)]
struct Half {
    kept: Kept,
    gradient: Gradient,
}

/// Elements of a gradient that one task adds.
const SHARD: usize = 32 * 1024;

/// Sequences of a group: as many in each half.
fn sequences_of_group(tokens: usize) -> usize {
    2 * (TOKENS_TOGETHER / 2 / tokens).max(1)
}

/// Values that the buffers hold, the second half's sums of gradients aside.
pub fn values(config: &ModelConfig, batch_size: usize) -> usize {
    let sequences = batch_size.min(sequences_of_group(config.context));
    let half = PassShape { sequences: sequences.div_ceil(2), tokens: config.context, first_row: 0 };
    let width = Kept::width(config, config.layers) + Gradient::width(config);
    let logits = head::slab_rows(config, half) * config.vocab_size;
    sequences * config.context * width + sequences.min(2) * logits
}

impl Learning {
    /// Adds the gradients of the examples' mean loss to `sums`. `pass` makes that of a half, given its shape.
    pub fn add_gradients<'a>(
        &mut self,
        pass: impl Fn(PassShape) -> FusedPass<'a> + Sync,
        examples: Examples,
        tokens: usize,
        sums: &mut [Vec<f32>],
    ) {
        let scale = 1.0 / examples.ids.len() as f32;
        let Learning { halves: [one, two], second_sums } = self;
        second_sums.resize_with(sums.len(), Vec::new);
        for (second, sum) in second_sums.iter_mut().zip(sums.iter()) {
            second.resize(sum.len(), 0.0);
        }
        let mut left = examples;
        while !left.ids.is_empty() {
            let (group, others) = left.split(tokens * sequences_of_group(tokens));
            let sequences = group.ids.len() / tokens;
            let (first, second) = group.split(sequences.div_ceil(2) * tokens);
            let learn = |half: &mut Half, examples: Examples, sums: &mut [Vec<f32>]| {
                let (sequences, first_row) = (examples.ids.len() / tokens, examples.first_row);
                if sequences > 0 {
                    half.learn(pass(PassShape { sequences, tokens, first_row }), examples, scale, sums);
                }
            };
            rayon::join(|| learn(one, first, sums), || learn(two, second, second_sums));
            left = others;
        }
        let both = sums.iter_mut().zip(second_sums);
        let shards: Vec<_> =
            both.flat_map(|(sum, second)| sum.chunks_mut(SHARD).zip(second.chunks_mut(SHARD))).collect();
        shards.into_par_iter().for_each(|(sum, second)| {
            add(sum, second);
            second.fill(0.0);
        });
    }
}

impl Half {
    fn learn(&mut self, pass: FusedPass, examples: Examples, scale: f32, sums: &mut [Vec<f32>]) {
        let Half { kept, gradient } = self;
        let Examples { ids, targets, losses, .. } = examples;
        let (config, sums) = (pass.config, &mut Sums::new(sums));
        kept.resize(config, pass.shape.rows(), config.layers);
        gradient.resize(config, pass.shape, pass.dropout.is_some());
        pass.forward(ids, kept);
        pass.losses_and_gradients(&kept.x[config.layers], targets, scale, losses, gradient, sums);
        pass.backward(kept, gradient, sums);
        pass.embed_backward(ids, gradient, sums);
    }
}
