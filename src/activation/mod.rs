//! Activations: a pointwise function from the table, gated or not.
//!
//! Ungated, an FFN computes `W_down f(W_up x)`; gated (Shazeer 2020, "GLU Variants Improve
//! Transformer"), it computes `W_down (f(W_gate x) * W_up x)`.

mod number;
mod table;

pub use number::Number;
pub use table::{Facts, Function, PerFunction};

use crate::bail_input;
use crate::support::failure::did_you_mean;
use candle_core::{Module, Tensor};
use number::Element;
use std::fmt;
use std::str::FromStr;

/// The activation of an FFN, chosen by `--act`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Activation {
    pub function: Function,
    pub gated: bool,
}

impl Module for Function {
    /// f of every element, with its derivative by autograd.
    fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        self.value(Element::new(x)).into_tensor()
    }
}

impl Activation {
    /// Every activation that has a name: the pointwise functions, then their gated forms.
    pub fn named() -> impl Iterator<Item = Activation> {
        let plain = Function::ALL.iter().map(|&function| Activation { function, gated: false });
        let gated = Function::ALL
            .iter()
            .filter(|function| function.facts().gated_name.is_some())
            .map(|&function| Activation { function, gated: true });
        plain.chain(gated)
    }

    /// The name `--act` takes: `relu`, `swiglu`, or `glu:mish` for a gate without its own name.
    pub fn name(self) -> String {
        let facts = self.function.facts();
        match (self.gated, facts.gated_name) {
            (false, _) => facts.name.to_string(),
            (true, Some(name)) => name.to_string(),
            (true, None) => format!("glu:{}", facts.name),
        }
    }

    /// The FFN's inner formula, as a person writes it.
    pub fn formula(self) -> String {
        if !self.gated {
            return self.function.facts().formula.to_string();
        }
        match self.function {
            Function::Identity => "(Vx) * (Wx)".to_string(),
            function => format!("{}(Vx) * (Wx)", function.facts().name),
        }
    }

    /// Matrices in the FFN: up and down, and the gate where there is one.
    pub fn ffn_matrices(self) -> usize {
        if self.gated { 3 } else { 2 }
    }

    /// The FFN hidden size that gives (nearly) the parameters of an ungated FFN of 4 `dim`:
    /// 4 `dim` itself, or 8/3 `dim` to the nearest multiple of 8 where there is a gate.
    pub fn ffn_dim(self, dim: usize) -> usize {
        if !self.gated {
            return 4 * dim;
        }
        let eighths = (8.0 * dim as f64 / 3.0 / 8.0).round() as usize;
        8 * eighths.max(1)
    }

    /// (smallest, largest) derivative, searched on [-20, 20].
    pub fn derivative_range(self) -> (f64, f64) {
        (-20_000..=20_000)
            .map(|i| self.function.derivative(f64::from(i) * 1e-3))
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), d| (low.min(d), high.max(d)))
    }
}

impl fmt::Display for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.name())
    }
}

impl FromStr for Activation {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let text = text.trim();
        let lower = text.to_ascii_lowercase();
        if let Some(activation) = Activation::named().find(|activation| activation.name() == lower) {
            return Ok(activation);
        }
        let pointwise = |name: &str| {
            Function::ALL
                .iter()
                .copied()
                .find(|function| function.facts().name == name || function.facts().aliases.contains(&name))
        };
        let found = match lower.strip_prefix("glu:") {
            Some(gate) => pointwise(gate).map(|function| Activation { function, gated: true }),
            None => pointwise(&lower).map(|function| Activation { function, gated: false }),
        };
        match found {
            Some(activation) => Ok(activation),
            None => {
                let names: Vec<String> = Activation::named().map(Activation::name).collect();
                let hint = did_you_mean(&lower, names.iter().map(String::as_str));
                bail_input!(
                    "unknown activation '{text}'{hint}; known: {}, glu:<any that is not gated>",
                    names.join(", ")
                )
            }
        }
    }
}

serde_by_name!(Activation);

#[cfg(test)]
mod tests;
