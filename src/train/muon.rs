//! Muon (Jordan et al. 2024, <https://kellerjordan.github.io/posts/muon/>): momentum whose update is made orthogonal.
//!
//! It updates the matrices between hidden units. With singular values near 1, an update moves all directions alike,
//! where a gradient's few large singular values would move a few. The update is multiplied by 0.2 sqrt(max(rows,
//! columns)), so that its root mean square is that of AdamW's updates and both take the same learning rate and weight
//! decay (Liu et al. 2025, arXiv:2502.16982, section 2.2).

use crate::model::kernels::matmul::{Accumulate, Matrix, MatrixMut, matmul};
use crate::model::kernels::transpose;
use crate::model::{ParamSpec, Role};

const MOMENTUM: f32 = 0.95;
/// Of AdamW's updates, about.
const RMS: f64 = 0.2;
/// An iteration takes X to a X + b X X' X + c (X X')^2 X, which brings singular values near 1.
const COEFFICIENTS: [f32; 3] = [3.4445, -4.7750, 2.0315];
/// Five iterations: after three, the Gram matrix is computed anew, before its rounding errors grow.
const ROUNDS: [usize; 2] = [3, 2];

/// Whether Muon updates a parameter: the matrices of attention and FFN, not embeddings and the head.
pub fn is_for(spec: &ParamSpec) -> bool {
    let outside = [Role::TokenEmbedding, Role::PositionEmbedding, Role::Head];
    spec.is_matrix() && !outside.contains(&spec.role)
}

/// Floating-point operations of an update's matrix products.
pub fn flops(spec: &ParamSpec) -> f64 {
    let maps = if spec.role == Role::QueryKeyValue { 3 } else { 1 };
    let (rows, columns) = (spec.shape[0], spec.shape[1] / maps);
    let (short, long) = (rows.min(columns) as f64, rows.max(columns) as f64);
    // 14 products of (short, short) matrices in all; two with the matrix itself in each round.
    maps as f64 * 2.0 * short * short * (14.0 * short + 4.0 * long)
}

/// Updates a matrix with `scale` times its gradient. `kept` is what remains of its values after weight decay. All are
/// as large as the matrix.
pub fn update(
    spec: &ParamSpec,
    (values, momentum): (&mut [f32], &mut [f32]),
    gradient: &[f32],
    (scale, lr, kept): (f64, f64, f64),
) {
    let scale = scale as f32;
    let direction: Vec<f32> = momentum
        .iter_mut()
        .zip(gradient)
        .map(|(mean, gradient)| {
            *mean = MOMENTUM * *mean + (1.0 - MOMENTUM) * scale * gradient;
            // Nesterov's momentum.
            MOMENTUM * *mean + (1.0 - MOMENTUM) * scale * gradient
        })
        .collect();
    // (in, 3 out): queries, keys and values are three maps, whatever GPT-2 calls them.
    let maps = if spec.role == Role::QueryKeyValue { 3 } else { 1 };
    let (rows, all_columns) = (spec.shape[0], spec.shape[1]);
    let columns = all_columns / maps;
    let step = (lr * RMS * (rows.max(columns) as f64).sqrt()) as f32;
    for first in (0..maps).map(|map| map * columns) {
        let part = direction.chunks_exact(all_columns).flat_map(|row| &row[first..][..columns]).copied();
        let orthogonal = orthogonal(part.collect(), columns);
        for (row, orthogonal) in orthogonal.chunks_exact(columns).enumerate() {
            let values = &mut values[row * all_columns + first..][..columns];
            for (value, orthogonal) in values.iter_mut().zip(orthogonal) {
                *value = kept as f32 * *value - step * orthogonal;
            }
        }
    }
}

/// The matrix (rows, columns) with its singular values brought near 1 (0.7 to 1.2): Newton-Schulz iterations.
///
/// Every iterate is a polynomial Q of X X' times X. Iterations on (rows, rows) matrices find Q, where each iteration on
/// X itself would need two products with X.
fn orthogonal(mut x: Vec<f32>, columns: usize) -> Vec<f32> {
    let rows = x.len() / columns;
    if rows > columns {
        return transposed(&orthogonal(transposed(&x, columns), rows), rows);
    }
    let norm = x.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt() + 1e-7;
    x.iter_mut().for_each(|value| *value = (f64::from(*value) / norm) as f32);
    for iterations in ROUNDS {
        let before = Matrix::new(&x, rows, columns);
        let polynomial = polynomial(product(before, before.t()), rows, iterations);
        x = product(Matrix::new(&polynomial, rows, rows), before);
    }
    x
}

fn transposed(x: &[f32], columns: usize) -> Vec<f32> {
    let mut out = vec![0.0; x.len()];
    transpose(x, columns, &mut out);
    out
}

/// Q (n, n) with which some iterations take X to Q X, from X X' (n, n).
fn polynomial(mut gram: Vec<f32>, n: usize, iterations: usize) -> Vec<f32> {
    let square = |a: &[f32], b: &[f32]| product(Matrix::new(a, n, n), Matrix::new(b, n, n));
    let [a, b, c] = COEFFICIENTS;
    let mut polynomial: Option<Vec<f32>> = None;
    for left in (0..iterations).rev() {
        let mut factor = square(&gram, &gram);
        factor.iter_mut().zip(&gram).for_each(|(squared, gram)| *squared = c * *squared + b * gram);
        factor.iter_mut().step_by(n + 1).for_each(|diagonal| *diagonal += a);
        if left > 0 {
            gram = square(&square(&factor, &gram), &factor);
        }
        polynomial = Some(polynomial.map_or_else(|| factor.clone(), |before| square(&factor, &before)));
    }
    polynomial.unwrap_or_default()
}

/// a b, row by row.
fn product(a: Matrix, b: Matrix) -> Vec<f32> {
    let mut out = vec![0.0; a.rows() * b.columns()];
    matmul(a, b, MatrixMut::new(&mut out, a.rows(), b.columns()), Accumulate::Overwrite);
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Init;
    use crate::support::random;

    fn spec(role: Role, shape: [usize; 2]) -> ParamSpec {
        let (name, init) = (String::new(), Init::Constant(0.0));
        ParamSpec { name, shape: shape.to_vec(), role, layer: Some(0), is_bias: false, init }
    }

    /// Five iterations of X <- a X + (b A + c A A) X with A = X X', in f64.
    fn reference(x: &[f64], columns: usize) -> Vec<f64> {
        let rows = x.len() / columns;
        let flip = |x: &[f64], columns: usize| -> Vec<f64> {
            let rows = x.len() / columns;
            (0..x.len()).map(|i| x[i % rows * columns + i / rows]).collect()
        };
        if rows > columns {
            return flip(&reference(&flip(x, columns), rows), rows);
        }
        let product = |a: &[f64], b: &[f64], inner: usize| -> Vec<f64> {
            let width = b.len() / inner;
            let at = |i: usize| (0..inner).map(|k| a[i / width * inner + k] * b[k * width + i % width]).sum();
            (0..a.len() / inner * width).map(at).collect()
        };
        let norm = x.iter().map(|value| value * value).sum::<f64>().sqrt() + 1e-7;
        let mut x: Vec<f64> = x.iter().map(|value| value / norm).collect();
        let [a, b, c] = [3.4445, -4.7750, 2.0315];
        for _ in 0..5 {
            let gram = product(&x, &flip(&x, columns), columns);
            let square = product(&gram, &gram, rows);
            let factor: Vec<f64> = gram.iter().zip(&square).map(|(g, s)| b * g + c * s).collect();
            let change = product(&factor, &x, rows);
            x = x.iter().zip(change).map(|(x, change)| a * x + change).collect();
        }
        x
    }

    /// One update from zero with weight decay, of random gradients with a few large directions, as real ones have.
    #[test]
    fn updates_match_an_f64_reference() {
        let mut rng = random::stream(1, "muon");
        for (role, shape) in [
            (Role::Query, [48, 48]),
            (Role::FfnUp, [128, 48]),
            (Role::FfnDown, [48, 128]),
            (Role::FfnGate, [3, 200]),
            (Role::QueryKeyValue, [40, 120]),
        ] {
            let [rows, columns] = shape;
            let mut gradient = random::normal(&mut rng, rows * columns, 1e-3);
            let direction = random::normal(&mut rng, rows + columns, 0.3);
            for (i, value) in gradient.iter_mut().enumerate() {
                *value += direction[i / columns] * direction[rows + i % columns];
            }
            let before = random::normal(&mut rng, rows * columns, 0.1);
            let (mut values, mut momentum) = (before.clone(), vec![0.0; before.len()]);
            update(&spec(role, shape), (&mut values, &mut momentum), &gradient, (0.5, 0.01, 0.9));
            let maps = if role == Role::QueryKeyValue { 3 } else { 1 };
            let width = columns / maps;
            let scale = 0.01 * 0.2 * (rows.max(width) as f64).sqrt();
            for map in 0..maps {
                let part: Vec<usize> =
                    (0..rows * width).map(|i| i / width * columns + map * width + i % width).collect();
                let own: Vec<f64> = part.iter().map(|&i| f64::from(gradient[i])).collect();
                let orthogonal = reference(&own, width);
                let largest = orthogonal.iter().fold(0.0f64, |most, value| most.max(value.abs()));
                for (&i, orthogonal) in part.iter().zip(&orthogonal) {
                    let got = (0.9 * f64::from(before[i]) - f64::from(values[i])) / scale;
                    assert!(
                        (got - orthogonal).abs() < 1e-4 * largest.max(1.0),
                        "{role:?}: {got} {orthogonal}"
                    );
                }
            }
        }
    }

    #[test]
    fn orthogonal_rows_have_singular_values_near_one() {
        let x = random::normal(&mut random::stream(2, "muon"), 16 * 64, 1.0);
        let x = orthogonal(x, 64);
        let gram = product(Matrix::new(&x, 16, 64), Matrix::new(&x, 16, 64).t());
        for (i, value) in gram.iter().enumerate() {
            let expected = if i % 17 == 0 { 0.4..1.5 } else { -0.4..0.4 };
            assert!(expected.contains(value), "{i}: {value}");
        }
    }

    /// For (r, 4 r): Gram matrix and polynomial in r^3 units as counted by hand.
    #[test]
    fn an_updates_arithmetic_is_counted() {
        let [matrix, fused] =
            [(Role::FfnUp, [8, 32]), (Role::QueryKeyValue, [8, 24])].map(|(role, shape)| spec(role, shape));
        // Two rounds of a Gram matrix (2 * 4 r^3) and its use (2 * 4 r^3), and 9 + 5 products of 2 r^3.
        assert_eq!(flops(&matrix), 512.0 * (2.0 * 16.0 + 28.0));
        assert_eq!(flops(&fused), 3.0 * 512.0 * (2.0 * 4.0 + 28.0));
    }

    /// The root mean square of an orthogonal update is 0.2 whatever the shape: what AdamW's updates have.
    #[test]
    fn updates_are_as_large_as_those_of_adamw() {
        for shape in [[64, 64], [64, 256], [256, 64]] {
            let gradient = random::normal(&mut random::stream(3, "muon"), shape[0] * shape[1], 1.0);
            let (mut values, mut momentum) = (vec![0.0; gradient.len()], vec![0.0; gradient.len()]);
            update(&spec(Role::FfnUp, shape), (&mut values, &mut momentum), &gradient, (1.0, 1.0, 1.0));
            let square: f32 = values.iter().map(|value| value * value).sum();
            let rms = (square / values.len() as f32).sqrt();
            assert!((0.15..0.25).contains(&rms), "{shape:?}: {rms}");
        }
    }
}
