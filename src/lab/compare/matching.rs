//! What makes arms comparable that cannot be equal in everything.

use super::design::{ArmDesign, Matching};
use crate::activation::Activation;
use crate::bail_input;
use crate::data::Dataset;
use crate::model::{Model, Params};
use crate::settings::{Recipe, Settings};
use crate::train::ffn_output_rms;
use anyhow::Result;
use candle_core::Device;

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
            let rms = ffn_output_rms(&Model::new(config, params, recipe.ops)?, dataset, &recipe)?;
            if !(rms.is_finite() && rms > 0.0) {
                let what = if rms == 0.0 { "0" } else { "not finite" };
                bail_input!(
                    "--match-init can't scale {}: its initial output is {what}; leave it out of --acts, or leave --match-init out",
                    arm.act
                );
            }
            Ok(rms)
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
    6.0 * (act.ffn_matrices() * dim) as f64 + act.program().flops()
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
