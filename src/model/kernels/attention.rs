//! Causal self-attention of one sequence and one key/value head, by tiles of queries.
//!
//! No matrix of all scores is kept: the forward pass keeps each query's log-sum-exp, from which the
//! backward pass makes the weights again (Dao et al. 2022). Tiles see keys up to their last query only.

use super::lane::{exp_or_nothing, fused};
use super::matmul::{Accumulate, Matrix, MatrixMut, matmul};
use super::rope::{Angles, Rotation};
use super::scratch::Scratch;
use super::vector::{Vector, WIDTH};
use super::{LANES, max, replace_and_sum, sum, transpose};
use multiversion::multiversion;

/// Queries in a tile.
const TILE: usize = 64;

/// The shape of the attention of one sequence. Its rows are (T, (H + 2 K) D): H query heads, then K
/// keys, then K values.
#[derive(Clone, Copy, Debug)]
pub struct AttentionShape {
    pub tokens: usize,
    pub heads: usize,
    pub kv_heads: usize,
    pub head_dim: usize,
}

impl AttentionShape {
    /// Values in a row.
    pub fn width(&self) -> usize {
        (self.heads + 2 * self.kv_heads) * self.head_dim
    }

    /// Query heads that share a key/value head.
    pub fn group(&self) -> usize {
        self.heads / self.kv_heads
    }

    /// Multiplies the scores.
    pub fn scale(&self) -> f32 {
        (self.head_dim as f64).powf(-0.5) as f32
    }

    /// The tiles of queries: (first, end).
    fn tiles(self) -> impl Iterator<Item = (usize, usize)> {
        (0..self.tokens).step_by(TILE).map(move |start| (start, (start + TILE).min(self.tokens)))
    }
}

/// A head's columns of the rows times `scale`, (T, D) in one piece and rotated to their positions.
fn load(
    shape: AttentionShape,
    rows: &[f32],
    width: usize,
    head: usize,
    scale: f32,
    angles: Option<&Angles>,
) -> Scratch {
    let mut out = Scratch::new(shape.tokens * shape.head_dim);
    gather(&rows[head * shape.head_dim..], width, shape.head_dim, scale, &mut out);
    if let Some(angles) = angles {
        angles.rotate(&mut out, 0, Rotation::Forward);
    }
    out
}

/// The first `d` of rows that are `width` apart, times `scale`, in one piece.
#[multiversion(targets = "simd")]
fn gather(rows: &[f32], width: usize, d: usize, scale: f32, out: &mut [f32]) {
    for (out, row) in out.chunks_exact_mut(d).zip(rows.chunks(width)) {
        copy_scaled(&row[..d], scale, out);
    }
}

/// (T, D) -> (D, T)
fn transposed(x: &[f32], d: usize) -> Scratch {
    let mut out = Scratch::new(x.len());
    transpose(x, d, &mut out);
    out
}

#[multiversion(targets = "simd")]
fn scale_by(values: &mut [f32], factor: f32) {
    for value in values {
        *value *= factor;
    }
}

/// `qkv`: the sequence's rows. `kv`: which key/value head. Writes the mixed values (G, T, D) of the
/// query heads that it serves and their log-sum-exps (G, T).
pub fn forward(
    shape: AttentionShape,
    qkv: &[f32],
    kv: usize,
    angles: Option<&Angles>,
    mixed: &mut [f32],
    log_sums: &mut [f32],
) {
    let AttentionShape { tokens, heads, kv_heads, head_dim: d } = shape;
    let width = shape.width();
    let keys = transposed(&load(shape, qkv, width, heads + kv, 1.0, angles), d);
    let values = &qkv[(heads + kv_heads + kv) * d..];
    let mut scores = Scratch::new(TILE.min(tokens) * tokens);
    let heads = mixed.chunks_exact_mut(tokens * d).zip(log_sums.chunks_exact_mut(tokens));
    for (g, (mixed, log_sums)) in heads.enumerate() {
        let queries = load(shape, qkv, width, kv * shape.group() + g, shape.scale(), angles);
        for (start, end) in shape.tiles() {
            let scores = &mut scores[..(end - start) * end];
            let tile = Matrix::new(&queries[start * d..end * d], end - start, d);
            let keys = Matrix::strided(&keys, d, end, tokens);
            matmul(tile, keys, MatrixMut::new(scores, end - start, end), Accumulate::Overwrite);
            let mut factors = [0.0; TILE];
            softmax(scores, start, end, &mut log_sums[start..end], &mut factors);
            let weights = Matrix::new(scores, end - start, end);
            let values = Matrix::strided(values, end, d, width);
            let out = &mut mixed[start * d..end * d];
            matmul(weights, values, MatrixMut::new(out, end - start, d), Accumulate::Overwrite);
            scale_rows(out, d, &factors);
        }
    }
}

/// Scores (end - start, end) of the queries start..end to weights, in place, but for each query's
/// factor: multiplying the fewer mixed values by it is cheaper.
#[multiversion(targets = "simd")]
fn softmax(scores: &mut [f32], start: usize, end: usize, log_sums: &mut [f32], factors: &mut [f32]) {
    const FMA: bool = fused!();
    let rows = scores.chunks_exact_mut(end).zip(log_sums).zip(factors);
    for (i, ((row, log_sum), factor)) in rows.enumerate() {
        let seen = start + i + 1;
        // Whole registers, of which what lies beyond is set to nothing before and after.
        let padded = seen.next_multiple_of(LANES).min(end);
        row[seen..padded].fill(f32::NEG_INFINITY);
        let (largest, total) = exponentials::<FMA>(&mut row[..padded], 1.0);
        *log_sum = largest + total.ln();
        *factor = 1.0 / total;
        row[seen..].fill(0.0);
    }
}

/// Softmax of `scale` times the scores, in place.
#[multiversion(targets = "simd")]
pub fn softmax_row(scores: &mut [f32], scale: f32) {
    const FMA: bool = fused!();
    let (_, total) = exponentials::<FMA>(scores, scale);
    scale_by(scores, 1.0 / total);
}

/// Scores x to e^(scale (x - largest)), in place: the largest and their sum.
#[inline(always)]
fn exponentials<const FMA: bool>(scores: &mut [f32], scale: f32) -> (f32, f32) {
    let largest = max(scores);
    (largest, replace_and_sum(scores, |score| exp_or_nothing::<FMA>((score - largest) * scale)))
}

/// Multiplies each row by its factor.
#[multiversion(targets = "simd")]
fn scale_rows(rows: &mut [f32], d: usize, factors: &[f32]) {
    for (row, factor) in rows.chunks_exact_mut(d).zip(factors) {
        for value in row {
            *value *= factor;
        }
    }
}

/// out = scale * row, one register after the other: rows are short.
#[inline(always)]
fn copy_scaled(row: &[f32], scale: f32, out: &mut [f32]) {
    let (rows, rest) = row.as_chunks::<WIDTH>();
    let (outs, out_rest) = out.as_chunks_mut::<WIDTH>();
    for (row, out) in rows.iter().zip(outs) {
        *out = (Vector(*row) * Vector::splat(scale)).0;
    }
    for (row, out) in rest.iter().zip(out_rest) {
        *out = row * scale;
    }
}

/// The gradients of [`forward`]: from those of the mixed values, `d_mixed` (T, H D) as rows of the
/// sequence, into `d_qkv`: (G, T, D) for the queries, then (T, D) for the key and for the value.
#[expect(clippy::too_many_arguments, reason = "what attention is a function of")]
pub fn backward(
    shape: AttentionShape,
    qkv: &[f32],
    kv: usize,
    angles: Option<&Angles>,
    mixed: &[f32],
    log_sums: &[f32],
    d_mixed: &[f32],
    d_qkv: &mut [f32],
) {
    let AttentionShape { tokens, heads, kv_heads, head_dim: d } = shape;
    let (width, group, head_size) = (shape.width(), shape.group(), tokens * d);
    let keys = load(shape, qkv, width, heads + kv, 1.0, angles);
    let keys_t = transposed(&keys, d);
    let values_t = transposed(&load(shape, qkv, width, heads + kv_heads + kv, 1.0, None), d);
    let tile = TILE.min(tokens) * tokens;
    let (mut weights, mut d_scores) = (Scratch::new(tile), Scratch::new(tile));
    let (d_queries, d_kv) = d_qkv.split_at_mut(group * head_size);
    let (d_keys, d_values) = d_kv.split_at_mut(head_size);
    d_keys.fill(0.0);
    d_values.fill(0.0);
    for g in 0..group {
        let head = kv * group + g;
        let queries = load(shape, qkv, width, head, shape.scale(), angles);
        let d_out = Matrix::strided(&d_mixed[head * d..], tokens, d, heads * d);
        let (mixed, log_sums) = (&mixed[g * head_size..][..head_size], &log_sums[g * tokens..][..tokens]);
        let d_queries = &mut d_queries[g * head_size..][..head_size];
        for (start, end) in shape.tiles() {
            let (n, rows) = (end - start, start * d..end * d);
            let (weights, d_scores) = (&mut weights[..n * end], &mut d_scores[..n * end]);
            let queries = Matrix::new(&queries[rows.clone()], n, d);
            let d_tile = d_out.row_range(start..end);
            let keys_t = Matrix::strided(&keys_t, d, end, tokens);
            let values_t = Matrix::strided(&values_t, d, end, tokens);
            matmul(queries, keys_t, MatrixMut::new(weights, n, end), Accumulate::Overwrite);
            matmul(d_tile, values_t, MatrixMut::new(d_scores, n, end), Accumulate::Overwrite);
            let out = &mixed[rows.clone()];
            softmax_backward(weights, d_scores, start, end, &log_sums[start..end], out, d_tile);
            let (weights, d_scores) = (Matrix::new(weights, n, end), Matrix::new(d_scores, n, end));
            let keys = Matrix::new(&keys[..end * d], end, d);
            let to = |values, rows| MatrixMut::new(values, rows, d);
            matmul(d_scores, keys, to(&mut d_queries[rows], n), Accumulate::Overwrite);
            matmul(d_scores.t(), queries, to(&mut d_keys[..end * d], end), Accumulate::Add);
            matmul(weights.t(), d_tile, to(&mut d_values[..end * d], end), Accumulate::Add);
        }
        scale_by(d_queries, shape.scale());
        if let Some(angles) = angles {
            angles.rotate(d_queries, 0, Rotation::Back);
        }
    }
    if let Some(angles) = angles {
        angles.rotate(d_keys, 0, Rotation::Back);
    }
}

/// For the queries start..end: scores to weights p = exp_or_nothing::<FMA>(score - log-sum-exp), and gradients of the
/// weights dp to gradients of the scores p (dp - out . d_out), in place.
#[multiversion(targets = "simd")]
fn softmax_backward(
    scores: &mut [f32],
    d_weights: &mut [f32],
    start: usize,
    end: usize,
    log_sums: &[f32],
    out: &[f32],
    d_out: Matrix,
) {
    const FMA: bool = fused!();
    let d = out.len() / log_sums.len();
    let rows = scores.chunks_exact_mut(end).zip(d_weights.chunks_exact_mut(end)).zip(log_sums);
    for (i, ((row, d_row), log_sum)) in rows.enumerate() {
        let (out, d_out) = (&out[i * d..][..d], d_out.row(i));
        let mean = sum([out, d_out], |[out, d_out]| out * d_out);
        let seen = start + i + 1;
        let padded = seen.next_multiple_of(LANES).min(end);
        for (p, dp) in row[..padded].iter_mut().zip(&mut d_row[..padded]) {
            *p = exp_or_nothing::<FMA>(*p - log_sum);
            *dp = *p * (*dp - mean);
        }
        row[seen..].fill(0.0);
        d_row[seen..].fill(0.0);
    }
}
