//! AdamW's update (Loshchilov & Hutter 2019, algorithm 2) in one pass over each parameter.

use super::sum;
use multiversion::multiversion;

/// The numbers of one update.
#[derive(Clone, Copy, Debug)]
pub struct Update {
    pub beta1: f32,
    pub beta2: f32,
    pub eps: f32,
    /// Multiplies the gradients: what clipping and accumulation make of them.
    pub gradient_scale: f32,
    /// lr / (1 - beta1^t)
    pub mean_scale: f32,
    /// 1 / (1 - beta2^t)
    pub square_scale: f32,
    /// 1 - lr * weight decay
    pub keep: f32,
}

/// Updates values and moments, and sets the gradients back to 0.
#[multiversion(targets = "simd")]
pub fn update(
    update: Update,
    values: &mut [f32],
    gradients: &mut [f32],
    mean: &mut [f32],
    square: &mut [f32],
) {
    let Update { beta1, beta2, eps, gradient_scale, mean_scale, square_scale, keep } = update;
    let moments = mean.iter_mut().zip(square);
    for ((value, gradient), (mean, square)) in values.iter_mut().zip(gradients).zip(moments) {
        let g = *gradient * gradient_scale;
        *mean = normal(*mean * beta1 + g * (1.0 - beta1));
        *square = normal(*square * beta2 + g * g * (1.0 - beta2));
        *value = *value * keep - *mean * mean_scale / ((*square * square_scale).sqrt() + eps);
        *gradient = 0.0;
    }
}

/// 0 for what is too small for a normal number. Moments of a unit that no longer fires would stay just above 0
/// for ever, and arithmetic with such numbers takes a hundred times as long.
#[inline(always)]
fn normal(x: f32) -> f32 {
    if x.abs() < f32::MIN_POSITIVE { 0.0 } else { x }
}

/// The sum of squares.
#[multiversion(targets = "simd")]
pub fn sum_of_squares(values: &[f32]) -> f32 {
    sum([values], |[x]| x * x)
}
