//! The settings that a run uses, as its plan and `--dry-run --json` show them.

use crate::compare::{self, Design};
use crate::data::Dataset;
use crate::kernels::instruction_set;
use crate::model::{ModelSize, training_bytes};
use crate::output::grouped;
use crate::settings::Recipe;
use crate::train::Plan;
use anyhow::Result;
use serde_json::{Value, json};

/// The settings of a run in lines of at most about 80 columns.
pub fn settings_lines(plan: &Plan) -> Vec<String> {
    let (recipe, training) = (&plan.recipe, &plan.recipe.training);
    vec![
        format!(
            "AdamW   lr {}, cosine to {}, warmup {}; decay {}, betas {} {}, clip {}",
            training.lr,
            rounded(training.min_lr),
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

/// Every setting with its value, and the machine.
pub fn settings_json(recipe: &Recipe, warmup: Option<usize>) -> Value {
    let mut settings = recipe.effective().to_map();
    settings.insert("warmup".to_string(), json!(warmup));
    settings.insert("threads".to_string(), json!(rayon::current_num_threads()));
    json!({ "settings": settings, "instruction_set": instruction_set() })
}

/// The plan of a run as an object.
pub fn plan_json(plan: &Plan) -> Value {
    let mut object = settings_json(&plan.recipe, Some(plan.warmup));
    object["settings"]["steps"] = json!(plan.steps);
    object["data"] = json!(plan.data);
    object["vocab_size"] = json!(plan.config.vocab_size);
    object["ffn_dim"] = json!(plan.config.ffn_dim);
    object["params"] = json!({
        "total": plan.size.total, "embedding": plan.size.embedding,
        "attention": plan.size.attention, "ffn": plan.size.ffn,
    });
    object["first_step"] = json!(plan.first_step);
    object["tokens_per_step"] = json!(plan.tokens_per_step);
    object["epochs"] = json!(plan.epochs);
    object["flops_per_token"] = json!(plan.flops_per_token);
    object["ffn_output_rms"] = json!(plan.ffn_output_rms);
    object["memory_bytes"] = json!(plan.memory);
    object["seconds"] = json!(plan.seconds);
    object
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
    let mut object = settings_json(recipe, recipe.training.warmup);
    if let Some(settings) = object["settings"].as_object_mut() {
        // Each run has its own.
        settings.retain(|name, _| !["act", "seed", "ffn-dim", "ffn-init-scale"].contains(&name.as_str()));
    }
    object["data"] = json!(dataset.name);
    object["arms"] = json!(arms);
    object["baseline"] = json!(design.baseline);
    object["seeds"] = json!(design.seeds);
    object["learning_rates"] = json!(design.rates);
    object["match"] = json!(design.matching);
    object["match_init"] = json!(design.match_init);
    object["steps"] = json!(plan.steps);
    object["epochs"] = json!(plan.epochs());
    object["runs"] = json!(design.runs().len());
    object["runs_left"] = json!(plan.runs_left);
    object["seconds"] = json!(plan.seconds);
    object["detectable_share"] = json!(plan.detectable);
    Ok(object)
}

/// Without the last digits of a division: 0.0006 instead of 0.0006000000000000001.
fn rounded(number: f64) -> f64 {
    format!("{number:.6e}").parse().unwrap_or(number)
}
