//! How much of an FFN one affine map explains, by least squares from its inputs to its outputs.

use candle_core::{DType, Device, Result, Tensor};
use serde::Serialize;

/// A score needs at least this many fitted tokens per input. On new tokens, a fit to n tokens with C inputs leaves about
/// C / n more of the variance unexplained than the best map.
const TOKENS_PER_INPUT: usize = 10;

/// Added to the diagonal of the sum of x^T x, as a share of its mean. LayerNorm's outputs lie in a plane, so the
/// sum alone may have no inverse.
const RIDGE: f64 = 1e-9;

/// How well the best affine map from an FFN's inputs predicts its outputs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct LinearFit {
    /// 1 - (squared error) / (variance) over all outputs together, on tokens that weren't fitted. None for too few tokens
    /// or constant outputs.
    pub r2: Option<f64>,
    /// Tokens fitted.
    pub fitted: usize,
    /// Tokens scored.
    pub scored: usize,
}

/// Sums over pairs of rows, inputs x of width C and outputs y of width D, in f64 on the CPU. Each x is followed by a 1,
/// so that a linear map of the C + 1 values is an affine map of x.
pub struct PairSums {
    rows: usize,
    /// x^T x (C + 1, C + 1), x^T y (C + 1, D), and the sum of the squares of y.
    xx: Tensor,
    xy: Tensor,
    yy: f64,
}

impl PairSums {
    pub fn new(inputs: usize, outputs: usize) -> Result<PairSums> {
        let zeros = |columns| Tensor::zeros((inputs + 1, columns), DType::F64, &Device::Cpu);
        Ok(PairSums { rows: 0, xx: zeros(inputs + 1)?, xy: zeros(outputs)?, yy: 0.0 })
    }

    /// Adds rows x (N, C) with their y (N, D), in any number format on any device.
    pub fn add(&mut self, x: &Tensor, y: &Tensor) -> Result<()> {
        // Detached: the sums outlive the pass and would keep its graph.
        let exact = |t: &Tensor| t.detach().to_device(&Device::Cpu)?.to_dtype(DType::F64)?.contiguous();
        let rows = x.dims()[0];
        if rows == 0 {
            return Ok(());
        }
        let ones = Tensor::ones((rows, 1), DType::F64, &Device::Cpu)?;
        let (x, y) = (Tensor::cat(&[exact(x)?, ones], 1)?, exact(y)?);
        let transposed = x.t()?;
        self.rows += rows;
        self.xx = (&self.xx + transposed.matmul(&x)?)?;
        self.xy = (&self.xy + transposed.matmul(&y)?)?;
        self.yy += total(&y.sqr()?)?;
        Ok(())
    }

    fn inputs(&self) -> usize {
        self.xx.dims()[0] - 1
    }
}

fn total(t: &Tensor) -> Result<f64> {
    t.sum_all()?.to_scalar()
}

/// Fits an affine map to the rows in `fitted` and scores it on those in `scored`.
pub fn linear_fit(fitted: &PairSums, scored: &PairSums) -> Result<LinearFit> {
    let fit = LinearFit { r2: None, fitted: fitted.rows, scored: scored.rows };
    if scored.rows < 2 || fitted.rows < TOKENS_PER_INPUT * fitted.inputs() {
        return Ok(fit);
    }
    let map = solve(&fitted.xx, &fitted.xy)?; // (C + 1, D)
    let quadratic = total(&(&map * scored.xx.matmul(&map)?)?)?;
    let error = scored.yy - 2.0 * total(&(&map * &scored.xy)?)? + quadratic;
    // The last row of x^T y is the sum of y.
    let sums = scored.xy.get(scored.inputs())?;
    let variance = scored.yy - total(&sums.sqr()?)? / scored.rows as f64;
    let r2 = 1.0 - error / variance;
    Ok(LinearFit { r2: r2.is_finite().then_some(r2), ..fit })
}

/// (A + ridge) B = Y for B, with a symmetric A (C, C) and Y (C, D): Cholesky's factorization
/// (Golub & Van Loan 2013, section 4.2).
fn solve(a: &Tensor, y: &Tensor) -> Result<Tensor> {
    let size = y.dims()[0];
    let mut factor = a.to_vec2::<f64>()?;
    let mut columns = y.t()?.to_vec2::<f64>()?;
    let trace: f64 = (0..size).map(|i| factor[i][i]).sum();
    let ridge = (RIDGE * trace / size as f64).max(f64::MIN_POSITIVE);
    // A = L L^T, L in the lower triangle.
    for i in 0..size {
        factor[i][i] += ridge;
        for j in 0..=i {
            let dot: f64 = (0..j).map(|k| factor[i][k] * factor[j][k]).sum();
            let rest = factor[i][j] - dot;
            // Rounding may cancel a pivot, which is at least the ridge.
            factor[i][j] = if i == j { rest.max(ridge).sqrt() } else { rest / factor[j][j] };
        }
    }
    // For each column: L z = y from the first row down, then L^T b = z from the last row up.
    for column in &mut columns {
        for (i, row) in factor.iter().enumerate() {
            let dot: f64 = row[..i].iter().zip(column.iter()).map(|(l, z)| l * z).sum();
            column[i] = (column[i] - dot) / row[i];
        }
        for (i, row) in factor.iter().enumerate().rev() {
            let solved = column[i] / row[i];
            column[i] = solved;
            column[..i].iter_mut().zip(row).for_each(|(above, l)| *above -= l * solved);
        }
    }
    Tensor::new(columns, &Device::Cpu)?.t()?.contiguous()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::random;

    const INPUTS: usize = 6;

    fn normal(label: &str, rows: usize, columns: usize) -> Tensor {
        let values = random::normal(&mut random::stream(1, label), rows * columns, 1.0);
        Tensor::from_vec(values, (rows, columns), &Device::Cpu).unwrap()
    }

    /// The fit of y = f(x) on 3,000 tokens of normal inputs, scored on 1,000, given in several parts.
    fn fit(f: impl Fn(&Tensor) -> Result<Tensor>) -> LinearFit {
        let sums = |label: &str, parts: usize| {
            let mut sums = PairSums::new(INPUTS, 3).unwrap();
            for part in 0..parts {
                let x = normal(&format!("{label} {part}"), 500, INPUTS).affine(1.0, 2.0).unwrap();
                sums.add(&x, &f(&x).unwrap()).unwrap();
            }
            sums
        };
        linear_fit(&sums("fitted", 6), &sums("scored", 2)).unwrap()
    }

    /// Otherwise a long text would need the memory of all its passes together.
    #[test]
    fn sums_release_the_autograd_graph_of_their_rows() {
        let x = candle_core::Var::from_tensor(&normal("x", 50, INPUTS)).unwrap();
        let y = (x.as_tensor() * 2.0).unwrap();
        assert!(y.track_op());
        let mut sums = PairSums::new(INPUTS, INPUTS).unwrap();
        sums.add(&x, &y).unwrap();
        assert!([&sums.xx, &sums.xy].iter().all(|sum| !sum.track_op()));
    }

    #[test]
    fn an_affine_map_is_explained_completely() {
        let weight = normal("weight", INPUTS, 3);
        let found = fit(|x| x.matmul(&weight)?.affine(1.0, 0.5));
        assert_eq!((found.fitted, found.scored), (3000, 1000));
        assert!((found.r2.unwrap() - 1.0).abs() < 1e-7, "{found:?}");
    }

    /// For x from N(0, 1), relu(x) = x/2 + |x|/2: the line explains 1/4 of a variance of
    /// 1/2 - 1 / (2 pi), which is 0.7337.
    #[test]
    fn the_score_of_relu_on_normal_inputs_is_its_closed_form() {
        let found = fit(|x| x.affine(1.0, -2.0)?.relu()?.narrow(1, 0, 3));
        let exact = 0.25 / (0.5 - 0.5 / std::f64::consts::PI);
        assert!((found.r2.unwrap() - exact).abs() < 0.02, "{found:?}, {exact}");
    }

    #[test]
    fn noise_has_an_r2_of_zero() {
        let found = fit(|x| Ok(normal(&format!("noise {:?}", x.get(0)?.to_vec1::<f32>()?), 500, 3)));
        assert!(found.r2.unwrap().abs() < 0.02, "{found:?}");
    }

    /// As LayerNorm's outputs: their covariance has no inverse.
    #[test]
    fn inputs_in_a_plane_can_be_fitted() {
        let weight = normal("weight", INPUTS, 3);
        let found = fit(|x| x.broadcast_sub(&x.mean_keepdim(1)?)?.matmul(&weight));
        assert!((found.r2.unwrap() - 1.0).abs() < 1e-6, "{found:?}");

        // Every input twice: nothing is left of half the pivots but rounding.
        let twice = |label: &str| {
            let x = normal(label, 500, INPUTS);
            let mut sums = PairSums::new(2 * INPUTS, 3).unwrap();
            sums.add(&Tensor::cat(&[&x, &x], 1).unwrap(), &x.matmul(&weight).unwrap()).unwrap();
            sums
        };
        let found = linear_fit(&twice("fitted"), &twice("scored")).unwrap();
        assert!((found.r2.unwrap() - 1.0).abs() < 1e-6, "{found:?}");
    }

    #[test]
    fn too_few_tokens_or_constant_outputs_have_no_r2() {
        let mut few = PairSums::new(INPUTS, 3).unwrap();
        few.add(&normal("few", 59, INPUTS), &normal("y", 59, 3)).unwrap();
        assert_eq!(linear_fit(&few, &few).unwrap().r2, None);
        assert_eq!(fit(|x| x.narrow(1, 0, 3)?.zeros_like()).r2, None);
    }
}
