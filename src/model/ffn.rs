//! The feed-forward network: expand each token's row, activate, compress.

use super::ops;
use super::param_map::BlockParams;
use super::parts::Parts;
use crate::activation::Activation;
use candle_core::{Result, Tensor};
use candle_nn::{Linear, Module};

/// `down(f(up x))`, or with a gated activation `down(f(gate x) * up x)`.
pub struct Ffn {
    act: Activation,
    gate: Option<Linear>,
    up: Linear,
    pub(super) down: Linear,
}

/// The hidden units of some rows, (.., F) each.
pub struct Hidden {
    /// What f reads.
    pub pre_activation: Tensor,
    /// What the down projection reads.
    pub units: Tensor,
}

impl Ffn {
    /// # Panics
    /// If `gate` is there without a gated activation, or the other way round.
    pub fn from_linears(act: Activation, gate: Option<Linear>, up: Linear, down: Linear) -> Ffn {
        assert_eq!(act.gated, gate.is_some(), "a gated activation has a gate");
        Ffn { act, gate, up, down }
    }

    pub(super) fn new(parts: &Parts, of: &BlockParams) -> Result<Ffn> {
        let gate = of.gate.map(|gate| parts.linear(gate)).transpose()?;
        Ok(Ffn::from_linears(parts.config.act, gate, parts.linear(of.up)?, parts.linear(of.down)?))
    }

    /// (.., C) -> (.., F)
    pub fn hidden(&self, x: &Tensor) -> Result<Hidden> {
        let up = self.up.forward(x)?;
        let pre_activation = match &self.gate {
            Some(gate) => gate.forward(x)?,
            None => up.clone(),
        };
        let units = ops::activate(self.act, &pre_activation, &up)?;
        Ok(Hidden { pre_activation, units })
    }
}

impl Module for Ffn {
    /// (.., C) -> (.., C)
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        self.down.forward(&self.hidden(x)?.units)
    }
}
