//! Gradients of the parameters: products over all rows of a pass, cut into blocks of the result.

use crate::model::kernels::matmul::{Accumulate, Matrix, MatrixMut, matmul};
use crate::model::kernels::{add, add_columns};
use crate::model::param_map::{LinearParams, NormParams};
use rayon::prelude::*;

/// Tasks that the products of one call are cut into, about, and the least elements of a weight's
/// gradient that are worth a task: the larger the block, the faster its product.
const TASKS: usize = 8;
const LEAST: usize = 32 * 1024;

/// The sums of the gradients, one slice per parameter.
pub struct Sums<'a> {
    values: &'a mut [Vec<f32>],
}

/// A linear map's inputs (N, in) and the gradients of its outputs (N, out).
#[derive(Clone, Copy)]
pub struct Product<'a> {
    linear: LinearParams,
    x: Matrix<'a>,
    dy: Matrix<'a>,
}

impl<'a> Product<'a> {
    pub fn new(linear: LinearParams, x: &'a [f32], dy: Matrix<'a>) -> Product<'a> {
        Product { linear, x: Matrix::new(x, dy.rows(), linear.inputs), dy }
    }
}

/// Some rows of a weight's gradient as it is stored, (columns of a) x (columns of b) += a^T b; for a
/// bias, += the sum of the rows of b.
enum Task<'a> {
    Weight { a: Matrix<'a>, b: Matrix<'a>, out: &'a mut [f32] },
    Bias { b: Matrix<'a>, out: &'a mut [f32] },
}

impl Task<'_> {
    fn run(self) {
        match self {
            Task::Weight { a, b, out } => {
                let out = MatrixMut::new(out, a.columns(), b.columns());
                matmul(a.t(), b, out, Accumulate::Add);
            }
            Task::Bias { b, out } => add_columns(b, out),
        }
    }
}

impl<'a> Sums<'a> {
    pub fn new(values: &'a mut [Vec<f32>]) -> Sums<'a> {
        Sums { values }
    }

    /// Adds the gradients of learned scalars, one of each from every tile.
    pub fn add_scalars(&mut self, scalars: &[usize], of_tiles: &[f64]) {
        for (i, scalar) in scalars.iter().enumerate() {
            let sum: f64 = of_tiles.iter().skip(i).step_by(scalars.len()).sum();
            self.values[*scalar][0] += sum as f32;
        }
    }

    /// The sums for one parameter.
    pub fn values(&mut self, parameter: usize) -> &mut [f32] {
        &mut self.values[parameter]
    }

    /// Adds x^T dy of each map, no two of which may share a parameter, and the sums of dy to biases.
    pub fn add_products(&mut self, products: &[Product]) {
        let mut free: Vec<Option<&mut [f32]>> =
            self.values.iter_mut().map(|values| Some(values.as_mut_slice())).collect();
        let mut take = |parameter: usize| free[parameter].take().expect("a parameter has one product");
        let elements: usize = products.iter().map(|product| product.x.columns() * product.dy.columns()).sum();
        let block = (elements / TASKS).max(LEAST);
        let mut tasks = Vec::new();
        for Product { linear, x, dy } in products {
            let (a, b) = if linear.outputs_first { (dy, x) } else { (x, dy) };
            let rows = (block / b.columns()).next_multiple_of(16);
            for (i, out) in take(linear.weight).chunks_mut(rows * b.columns()).enumerate() {
                let from = i * rows;
                let a = a.t().row_range(from..from + out.len() / b.columns()).t();
                tasks.push(Task::Weight { a, b: *b, out });
            }
            if let Some(bias) = linear.bias {
                tasks.push(Task::Bias { b: *dy, out: take(bias) });
            }
        }
        tasks.into_par_iter().for_each(Task::run);
    }

    /// Adds what the tiles' norms summed, (tiles, 2 C), to the norm's weight and bias.
    pub fn add_norm(&mut self, norm: NormParams, tiles: &[f32]) {
        let dim = self.values[norm.weight].len();
        for tile in tiles.chunks_exact(2 * dim) {
            add(&mut self.values[norm.weight], &tile[..dim]);
            if let Some(bias) = norm.bias {
                add(&mut self.values[bias], &tile[dim..]);
            }
        }
    }
}
