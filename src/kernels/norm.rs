//! RMSNorm and LayerNorm over rows.

use super::{shard_rows, sum};
use multiversion::multiversion;
use rayon::prelude::*;

/// y = weight * (x - mean) / sqrt(variance + eps) + bias; without a bias the mean counts as 0, which
/// makes the variance a mean square.
pub fn forward(x: &[f32], weight: &[f32], bias: Option<&[f32]>, eps: f32, y: &mut [f32]) {
    let shard = shard_rows(weight.len()) * weight.len();
    let shards = y.par_chunks_mut(shard).zip(x.par_chunks(shard));
    shards.for_each(|(y, x)| forward_shard(x, weight, bias, eps, y));
}

#[multiversion(targets = "simd")]
fn forward_shard(x: &[f32], weight: &[f32], bias: Option<&[f32]>, eps: f32, y: &mut [f32]) {
    let width = weight.len();
    for (x, y) in x.chunks_exact(width).zip(y.chunks_exact_mut(width)) {
        let (mean, scale) = statistics(x, bias.is_some(), eps);
        for ((y, x), weight) in y.iter_mut().zip(x).zip(weight) {
            *y = (x - mean) * scale * weight;
        }
        if let Some(bias) = bias {
            for (y, bias) in y.iter_mut().zip(bias) {
                *y += bias;
            }
        }
    }
}

/// A row's mean (0 unless it is centred) and the factor that normalises it.
#[inline(always)]
fn statistics(x: &[f32], centred: bool, eps: f32) -> (f32, f32) {
    let n = x.len() as f32;
    let mean = if centred { sum(x.len(), |i| x[i]) / n } else { 0.0 };
    let variance = sum(x.len(), |i| (x[i] - mean) * (x[i] - mean)) / n;
    (mean, 1.0 / (variance + eps).sqrt())
}

/// Gradients of [`forward`]. `d_weight` and `d_bias` (where centred) are added to.
///
/// With h the normalised row and g = dy weight: dx = scale (g - mean(g) - h mean(g h)), where
/// mean(g) is left out unless the row is centred.
pub fn backward(
    x: &[f32],
    weight: &[f32],
    eps: f32,
    dy: &[f32],
    dx: &mut [f32],
    d_weight: &mut [f32],
    mut d_bias: Option<&mut [f32]>,
) {
    let width = weight.len();
    let shard = shard_rows(width) * width;
    let centred = d_bias.is_some();
    // Each shard sums its own rows; the shards are added in their order.
    let partial: Vec<(Vec<f32>, Vec<f32>)> = dx
        .par_chunks_mut(shard)
        .zip(x.par_chunks(shard))
        .zip(dy.par_chunks(shard))
        .map(|((dx, x), dy)| {
            let mut sums = (vec![0.0; width], vec![0.0; if centred { width } else { 0 }]);
            backward_shard(x, weight, eps, dy, dx, &mut sums.0, &mut sums.1);
            sums
        })
        .collect();
    for (weights, biases) in &partial {
        add(d_weight, weights);
        if let Some(d_bias) = &mut d_bias {
            add(d_bias, biases);
        }
    }
}

fn add(total: &mut [f32], part: &[f32]) {
    for (total, part) in total.iter_mut().zip(part) {
        *total += part;
    }
}

#[multiversion(targets = "simd")]
fn backward_shard(
    x: &[f32],
    weight: &[f32],
    eps: f32,
    dy: &[f32],
    dx: &mut [f32],
    d_weight: &mut [f32],
    d_bias: &mut [f32],
) {
    let width = weight.len();
    let centred = !d_bias.is_empty();
    let n = width as f32;
    for ((x, dy), dx) in x.chunks_exact(width).zip(dy.chunks_exact(width)).zip(dx.chunks_exact_mut(width)) {
        let (mean, scale) = statistics(x, centred, eps);
        let g_mean = if centred { sum(width, |i| dy[i] * weight[i]) / n } else { 0.0 };
        let gh_mean = sum(width, |i| dy[i] * weight[i] * ((x[i] - mean) * scale)) / n;
        for i in 0..width {
            let h = (x[i] - mean) * scale;
            dx[i] = scale * (dy[i] * weight[i] - g_mean - h * gh_mean);
            d_weight[i] += dy[i] * h;
        }
        for (sum, dy) in d_bias.iter_mut().zip(dy) {
            *sum += dy;
        }
    }
}
