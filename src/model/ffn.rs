//! The feed-forward network: expand each token's row, activate, compress.

use super::linear::Linear;
use super::param_map::BlockParams;
use super::parts::Parts;
use crate::activation::Activation;
use candle_core::{Result, Tensor};
use candle_nn::Module;

/// `down(f(up x))`, or with a gated activation `down(f(gate x, up x))`.
pub struct Ffn {
    act: Activation,
    scalars: Vec<Tensor>,
    gate: Option<Linear>,
    up: Linear,
    pub(super) down: Linear,
}

/// The hidden units of some rows, (.., F) each.
pub struct Hidden {
    /// What f reads: the gate where there is one.
    pub pre_activation: Tensor,
    /// What the down projection reads.
    pub units: Tensor,
}

impl Ffn {
    pub(super) fn new(parts: &Parts, of: &BlockParams) -> Result<Ffn> {
        let gate = of.gate.map(|gate| parts.linear(gate)).transpose()?;
        let (up, down) = (parts.linear(of.up)?, parts.linear(of.down)?);
        let scalars = of.scalars.iter().map(|scalar| parts.tensor(*scalar)).collect::<Result<_>>()?;
        Ok(Ffn { act: parts.config.act, scalars, gate, up, down })
    }

    /// (.., C) -> (.., F)
    pub fn hidden(&self, x: &Tensor) -> Result<Hidden> {
        let up = self.up.forward(x)?;
        let inputs = match &self.gate {
            Some(gate) => vec![gate.forward(x)?, up],
            None => vec![up],
        };
        let units = self.act.program().over_tensors(&inputs, &self.scalars)?;
        let pre_activation = inputs[0].clone();
        Ok(Hidden { pre_activation, units })
    }
}

impl Module for Ffn {
    /// (.., C) -> (.., C)
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.down.forward(&self.hidden(x)?.units)
    }
}
