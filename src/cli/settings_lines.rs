//! The settings that a run uses, as its plan and `--dry-run --json` show them.

use crate::compare::{self, Design};
use crate::data::Dataset;
use crate::kernels::instruction_set;
use crate::model::{ModelSize, training_bytes};
use crate::output::{grouped, setting};
use crate::settings::Recipe;
use crate::train::{Estimate, Plan};
use anyhow::Result;
use serde_json::{Map, Value, json};

/// The settings of a run in lines of at most about 80 columns.
pub fn settings_lines(plan: &Plan) -> Vec<String> {
    let (recipe, training) = (&plan.recipe, &plan.recipe.training);
    vec![
        format!(
            "AdamW   lr {}, cosine to {}, warmup {}; decay {}, betas {} {}, clip {}",
            setting(training.lr),
            setting(training.min_lr),
            grouped(plan.warmup),
            training.weight_decay,
            training.beta1,
            training.beta2,
            training.grad_clip,
        ),
        format!(
            "batch   {} sequences x {}; dropout {}, seed {}, tokenizer {}",
            training.batch_size, training.grad_accum, training.dropout, training.seed, recipe.tokenizer
        ),
        format!(
            "machine {}, {}, threads {}, f32, {} operations",
            recipe.device,
            instruction_set(),
            rayon::current_num_threads(),
            json!(recipe.ops).as_str().unwrap_or_default(),
        ),
    ]
}

/// The plan of a run as an object.
pub fn plan_json(plan: &Plan, estimate: &Estimate) -> Value {
    let mut settings = settings(&plan.recipe);
    settings.insert("steps".to_string(), json!(plan.steps));
    settings.insert("warmup".to_string(), json!(plan.warmup));
    json!({
        "settings": settings,
        "instruction_set": instruction_set(),
        "data": plan.data,
        "vocab_size": plan.config.vocab_size,
        "params": {
            "total": plan.size.total, "embedding": plan.size.embedding,
            "attention": plan.size.attention, "ffn": plan.size.ffn,
        },
        "first_step": plan.first_step,
        "tokens_per_step": plan.tokens_per_step,
        "epochs": plan.epochs,
        "flops_per_token": plan.flops_per_token,
        "ffn_output_rms": estimate.ffn_output_rms,
        "memory_bytes": plan.memory,
        "seconds": estimate.seconds,
    })
}

/// The plan of a comparison as an object.
pub fn comparison_json(
    plan: &compare::Plan,
    design: &Design,
    recipe: &Recipe,
    dataset: &Dataset,
) -> Result<Value> {
    let one_each = Design { seeds: design.seeds[..1].to_vec(), rates: Vec::new(), ..design.clone() };
    let arms = one_each.runs().into_iter().enumerate().map(|(i, run)| {
        let recipe = recipe.with(&run.settings())?;
        let config = recipe.model(dataset.tokenizer.vocab_size())?;
        Ok(json!({
            "act": run.act,
            "params": ModelSize::new(&config).total,
            "ffn_dim": config.ffn_dim,
            "ffn_init_scale": run.ffn_init_scale,
            "ffn_output_rms": plan.timing.ffn_output_rms[i],
            "memory_bytes": training_bytes(&config, recipe.training.batch_size, recipe.ops),
            "seconds_per_step": plan.timing.steps[i],
        }))
    });
    let arms = arms.collect::<Result<Vec<Value>>>()?;
    let mut settings = settings(recipe);
    // Each run has its own.
    settings.retain(|name, _| !["act", "seed", "ffn-dim", "ffn-init-scale"].contains(&name.as_str()));
    Ok(json!({
        "settings": settings,
        "instruction_set": instruction_set(),
        "data": dataset.name,
        "arms": arms,
        "baseline": design.baseline,
        "seeds": design.seeds,
        "learning_rates": design.rates,
        "match": design.matching,
        "match_init": design.match_init,
        "steps": plan.steps,
        "epochs": plan.epochs(),
        "runs": design.runs().len(),
        "runs_left": plan.runs_left,
        "seconds": plan.seconds,
        "detectable_share": plan.detectable,
    }))
}

/// Every setting with its value, by the name of its flag.
fn settings(recipe: &Recipe) -> Map<String, Value> {
    let mut settings = recipe.effective().to_map();
    settings.insert("threads".to_string(), json!(rayon::current_num_threads()));
    settings
}
