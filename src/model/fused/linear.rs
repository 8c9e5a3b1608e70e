//! Linear maps and norms over slices, by the indices of their parameters.

use crate::model::kernels::matmul::{Accumulate, Matrix, MatrixMut, matmul};
use crate::model::kernels::{add_to_rows, norm, transpose};
use crate::model::param_map::{BlockParams, LinearParams, NormParams, ParamMap};
use rayon::prelude::*;

/// The values of all parameters, in the order of [`ParamMap::specs`].
#[derive(Clone, Copy)]
pub struct Weights<'a> {
    pub values: &'a [&'a [f32]],
    /// Transposed copies of the matrices, or nothing: see [`transpose_all`].
    pub transposed: &'a [Vec<f32>],
}

impl<'a> Weights<'a> {
    pub fn get(self, parameter: usize) -> &'a [f32] {
        self.values[parameter]
    }
}

impl BlockParams {
    /// The values of the activation's learned scalars.
    pub fn scalars(&self, weights: Weights) -> Vec<f32> {
        self.scalars.iter().map(|scalar| weights.get(*scalar)[0]).collect()
    }
}

impl LinearParams {
    /// W as (in, out), whichever way round it is stored, or from its copy that is stored in the order
    /// `by_inputs`, where there is one: products read W faster along the columns of their result.
    fn matrix<'a>(&self, weights: Weights<'a>, by_inputs: bool) -> Matrix<'a> {
        let copy = weights.transposed.get(self.weight).filter(|_| self.outputs_first == by_inputs);
        let (values, outputs_first) = match copy {
            Some(copy) => (copy.as_slice(), !self.outputs_first),
            None => (weights.get(self.weight), self.outputs_first),
        };
        match outputs_first {
            true => Matrix::new(values, self.outputs, self.inputs).t(),
            false => Matrix::new(values, self.inputs, self.outputs),
        }
    }

    /// y = x W + b: (N, in) -> (N, out), written to the first columns of rows that are `stride` apart.
    pub fn forward(&self, weights: Weights, x: &[f32], y: &mut [f32], stride: usize) {
        let rows = x.len() / self.inputs;
        let out = MatrixMut::strided(y, rows, self.outputs, stride);
        matmul(Matrix::new(x, rows, self.inputs), self.matrix(weights, true), out, Accumulate::Overwrite);
        if let Some(bias) = self.bias {
            // Maps with a bias have all columns of their rows: GPT-2's have one.
            add_to_rows(y, weights.get(bias));
        }
    }

    /// dx = dy W^T, or dx += it: (N, out) -> (N, in).
    pub fn backward(&self, weights: Weights, dy: Matrix, dx: &mut [f32], accumulate: Accumulate) {
        let out = MatrixMut::new(dx, dy.rows(), self.inputs);
        matmul(dy, self.matrix(weights, false).t(), out, accumulate);
    }
}

impl NormParams {
    pub fn of<'a>(&self, weights: Weights<'a>, eps: f64) -> norm::Norm<'a> {
        let bias = self.bias.map(|bias| weights.get(bias));
        norm::Norm { weight: weights.get(self.weight), bias, eps: eps as f32 }
    }
}

/// Copies every matrix of a linear map transposed: products read one of the two orders much faster than the
/// other, and a pass over many rows needs both.
pub fn transpose_all(map: &ParamMap, values: &[&[f32]], transposed: &mut Vec<Vec<f32>>) {
    transposed.resize_with(values.len(), Vec::new);
    let mut tasks = Vec::new();
    let mut free: Vec<Option<&mut Vec<f32>>> = transposed.iter_mut().map(Some).collect();
    for linear in map.linears() {
        let Some(copy) = free[linear.weight].take() else { continue };
        copy.resize(linear.inputs * linear.outputs, 0.0);
        let columns = if linear.outputs_first { linear.inputs } else { linear.outputs };
        tasks.push((values[linear.weight], columns, copy));
    }
    tasks.into_par_iter().for_each(|(values, columns, copy)| transpose(values, columns, copy));
}
