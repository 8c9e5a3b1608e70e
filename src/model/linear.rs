//! A linear map over rows.

use super::params::Params;
use candle_core::{Result, Tensor};

/// y = x W + b, with W as (in, out) whichever way round it is stored.
pub struct Linear {
    weight: Tensor,
    bias: Option<Tensor>,
}

impl Linear {
    /// `{name}.weight` stored as (out, in), no bias: Llama's layout.
    pub fn llama(params: &Params, name: &str) -> Result<Linear> {
        Ok(Linear { weight: params.get(&format!("{name}.weight"))?.t()?, bias: None })
    }

    /// `{name}.weight` stored as (in, out), and `{name}.bias`: GPT-2's layout.
    pub fn gpt2(params: &Params, name: &str) -> Result<Linear> {
        let weight = params.get(&format!("{name}.weight"))?;
        Ok(Linear { weight, bias: Some(params.get(&format!("{name}.bias"))?) })
    }

    /// The map to `len` of the outputs, from `start`. Cutting the weights, not the result, keeps
    /// the backward pass from padding activations.
    pub fn columns(&self, start: usize, len: usize) -> Result<Linear> {
        let bias = self.bias.as_ref().map(|bias| bias.narrow(0, start, len)).transpose()?;
        Ok(Linear { weight: self.weight.narrow(1, start, len)?, bias })
    }

    /// (N, in) -> (N, out)
    pub fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let y = x.matmul(&self.weight)?;
        match &self.bias {
            Some(bias) => y.broadcast_add(bias),
            None => Ok(y),
        }
    }
}
