//! Rotary position embedding, half-split: element i is rotated together with element i + D/2.

use super::vector::{Vector, WIDTH};
use multiversion::multiversion;

/// Cosines and sines of the angles of positions 0, 1, ...: (context, D / 2) each.
pub struct Angles {
    pub cos: Vec<f32>,
    pub sin: Vec<f32>,
    half: usize,
}

/// Which way to rotate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rotation {
    Forward,
    /// The gradient of rotating forward.
    Back,
}

impl Angles {
    /// Angles of `position * theta^(-2 i / D)` (Su et al. 2021, section 3.2.2).
    pub fn new(context: usize, head_dim: usize, theta: f64) -> Angles {
        let half = head_dim / 2;
        let angle =
            |position: usize, pair: usize| position as f64 * theta.powf(-2.0 * pair as f64 / head_dim as f64);
        let table = |f: fn(f64) -> f64| -> Vec<f32> {
            let pairs = |position| (0..half).map(move |pair| f(angle(position, pair)) as f32);
            (0..context).flat_map(pairs).collect()
        };
        Angles { cos: table(f64::cos), sin: table(f64::sin), half }
    }

    /// Rotates rows (T, D) that stand at `start`, `start + 1`, ... in place.
    pub fn rotate(&self, rows: &mut [f32], start: usize, rotation: Rotation) {
        let from = start * self.half;
        let sign = if rotation == Rotation::Forward { 1.0 } else { -1.0 };
        rotate_rows(rows, &self.cos[from..], &self.sin[from..], self.half, sign);
    }
}

#[multiversion(targets = "simd")]
fn rotate_rows(rows: &mut [f32], cos: &[f32], sin: &[f32], half: usize, sign: f32) {
    let angles = cos.chunks_exact(half).zip(sin.chunks_exact(half));
    for (row, (cos, sin)) in rows.chunks_exact_mut(2 * half).zip(angles) {
        let (first, second) = row.split_at_mut(half);
        let (first, first_rest) = first.as_chunks_mut::<WIDTH>();
        let (second, second_rest) = second.as_chunks_mut::<WIDTH>();
        let ((cos, cos_rest), (sin, sin_rest)) = (cos.as_chunks::<WIDTH>(), sin.as_chunks::<WIDTH>());
        for (((a, b), cos), sin) in first.iter_mut().zip(second).zip(cos).zip(sin) {
            let [x, y, cos, sin] = [*a, *b, *cos, *sin].map(Vector);
            let sin = Vector::splat(sign) * sin;
            *a = (x * cos - y * sin).0;
            *b = (y * cos + x * sin).0;
        }
        for (((a, b), cos), sin) in first_rest.iter_mut().zip(second_rest).zip(cos_rest).zip(sin_rest) {
            let sin = sign * sin;
            (*a, *b) = (*a * cos - *b * sin, *b * cos + *a * sin);
        }
    }
}
