//! Matrix times vector, for decoding one token at a time: every weight is read once, so that memory
//! is the limit and not arithmetic.

use super::attention::softmax_row;
use super::scratch::Scratch;
use super::{LANES, scale_add, sum};
use multiversion::multiversion;
use rayon::prelude::*;

/// Weights that one task reads, about: enough to be worth a task.
const TASK: usize = 32 * 1024;

/// Columns of one task at least: memory is read in pieces of so many values.
const LEAST_COLUMNS: usize = 256;

/// y = W x with W (out, in).
pub fn outputs_first(weights: &[f32], x: &[f32], y: &mut [f32]) {
    let rows = (TASK / x.len()).max(1);
    let tasks = y.par_chunks_mut(rows).zip(weights.par_chunks(rows * x.len()));
    tasks.for_each(|(y, weights)| dot_rows(weights, x, y));
}

/// Each row's dot product with x.
#[multiversion(targets = "simd")]
fn dot_rows(weights: &[f32], x: &[f32], y: &mut [f32]) {
    for (row, y) in weights.chunks_exact(x.len()).zip(y) {
        *y = sum([row, x], |[w, x]| w * x);
    }
}

/// y = x W with W (in, out).
pub fn inputs_first(weights: &[f32], x: &[f32], y: &mut [f32]) {
    let outputs = y.len();
    let columns = (TASK / x.len()).next_multiple_of(LANES).max(LEAST_COLUMNS);
    y.par_chunks_mut(columns).enumerate().for_each(|(task, y)| {
        add_rows(&weights[task * columns..], outputs, x, y);
    });
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
