//! The final norm, the output head and the loss, a slab of rows at a time so that no vocabulary is
//! too large: logits are never all kept.

use super::forward::Context;
use super::weight_gradients::{Gradients, Product};
use super::workspace::{Gradient, Shape};
use crate::kernels::matmul::{Into, Matrix};
use crate::kernels::scratch::Scratch;
use crate::kernels::{loss, norm};
use crate::settings::ModelConfig;
use rayon::prelude::*;

/// Logits kept at a time: 64 MB, and as much again for the other half of a batch.
const SLAB: usize = 16 << 20;

/// The rows of one task of the backward pass.
struct Tile<'a> {
    x: &'a [f32],
    targets: &'a [u32],
    normed: &'a mut [f32],
    logits: &'a mut [f32],
    dx: &'a mut [f32],
    d_norm: &'a mut [f32],
    losses: &'a mut [f32],
}

/// Rows of one task: no more than a thread's share of a slab.
fn tile_rows(config: &ModelConfig, shape: Shape) -> usize {
    (SLAB / 8 / config.vocab_size).clamp(1, shape.tile_rows())
}

/// Rows whose logits are kept together: whole tiles.
pub fn slab_rows(config: &ModelConfig, shape: Shape) -> usize {
    let rows = tile_rows(config, shape);
    (SLAB / config.vocab_size / rows * rows).clamp(rows, shape.rows().next_multiple_of(rows))
}

impl Context<'_> {
    fn logits(&self, x: &[f32], normed: &mut [f32], logits: &mut [f32]) {
        norm::forward(self.layout.norm.of(self.weights, self.config.norm_eps), x, normed);
        self.layout.head.forward(self.weights, normed, logits, self.config.vocab_size);
    }

    /// Negative log-likelihoods (N) of targets (N) after the last residual stream x (N, C).
    pub fn losses(&self, x: &[f32], targets: &[u32], losses: &mut [f32]) {
        let (rows, dim) = (tile_rows(self.config, self.shape), self.config.dim);
        let tasks = losses.par_chunks_mut(rows).zip(targets.par_chunks(rows)).zip(x.par_chunks(rows * dim));
        tasks.for_each(|((losses, targets), x)| {
            let mut logits = Scratch::new(targets.len() * self.config.vocab_size);
            self.logits(x, &mut Scratch::new(x.len()), &mut logits);
            loss::forward(&logits, targets, losses);
        });
    }

    /// The same, with the gradients of `scale` times their sum: of x into `to.dx`, of the parameters
    /// into `sums`.
    pub fn losses_and_gradients(
        &self,
        x: &[f32],
        targets: &[u32],
        scale: f32,
        losses: &mut [f32],
        to: &mut Gradient,
        sums: &mut Gradients,
    ) {
        let (dim, vocab) = (self.config.dim, self.config.vocab_size);
        let rows = tile_rows(self.config, self.shape);
        let slab = slab_rows(self.config, self.shape);
        to.logits.resize(slab.min(self.shape.rows()) * vocab, 0.0);
        to.d_norm.resize(self.shape.rows().div_ceil(rows) * 2 * dim, 0.0);
        let Gradient { logits, dx, ffn_normed: normed, d_norm, .. } = to;
        let slabs = x.chunks(slab * dim).zip(targets.chunks(slab)).zip(losses.chunks_mut(slab));
        let outputs = normed.chunks_mut(slab * dim).zip(dx.chunks_mut(slab * dim));
        let sums_of_slabs = d_norm.chunks_mut(slab / rows * 2 * dim);
        for ((((x, targets), losses), (normed, dx)), d_norm) in slabs.zip(outputs).zip(sums_of_slabs) {
            let logits = &mut logits[..targets.len() * vocab];
            let inputs = x.par_chunks(rows * dim).zip(targets.par_chunks(rows));
            let outputs = normed.par_chunks_mut(rows * dim).zip(logits.par_chunks_mut(rows * vocab));
            let gradients = dx.par_chunks_mut(rows * dim).zip(d_norm.par_chunks_mut(2 * dim));
            inputs.zip(outputs).zip(gradients).zip(losses.par_chunks_mut(rows)).for_each(
                |((((x, targets), (normed, logits)), (dx, d_norm)), losses)| {
                    self.head_tile(scale, Tile { x, targets, normed, logits, dx, d_norm, losses });
                },
            );
            let dy = Matrix::new(logits, targets.len(), vocab);
            sums.add_products(&[Product::new(self.layout.head, normed, dy)]);
        }
        sums.add_norm(self.layout.norm, d_norm);
        to.d_norm.resize(self.shape.tiles() * 2 * dim, 0.0);
    }

    fn head_tile(&self, scale: f32, tile: Tile) {
        let Tile { x, targets, normed, logits, dx, d_norm, losses } = tile;
        self.logits(x, normed, logits);
        loss::forward_and_backward(logits, targets, scale, losses);
        let mut d_normed = Scratch::new(x.len());
        let d_logits = Matrix::new(logits, targets.len(), self.config.vocab_size);
        self.layout.head.backward(self.weights, d_logits, &mut d_normed, Into::Replace);
        let norm = self.layout.norm.of(self.weights, self.config.norm_eps);
        let mut nothing = Scratch::new(x.len());
        nothing.fill(0.0);
        self.norm_backward(norm, x, &d_normed, &nothing, dx, d_norm);
    }
}
