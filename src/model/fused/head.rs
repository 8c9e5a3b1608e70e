//! The final norm, the output head and the loss, a slab of rows at a time so that no vocabulary is
//! too large: logits are never all kept.

use super::forward::FusedPass;
use super::tiles::Tiling;
use super::weight_gradients::{Product, Sums};
use super::workspace::{Gradient, PassShape};
use crate::model::kernels::matmul::{Accumulate, Matrix};
use crate::model::kernels::scratch::Scratch;
use crate::model::kernels::{loss, norm};
use crate::settings::ModelConfig;
use rayon::prelude::*;

/// Logits kept at a time: 64 MB, and as much again for the other half of a batch.
const SLAB: usize = 16 << 20;

/// One task of the backward pass.
struct Task<'a> {
    x: &'a [f32],
    targets: &'a [u32],
    normed: &'a mut [f32],
    logits: &'a mut [f32],
    dx: &'a mut [f32],
    d_norm: &'a mut [f32],
    losses: &'a mut [f32],
}

/// Rows of one task: no more than a thread's share of a slab.
fn tile_rows(config: &ModelConfig, shape: PassShape) -> usize {
    (SLAB / 8 / config.vocab_size).clamp(1, shape.tiling().tile_rows)
}

/// Rows whose logits are kept together: whole tiles.
pub fn slab_rows(config: &ModelConfig, shape: PassShape) -> usize {
    let rows = tile_rows(config, shape);
    (SLAB / config.vocab_size / rows * rows).clamp(rows, shape.rows().next_multiple_of(rows))
}

impl FusedPass<'_> {
    fn logits(&self, x: &[f32], normed: &mut [f32], logits: &mut [f32]) {
        norm::forward(self.map.norm.of(self.weights, self.config.norm_eps), x, normed);
        self.map.head.forward(self.weights, normed, logits, self.config.vocab_size);
    }

    /// Negative log-likelihoods (N) of targets (N) after the last residual stream x (N, C).
    pub fn losses(&self, x: &[f32], targets: &[u32], losses: &mut [f32]) {
        let tiling = Tiling { rows: self.shape.rows(), tile_rows: tile_rows(self.config, self.shape) };
        let (x, targets) = (tiling.read(x, self.config.dim), tiling.read(targets, 1));
        let mut losses = tiling.write(losses, 1);
        let tasks: Vec<_> = tiling.tiles().map(|tile| (tile, losses.next(tile))).collect();
        tasks.into_par_iter().for_each(|(tile, losses)| {
            let x = x.of(tile);
            let mut logits = Scratch::new(tile.rows * self.config.vocab_size);
            self.logits(x, &mut Scratch::new(x.len()), &mut logits);
            loss::forward(&logits, targets.of(tile), losses);
        });
    }

    /// [`FusedPass::losses`] with the gradients of `scale` times their sum: of x into `to.dx`, of the parameters
    /// into `sums`.
    pub fn losses_and_gradients(
        &self,
        x: &[f32],
        targets: &[u32],
        scale: f32,
        losses: &mut [f32],
        to: &mut Gradient,
        sums: &mut Sums,
    ) {
        let (dim, vocab) = (self.config.dim, self.config.vocab_size);
        let tile_rows = tile_rows(self.config, self.shape);
        let slabs = Tiling { rows: self.shape.rows(), tile_rows: slab_rows(self.config, self.shape) };
        to.logits.resize(slabs.tile_rows.min(slabs.rows) * vocab, 0.0);
        to.d_norm.resize(slabs.rows.div_ceil(tile_rows) * 2 * dim, 0.0);
        let Gradient { logits, dx, ffn_normed: normed, d_norm, .. } = to;
        let (x, targets) = (slabs.read(x, dim), slabs.read(targets, 1));
        let (mut losses, mut normed, mut dx) =
            (slabs.write(losses, 1), slabs.write(normed, dim), slabs.write(dx, dim));
        let mut d_norms = d_norm.chunks_mut(slabs.tile_rows / tile_rows * 2 * dim);
        for slab in slabs.tiles() {
            let tiling = Tiling { rows: slab.rows, tile_rows };
            let logits = &mut logits[..slab.rows * vocab];
            let normed = normed.next(slab);
            let (x, targets) = (tiling.read(x.of(slab), dim), tiling.read(targets.of(slab), 1));
            let mut normed_tiles = tiling.write(normed, dim);
            let mut logit_tiles = tiling.write(logits, vocab);
            let mut dx = tiling.write(dx.next(slab), dim);
            let mut d_norm = tiling.write_tiles(d_norms.next().expect("a slab has its sums"), 2 * dim);
            let mut losses = tiling.write(losses.next(slab), 1);
            let task = |tile| Task {
                x: x.of(tile),
                targets: targets.of(tile),
                normed: normed_tiles.next(tile),
                logits: logit_tiles.next(tile),
                dx: dx.next(tile),
                d_norm: d_norm.next(),
                losses: losses.next(tile),
            };
            let tasks: Vec<Task> = tiling.tiles().map(task).collect();
            tasks.into_par_iter().for_each(|task| self.head_task(scale, task));
            let dy = Matrix::new(logits, slab.rows, vocab);
            sums.add_products(&[Product::new(self.map.head, normed, dy)]);
        }
        sums.add_norm(self.map.norm, d_norm);
        to.d_norm.resize(self.shape.tiling().count() * 2 * dim, 0.0);
    }

    fn head_task(&self, scale: f32, task: Task) {
        let Task { x, targets, normed, logits, dx, d_norm, losses } = task;
        self.logits(x, normed, logits);
        loss::forward_and_backward(logits, targets, scale, losses);
        let mut d_normed = Scratch::new(x.len());
        let d_logits = Matrix::new(logits, targets.len(), self.config.vocab_size);
        self.map.head.backward(self.weights, d_logits, &mut d_normed, Accumulate::Overwrite);
        let norm = self.map.norm.of(self.weights, self.config.norm_eps);
        let mut nothing = Scratch::new(x.len());
        nothing.fill(0.0);
        self.norm_backward(norm, x, &d_normed, &nothing, dx, d_norm);
    }
}
