//! Rotary position embedding, half-split: element i is rotated together with element i + D/2.

use super::shard_rows;
use multiversion::multiversion;
use rayon::prelude::*;

/// Rotates rows of (..., T, D) by their position's angles, whose cosines and sines are (T, D). With
/// `back` the other way round, which is the gradient of rotating.
pub fn rotate(x: &[f32], cos: &[f32], sin: &[f32], head_dim: usize, back: bool, out: &mut [f32]) {
    let rows = shard_rows(head_dim);
    let shard = rows * head_dim;
    let sign = if back { -1.0 } else { 1.0 };
    out.par_chunks_mut(shard)
        .zip(x.par_chunks(shard))
        .enumerate()
        .for_each(|(i, (out, x))| rotate_shard(x, cos, sin, head_dim, i * rows, sign, out));
}

#[multiversion(targets = "simd")]
fn rotate_shard(
    x: &[f32],
    cos: &[f32],
    sin: &[f32],
    head_dim: usize,
    first_row: usize,
    sign: f32,
    out: &mut [f32],
) {
    let (positions, half) = (cos.len() / head_dim, head_dim / 2);
    for (row, (x, out)) in x.chunks_exact(head_dim).zip(out.chunks_exact_mut(head_dim)).enumerate() {
        let angle = (first_row + row) % positions * head_dim;
        let (cos, sin) = (&cos[angle..angle + half], &sin[angle..angle + half]);
        let (x1, x2) = x.split_at(half);
        let (out1, out2) = out.split_at_mut(half);
        for i in 0..half {
            let s = sign * sin[i];
            out1[i] = x1[i] * cos[i] - x2[i] * s;
            out2[i] = x2[i] * cos[i] + x1[i] * s;
        }
    }
}
