//! Matrix times vector, for decoding one token at a time: every weight is read once, so that memory
//! is the limit and not arithmetic.

use super::attention::softmax_row;
use super::matmul::{Accumulate, Matrix, MatrixMut, matmul};
use super::scratch::Scratch;
use super::{LANES, scale_add};
use multiversion::multiversion;
use rayon::prelude::*;

/// Weights that one task reads, about: enough to be worth a task.
const TASK: usize = 32 * 1024;

/// Columns of one task at least: memory is read in pieces of so many values.
const LEAST_COLUMNS: usize = 256;

/// A linear map of the vector x: W as it is stored, and where W x goes.
pub struct Map<'a> {
    pub weights: &'a [f32],
    /// W is (out, in), and not (in, out).
    pub outputs_first: bool,
    pub y: &'a mut [f32],
}

/// Some of the outputs of a map.
enum Task<'a> {
    Rows { weights: &'a [f32], y: &'a mut [f32] },
    Columns { weights: &'a [f32], stride: usize, y: &'a mut [f32] },
}

/// Computes maps of the same x together.
pub fn apply(maps: Vec<Map>, x: &[f32]) {
    let mut tasks = Vec::new();
    for Map { weights, outputs_first, y } in maps {
        if outputs_first {
            let rows = TASK.div_ceil(x.len());
            let parts = y.chunks_mut(rows).zip(weights.chunks(rows * x.len()));
            tasks.extend(parts.map(|(y, weights)| Task::Rows { weights, y }));
        } else {
            let stride = y.len();
            let columns = TASK.div_ceil(x.len()).next_multiple_of(LANES).max(LEAST_COLUMNS);
            let parts = y.chunks_mut(columns).zip((0..).step_by(columns));
            tasks.extend(parts.map(|(y, first)| Task::Columns { weights: &weights[first..], stride, y }));
        }
    }
    tasks.into_par_iter().for_each(|task| match task {
        Task::Rows { weights, y } => dot_rows(weights, x, y),
        Task::Columns { weights, stride, y } => add_rows(weights, stride, x, y),
    });
}

/// Rows multiplied together: gemm adds the terms of more than 256 in another order.
const SMALL: usize = 128;

/// Each row's dot product with x, the same whatever rows are beside it.
pub fn dot_rows(weights: &[f32], x: &[f32], y: &mut [f32]) {
    let n = x.len();
    for (y, weights) in y.chunks_mut(SMALL).zip(weights.chunks(SMALL * n)) {
        let rows = y.len();
        let product = MatrixMut::new(y, rows, 1);
        matmul(Matrix::new(weights, rows, n), Matrix::new(x, n, 1), product, Accumulate::Overwrite);
    }
}

/// y = the sum of the rows, each times its element of x; rows are `stride` apart. Four rows at a time.
#[multiversion(targets = "simd")]
fn add_rows(weights: &[f32], stride: usize, x: &[f32], y: &mut [f32]) {
    y.fill(0.0);
    for (block, x) in x.chunks(4).enumerate() {
        let n = y.len();
        let row = |i: usize| &weights[(4 * block + i) * stride..][..n];
        if let [x0, x1, x2, x3] = *x {
            let rows = row(0).iter().zip(row(1)).zip(row(2).iter().zip(row(3)));
            for (y, ((w0, w1), (w2, w3))) in y.iter_mut().zip(rows) {
                *y += (x0 * w0 + x1 * w1) + (x2 * w2 + x3 * w3);
            }
        } else {
            for (i, x) in x.iter().enumerate() {
                scale_add(y, row(i), *x);
            }
        }
    }
}

/// Softmax over `scores` of a query (D) against keys (S, D), then the mean of values (S, D) by it.
pub fn attend(query: &[f32], keys: &[f32], values: &[f32], scale: f32, out: &mut [f32]) {
    let d = query.len();
    let mut scores = Scratch::new(keys.len() / d);
    dot_rows(keys, query, &mut scores);
    softmax_row(&mut scores, scale);
    out.fill(0.0);
    for (value, weight) in values.chunks_exact(d).zip(scores.iter()) {
        scale_add(out, value, *weight);
    }
}
