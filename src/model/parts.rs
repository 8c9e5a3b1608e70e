//! Building the model's modules from named tensors.

use super::norm::Norm;
use super::param_map::{LinearParams, NormParams, ParamMap};
use crate::settings::ModelConfig;
use candle_core::{Result, Tensor};
use candle_nn::{Linear, VarBuilder};

/// Makes modules over the tensors of `vb` that the map names.
pub struct Parts<'a> {
    pub config: &'a ModelConfig,
    pub map: &'a ParamMap,
    pub vb: &'a VarBuilder<'a>,
}

impl Parts<'_> {
    pub fn tensor(&self, parameter: usize) -> Result<Tensor> {
        let spec = &self.map.specs[parameter];
        self.vb.get(spec.shape.as_slice(), &spec.name)
    }

    pub fn linear(&self, of: LinearParams) -> Result<Linear> {
        let weight = self.tensor(of.weight)?;
        // candle reads W as (out, in).
        let weight = if of.outputs_first { weight } else { weight.t()? };
        Ok(Linear::new(weight, of.bias.map(|bias| self.tensor(bias)).transpose()?))
    }

    pub fn norm(&self, of: NormParams) -> Result<Norm> {
        let bias = of.bias.map(|bias| self.tensor(bias)).transpose()?;
        Ok(Norm::new(self.tensor(of.weight)?, bias, self.config.norm_eps))
    }
}
