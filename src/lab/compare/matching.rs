//! What makes arms comparable that cannot be equal in everything.

use super::design::{ArmDesign, Matching};
use crate::activation::{Activation, Number};
use crate::data::Dataset;
use crate::model::{Model, Params};
use crate::settings::{Recipe, Settings};
use crate::train::ffn_output_rms;
use anyhow::Result;
use candle_core::Device;
use std::cell::Cell;
use std::ops::{Add, Mul, Neg, Sub};

/// FFNs are as wide as a multiple of this.
const MULTIPLE: usize = 8;

/// The arms of a comparison: their FFN sizes and, with `init`, the scale of their FFNs' initial outputs.
pub fn match_arms(
    acts: &[Activation],
    baseline: Activation,
    (matching, init): (Matching, bool),
    recipe: &Recipe,
    dataset: &Dataset,
    device: &Device,
) -> Result<Vec<ArmDesign>> {
    let said = recipe.settings().ffn_dim.is_some();
    let width = |act: Activation| match matching {
        Matching::Flops if !said => Some(flops_matched(act, baseline, recipe.dim())),
        _ => None,
    };
    let arm = |&act: &Activation| ArmDesign { act, ffn_dim: width(act), ffn_init_scale: None };
    let mut arms: Vec<ArmDesign> = acts.iter().map(arm).collect();
    if init {
        let rms = |arm: &ArmDesign| -> Result<f64> {
            let settings = Settings {
                act: Some(arm.act),
                ffn_dim: arm.ffn_dim,
                ffn_init_scale: arm.ffn_init_scale,
                ..Settings::default()
            };
            let recipe = recipe.with(&settings)?;
            let config = recipe.model(dataset.tokenizer.vocab_size())?;
            let training = &recipe.training;
            let params = Params::init_scaled(&config, training.seed, training.ffn_init_scale, device)?;
            ffn_output_rms(&Model::new(config, params, recipe.ops)?, dataset, &recipe)
        };
        let base = rms(&ArmDesign { act: baseline, ffn_dim: width(baseline), ffn_init_scale: None })?;
        for arm in arms.iter_mut().filter(|arm| arm.act != baseline) {
            // Later blocks read what earlier ones wrote: a few rounds settle it.
            for _ in 0..4 {
                let scale = arm.ffn_init_scale.unwrap_or(1.0) * base / rms(arm)?;
                // Four digits are exact enough, and can be typed.
                arm.ffn_init_scale = Some(format!("{scale:.3e}").parse()?);
            }
        }
    }
    Ok(arms)
}

/// Hidden units with which an FFN takes as much arithmetic as the baseline's at its default size.
fn flops_matched(act: Activation, baseline: Activation, dim: usize) -> usize {
    let target = baseline.ffn_dim(dim) as f64 * flops_per_unit(baseline, dim);
    let units = target / flops_per_unit(act, dim);
    ((units / MULTIPLE as f64).round() as usize).max(1) * MULTIPLE
}

/// Floating-point operations of training on one token, per hidden unit of an FFN.
fn flops_per_unit(act: Activation, dim: usize) -> f64 {
    let gating = if act.gated { 4.0 } else { 1.0 };
    6.0 * (act.ffn_matrices() * dim) as f64 + operations(act) + gating
}

/// Operations of the activation's function and its derivative.
fn operations(act: Activation) -> f64 {
    let count = Cell::new(0.0);
    act.function.value(Counted(&count));
    act.function.derivative(Counted(&count));
    count.get()
}

/// A number that counts what is done with it. What our kernels need for a function of the library counts
/// as many operations: a polynomial and its range.
#[derive(Clone)]
struct Counted<'a>(&'a Cell<f64>);

const EXP: f64 = 20.0;
const LN: f64 = 16.0;
const TANH: f64 = EXP + 5.0;
const ERF: f64 = EXP + 16.0;

impl Counted<'_> {
    fn after(self, operations: f64) -> Self {
        self.0.set(self.0.get() + operations);
        self
    }
}

macro_rules! counted {
    ($($trait:ident :: $method:ident ($other:ty)),*) => {
        $(impl<'a> $trait<$other> for Counted<'a> {
            type Output = Self;
            fn $method(self, _: $other) -> Self {
                self.after(1.0)
            }
        })*
    };
}
counted!(Add::add(Counted<'a>), Sub::sub(Counted<'a>), Mul::mul(Counted<'a>), Add::add(f64), Mul::mul(f64));

impl Neg for Counted<'_> {
    type Output = Self;
    fn neg(self) -> Self {
        self.after(1.0)
    }
}

impl Number for Counted<'_> {
    fn constant(&self, _: f64) -> Self {
        self.clone()
    }
    fn exp(self) -> Self {
        self.after(EXP)
    }
    fn ln(self) -> Self {
        self.after(LN)
    }
    fn tanh(self) -> Self {
        self.after(TANH)
    }
    fn erf(self) -> Self {
        self.after(ERF)
    }
    fn if_positive(&self, _: Self, _: Self) -> Self {
        self.clone().after(1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn act(name: &str) -> Activation {
        name.parse().unwrap()
    }

    #[test]
    fn matching_flops_gives_costly_activations_fewer_units() {
        let width = |name: &str| flops_matched(act(name), act("relu"), 128);
        assert_eq!(width("relu"), 512);
        // mish takes about 100 operations of 1,536 per unit.
        assert!((464..512).contains(&width("mish")), "{}", width("mish"));
        assert!(width("swiglu") <= act("swiglu").ffn_dim(128));
        // Beside wide matrices the function costs nothing.
        assert!(flops_matched(act("gelu"), act("relu"), 4096) > 16_200);
    }
}
