//! Causal softmax over attention scores.

use super::lane::exp;
use super::{max, shard_rows, sum};
use multiversion::multiversion;
use rayon::prelude::*;

/// The shape of scores (..., T, S): T queries that stand at the end of S keys.
#[derive(Clone, Copy, Debug)]
pub struct Causal {
    pub queries: usize,
    pub keys: usize,
    /// Multiplies the scores.
    pub scale: f32,
}

impl Causal {
    /// Keys that the query in row `row` may see.
    #[inline(always)]
    fn visible(&self, row: usize) -> usize {
        self.keys - self.queries + row % self.queries + 1
    }
}

/// Each row's softmax over the keys it may see, 0 over the others.
pub fn forward(causal: Causal, scores: &[f32], out: &mut [f32]) {
    let rows = shard_rows(causal.keys);
    let shard = rows * causal.keys;
    let shards = out.par_chunks_mut(shard).zip(scores.par_chunks(shard)).enumerate();
    shards.for_each(|(i, (out, scores))| forward_shard(causal, i * rows, scores, out));
}

#[multiversion(targets = "simd")]
fn forward_shard(causal: Causal, first_row: usize, scores: &[f32], out: &mut [f32]) {
    let rows = scores.chunks_exact(causal.keys).zip(out.chunks_exact_mut(causal.keys));
    for (row, (scores, out)) in rows.enumerate() {
        let (seen, hidden) = out.split_at_mut(causal.visible(first_row + row));
        let scores = &scores[..seen.len()];
        let largest = max(scores);
        for (out, score) in seen.iter_mut().zip(scores) {
            *out = exp((score - largest) * causal.scale);
        }
        let scale = 1.0 / sum(seen.len(), |i| seen[i]);
        for out in seen {
            *out *= scale;
        }
        hidden.fill(0.0);
    }
}

/// The gradient of the scores: with p the softmax, scale p (dp - sum(p dp)).
pub fn backward(causal: Causal, p: &[f32], dp: &[f32], d_scores: &mut [f32]) {
    let rows = shard_rows(causal.keys);
    let shard = rows * causal.keys;
    let shards =
        d_scores.par_chunks_mut(shard).zip(p.par_chunks(shard)).zip(dp.par_chunks(shard)).enumerate();
    shards.for_each(|(i, ((d_scores, p), dp))| backward_shard(causal, i * rows, p, dp, d_scores));
}

#[multiversion(targets = "simd")]
fn backward_shard(causal: Causal, first_row: usize, p: &[f32], dp: &[f32], d_scores: &mut [f32]) {
    let inputs = p.chunks_exact(causal.keys).zip(dp.chunks_exact(causal.keys));
    for (row, ((p, dp), d_scores)) in inputs.zip(d_scores.chunks_exact_mut(causal.keys)).enumerate() {
        let (seen, hidden) = d_scores.split_at_mut(causal.visible(first_row + row));
        let (p, dp) = (&p[..seen.len()], &dp[..seen.len()]);
        let mean = sum(seen.len(), |i| p[i] * dp[i]);
        for ((out, p), dp) in seen.iter_mut().zip(p).zip(dp) {
            *out = causal.scale * p * (dp - mean);
        }
        hidden.fill(0.0);
    }
}
