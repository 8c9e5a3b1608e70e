//! What makes arms comparable that cannot be equal in everything.

use super::design::{ArmDesign, Design, Matching};
use super::variant::Variant;
use crate::activation::Activation;
use crate::bail_input;
use crate::data::Dataset;
use crate::model::{Model, Params};
use crate::settings::Recipe;
use crate::train::ffn_output_rms;
use anyhow::Result;
use candle_core::Device;

/// FFNs are as wide as a multiple of this.
const MULTIPLE: usize = 8;

/// Makes the arms of a design equal: their FFN sizes and, with `match_init`, the scale of their FFNs' initial outputs.
pub fn match_arms(design: &mut Design, recipe: &Recipe, dataset: &Dataset, device: &Device) -> Result<()> {
    let said = recipe.settings().ffn_dim.is_some();
    let width = |variant: Variant| -> Result<Option<usize>> {
        let dim = recipe.with(&variant.settings())?.dim();
        let baseline = design.baseline_of(variant);
        let matched = || flops_matched(variant.act(), baseline.act(), dim);
        Ok((design.matching == Matching::Flops && !said).then(matched))
    };
    let arm = |arm: &ArmDesign| Ok(ArmDesign { ffn_dim: width(arm.variant)?, ..ArmDesign::new(arm.variant) });
    let mut arms: Vec<ArmDesign> = design.arms.iter().map(arm).collect::<Result<_>>()?;
    if design.match_init {
        let rms = |arm: &ArmDesign| -> Result<f64> {
            let recipe = recipe.with(&arm.settings())?;
            let config = recipe.model(dataset.tokenizer.vocab_size())?;
            let training = &recipe.training;
            let params = Params::init_scaled(&config, training.seed, training.ffn_init_scale, device)?;
            let rms = ffn_output_rms(&Model::new(config, params, recipe.ops)?, dataset, &recipe)?;
            if !(rms.is_finite() && rms > 0.0) {
                let what = if rms == 0.0 { "0" } else { "not finite" };
                bail_input!(
                    "--match-init can't scale {}: its initial output is {what}; leave it out of --acts, or leave --match-init out",
                    arm.variant
                );
            }
            Ok(rms)
        };
        for arm in &mut arms {
            let baseline = design.baseline_of(arm.variant);
            if arm.variant == baseline {
                continue;
            }
            let base = rms(&ArmDesign { ffn_dim: width(baseline)?, ..ArmDesign::new(baseline) })?;
            // Later blocks read what earlier ones wrote: a few rounds settle it.
            for _ in 0..4 {
                let scale = arm.ffn_init_scale.unwrap_or(1.0) * base / rms(arm)?;
                // Four digits are exact enough, and can be typed.
                arm.ffn_init_scale = Some(format!("{scale:.3e}").parse()?);
            }
        }
    }
    design.arms = arms;
    Ok(())
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
