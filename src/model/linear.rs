//! Matrices in full precision, or quantized as they are in a GGUF file.

use candle_core::quantized::{GgmlDType, QMatMul, QStorage, QTensor};
use candle_core::{Device, Module, Result, Tensor};
use std::sync::Arc;

/// With more rows than these, dequantizing the matrix for a product in f32 is faster than candle's quantized product.
const FEW_ROWS: usize = 12;

/// y = x W + b
#[derive(Clone)]
pub enum Linear {
    Full(candle_nn::Linear),
    /// W is (out, in).
    Quantized(Arc<QTensor>, Option<Tensor>),
}

impl Linear {
    /// The map to `len` of the outputs, from `start`. Cutting the weights, not the result, keeps the backward pass from
    /// padding activations.
    pub fn outputs(&self, start: usize, len: usize) -> Result<Linear> {
        let cut = |bias: Option<&Tensor>| bias.map(|bias| bias.narrow(0, start, len)).transpose();
        Ok(match self {
            Linear::Full(full) => {
                Linear::Full(candle_nn::Linear::new(full.weight().narrow(0, start, len)?, cut(full.bias())?))
            }
            Linear::Quantized(matrix, bias) => {
                Linear::Quantized(Arc::new(rows(matrix, start..start + len)?), cut(bias.as_ref())?)
            }
        })
    }
}

impl Module for Linear {
    /// (.., in) -> (.., out)
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        match self {
            Linear::Full(full) => full.forward(x),
            Linear::Quantized(matrix, bias) => {
                let inputs = matrix.shape().dims()[1];
                if x.elem_count() > FEW_ROWS * inputs {
                    return candle_nn::Linear::new(matrix.dequantize(x.device())?, bias.clone()).forward(x);
                }
                let y = QMatMul::from_arc(Arc::clone(matrix))?.forward(x)?;
                bias.as_ref().map_or(Ok(y.clone()), |bias| y.broadcast_add(bias))
            }
        }
    }
}

/// The vectors (C) of tokens.
pub enum Embedding {
    Full(candle_nn::Embedding),
    /// (V, C)
    Quantized(Arc<QTensor>),
}

impl Module for Embedding {
    /// Ids (B, T) -> (B, T, C)
    fn forward(&self, ids: &Tensor) -> Result<Tensor> {
        match self {
            Embedding::Full(full) => full.forward(ids),
            Embedding::Quantized(matrix) => {
                let all: Vec<u32> = ids.flatten_all()?.to_vec1()?;
                let vectors = rows(matrix, all.iter().map(|id| *id as usize))?.dequantize(ids.device())?;
                vectors.reshape([ids.dims(), &matrix.shape().dims()[1..]].concat())
            }
        }
    }
}

/// Whether a type holds each value as a number of its own.
pub fn is_full(dtype: GgmlDType) -> bool {
    matches!(dtype, GgmlDType::F32 | GgmlDType::F16 | GgmlDType::BF16)
}

/// Rows of a quantized matrix, in this order. A block of values never spans two rows.
///
/// # Errors
/// If the matrix doesn't have such a row.
pub fn rows(matrix: &QTensor, rows: impl IntoIterator<Item = usize>) -> Result<QTensor> {
    let (all, columns) = matrix.shape().dims2()?;
    let data = matrix.data()?;
    let size = data.len() / all;
    let mut chosen = Vec::new();
    for row in rows {
        match data.get(row * size..(row + 1) * size) {
            Some(row) => chosen.extend_from_slice(row),
            None => candle_core::bail!("row {row} is out of range: the matrix has {all} rows"),
        }
    }
    let count = chosen.len() / size;
    let storage = QStorage::from_data(chosen.into(), &Device::Cpu, matrix.dtype())?;
    QTensor::new(storage, (count, columns))
}
