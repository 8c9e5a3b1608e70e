//! Building the model's modules from named tensors.

use super::linear::{Embedding, Linear, is_full};
use super::norm::Norm;
use super::param_map::{LinearParams, NormParams, ParamMap};
use crate::settings::ModelConfig;
use candle_core::quantized::QTensor;
use candle_core::{DType, Device, Result, Tensor};
use candle_nn::VarBuilder;
use std::collections::HashMap;
use std::sync::Arc;

/// Tensors by name.
pub enum Tensors<'a> {
    Full(VarBuilder<'a>),
    /// On the CPU, each in its own format. Matrices are (out, in).
    Quantized(HashMap<String, Arc<QTensor>>),
}

/// Makes modules over the tensors that the map names.
pub struct Parts<'a> {
    pub config: &'a ModelConfig,
    pub map: &'a ParamMap,
    pub tensors: &'a Tensors<'a>,
}

impl Parts<'_> {
    pub fn dtype(&self) -> DType {
        match self.tensors {
            Tensors::Full(vb) => vb.dtype(),
            Tensors::Quantized(_) => DType::F32,
        }
    }

    pub fn device(&self) -> &Device {
        match self.tensors {
            Tensors::Full(vb) => vb.device(),
            Tensors::Quantized(_) => &Device::Cpu,
        }
    }

    pub fn tensor(&self, parameter: usize) -> Result<Tensor> {
        let spec = &self.map.specs[parameter];
        match self.tensors {
            Tensors::Full(vb) => vb.get(spec.shape.as_slice(), &spec.name),
            Tensors::Quantized(tensors) => tensors[&spec.name].dequantize(&Device::Cpu),
        }
    }

    /// The token embedding. A tied head shares its values.
    pub fn embedding(&self) -> Result<Embedding> {
        let table = self.map.embedding;
        Ok(match self.tensors {
            Tensors::Full(_) => {
                Embedding::Full(candle_nn::Embedding::new(self.tensor(table)?, self.config.dim))
            }
            Tensors::Quantized(tensors) => {
                Embedding::Quantized(Arc::clone(&tensors[&self.map.specs[table].name]))
            }
        })
    }

    pub fn linear(&self, of: LinearParams) -> Result<Linear> {
        let bias = of.bias.map(|bias| self.tensor(bias)).transpose()?;
        Ok(match self.tensors {
            Tensors::Full(_) => {
                let weight = self.tensor(of.weight)?;
                // candle reads W as (out, in).
                let weight = if of.outputs_first { weight } else { weight.t()? };
                Linear::Full(candle_nn::Linear::new(weight, bias))
            }
            Tensors::Quantized(tensors) => {
                let matrix = &tensors[&self.map.specs[of.weight].name];
                match is_full(matrix.dtype()) {
                    true => Linear::Full(candle_nn::Linear::new(matrix.dequantize(&Device::Cpu)?, bias)),
                    false => Linear::Quantized(Arc::clone(matrix), bias),
                }
            }
        })
    }

    pub fn norm(&self, of: NormParams) -> Result<Norm> {
        let bias = of.bias.map(|bias| self.tensor(bias)).transpose()?;
        Ok(Norm::new(self.tensor(of.weight)?, bias, self.config.norm_eps))
    }
}
