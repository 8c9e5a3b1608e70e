//! RMSNorm and LayerNorm over rows.

use super::sum;
use super::vector::{Vector, WIDTH};
use multiversion::multiversion;

/// What a norm multiplies with and adds. Without a bias the mean counts as 0, which makes the
/// variance a mean square: RMSNorm.
#[derive(Clone, Copy)]
pub struct Norm<'a> {
    pub weight: &'a [f32],
    pub bias: Option<&'a [f32]>,
    pub eps: f32,
}

/// y = weight * (x - mean) / sqrt(variance + eps) + bias, row by row.
#[multiversion(targets = "simd")]
pub fn forward(norm: Norm<'_>, x: &[f32], y: &mut [f32]) {
    let width = norm.weight.len();
    for (x, y) in x.chunks_exact(width).zip(y.chunks_exact_mut(width)) {
        let (mean, scale) = statistics(x, norm);
        match norm.bias {
            Some(bias) => {
                for (((y, x), weight), bias) in y.iter_mut().zip(x).zip(norm.weight).zip(bias) {
                    *y = (x - mean) * scale * weight + bias;
                }
            }
            None => {
                for ((y, x), weight) in y.iter_mut().zip(x).zip(norm.weight) {
                    *y = x * scale * weight;
                }
            }
        }
    }
}

/// A row's mean (0 unless it is centred) and the factor that normalises it.
#[inline(always)]
fn statistics(x: &[f32], norm: Norm) -> (f32, f32) {
    let n = x.len() as f32;
    let (chunks, rest) = x.as_chunks::<WIDTH>();
    let mean = match norm.bias {
        Some(_) => (vectors_sum(chunks, |x| x) + rest.iter().sum::<f32>()) / n,
        None => 0.0,
    };
    let center = Vector::splat(mean);
    let squares = vectors_sum(chunks, |x| (x - center) * (x - center));
    let variance = (squares + rest.iter().map(|x| (x - mean) * (x - mean)).sum::<f32>()) / n;
    (mean, 1.0 / (variance + norm.eps).sqrt())
}

/// The sum of f, in two vectors so that an addition need not wait for the one before it.
#[inline(always)]
fn vectors_sum(chunks: &[[f32; WIDTH]], f: impl Fn(Vector) -> Vector) -> f32 {
    let (pairs, odd) = chunks.as_chunks::<2>();
    let (mut one, mut two) = (Vector::splat(0.0), Vector::splat(0.0));
    for [first, second] in pairs {
        one = one + f(Vector(*first));
        two = two + f(Vector(*second));
    }
    for chunk in odd {
        one = one + f(Vector(*chunk));
    }
    (one + two).sum()
}

/// Gradients of [`forward`]: `dx` like x, being `residual` (like x) and the norm's own; `d_weight` and
/// `d_bias` (empty for RMSNorm), added to what is there.
///
/// With h the normalised row and g = dy weight: dx = scale (g - mean(g) - h mean(g h)), where
/// mean(g) is left out unless the row is centred.
#[multiversion(targets = "simd")]
pub fn backward(
    norm: Norm<'_>,
    x: &[f32],
    dy: &[f32],
    residual: &[f32],
    dx: &mut [f32],
    d_weight: &mut [f32],
    d_bias: &mut [f32],
) {
    let (weight, width) = (norm.weight, norm.weight.len());
    let n = width as f32;
    let inputs = x.chunks_exact(width).zip(dy.chunks_exact(width));
    let outputs = residual.chunks_exact(width).zip(dx.chunks_exact_mut(width));
    for ((x, dy), (residual, dx)) in inputs.zip(outputs) {
        let (mean, scale) = statistics(x, norm);
        let g_mean = if norm.bias.is_some() { sum([dy, weight], |[dy, w]| dy * w) / n } else { 0.0 };
        let gh_mean = sum([dy, weight, x], |[dy, w, x]| dy * w * ((x - mean) * scale)) / n;
        let inputs = x.iter().zip(dy).zip(weight).zip(residual);
        for ((((x, dy), w), residual), (dx, d_weight)) in inputs.zip(dx.iter_mut().zip(d_weight.iter_mut())) {
            let h = (x - mean) * scale;
            *dx = residual + scale * (dy * w - g_mean - h * gh_mean);
            *d_weight += dy * h;
        }
        for (sum, dy) in d_bias.iter_mut().zip(dy) {
            *sum += dy;
        }
    }
}
