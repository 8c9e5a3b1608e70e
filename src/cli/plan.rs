//! Plans of runs and comparisons: lines on standard error, and JSON for `--dry-run --json`.

use super::text::{duration, grouped, scaled};
use crate::data::Dataset;
use crate::lab::compare::{self, Design, Run};
use crate::model::kernels::instruction_set;
use crate::model::{ModelSize, training_bytes};
use crate::settings::{ModelConfig, OptimizerKind, Recipe, Settings, Training};
use crate::support::numbers::setting;
use crate::train::{Estimate, Plan};
use anyhow::Result;
use serde_json::{Value, json};

/// Prints what will run, before the model is built.
pub fn show_plan(plan: &Plan) {
    let (recipe, size) = (&plan.recipe, &plan.size);
    let ModelConfig { act, layers, heads, dim, ffn_dim, context, .. } = plan.config;
    let Training { batch_size, grad_accum, weight_decay, beta1, beta2, grad_clip, dropout, seed, .. } =
        recipe.training;
    let optimizer = match recipe.training.optimizer {
        OptimizerKind::Adamw => "AdamW",
        OptimizerKind::Muon => "Muon",
    };
    let [backbone, ops] = [json!(plan.config.backbone), json!(recipe.ops)]
        .map(|name| name.as_str().unwrap_or_default().to_string());
    let [embedding, attention, ffn] = [size.embedding, size.attention, size.ffn]
        .map(|part| format!("{} ({:.0}%)", grouped(part), 100.0 * part as f64 / size.total as f64));
    let [lr, min_lr] = [recipe.training.lr, recipe.training.min_lr].map(setting);
    let [vocabulary, steps, tokens, warmup, total] =
        [plan.config.vocab_size, plan.steps - plan.first_step, plan.tokens_per_step, plan.warmup, size.total]
            .map(grouped);
    note!(
        "model   {backbone} {act}: {layers} layers, {heads} heads, width {dim}, FFN {ffn_dim}, context {context}, vocabulary {vocabulary}"
    );
    note!("params  {total}: embedding {embedding}, attention {attention}, FFN {ffn}");
    let excess = 100.0 * ModelSize::ffn_excess(&plan.config);
    note!("FFN     {excess:+.1}% parameters against an ungated FFN of 4 x width");
    note!("data    {}: {:.2} epochs of the training split", plan.data, plan.epochs);
    note!("work    {steps} steps of {tokens} tokens, {}FLOP per token", scaled(plan.flops_per_token));
    note!("memory  about {}B", scaled(plan.memory));
    let excess = 100.0 * plan.update_flops / (plan.flops_per_token * plan.tokens_per_step as f64);
    let excess = if excess > 0.0 { format!("; {excess:.0}% more arithmetic") } else { String::new() };
    note!(
        "{optimizer:7} lr {lr}, cosine to {min_lr}, warmup {warmup}; decay {weight_decay}, betas {beta1} {beta2}, clip {grad_clip}{excess}"
    );
    let tokenizer = &recipe.tokenizer;
    note!(
        "batch   {batch_size} sequences x {grad_accum}; dropout {dropout}, seed {seed}, tokenizer {tokenizer}"
    );
    let (instructions, threads) = (instruction_set(), rayon::current_num_threads());
    note!("machine {}, {instructions}, threads {threads}, f32, {ops} operations", recipe.device);
}

/// Prints what only the built model tells.
pub fn show_estimate(estimate: &Estimate) {
    let (time, rms) = (duration(estimate.seconds), estimate.ffn_output_rms);
    note!("time    about {time}; initial FFN output {rms:.4} (root mean square)");
}

/// A run before its first step.
pub fn run_json(plan: &Plan, estimate: &Estimate) -> Value {
    let size = &plan.size;
    json!({
        "settings": Settings {
            steps: Some(plan.steps),
            warmup: Some(plan.warmup),
            ..effective(&plan.recipe)
        },
        "instruction_set": instruction_set(),
        "data": plan.data,
        "vocab_size": plan.config.vocab_size,
        "params": {
            "total": size.total,
            "embedding": size.embedding,
            "attention": size.attention,
            "ffn": size.ffn,
        },
        "first_step": plan.first_step,
        "tokens_per_step": plan.tokens_per_step,
        "epochs": plan.epochs,
        "flops_per_token": plan.flops_per_token,
        "update_flops": plan.update_flops,
        "ffn_output_rms": estimate.ffn_output_rms,
        "memory_bytes": plan.memory,
        "seconds": estimate.seconds,
    })
}

/// A comparison before its first run.
pub fn comparison_json(
    plan: &compare::Plan,
    design: &Design,
    recipe: &Recipe,
    dataset: &Dataset,
) -> Result<Value> {
    let arm = |(i, run): (usize, Run)| -> Result<Value> {
        let recipe = recipe.with(&run.settings())?;
        let config = recipe.model(dataset.tokenizer.vocab_size())?;
        Ok(json!({
            "act": run.variant,
            "params": ModelSize::new(&config).total,
            "ffn_dim": config.ffn_dim,
            "ffn_init_scale": run.ffn_init_scale,
            "ffn_output_rms": plan.timing.ffn_output_rms[i],
            "memory_bytes": training_bytes(&config, recipe.training.batch_size, recipe.ops),
            "seconds_per_step": plan.timing.steps[i],
        }))
    };
    let one_each = Design { seeds: design.seeds[..1].to_vec(), rates: Vec::new(), ..design.clone() };
    let arms: Vec<Value> = one_each.runs().into_iter().enumerate().map(arm).collect::<Result<_>>()?;
    // The settings that all runs share.
    let settings =
        Settings { act: None, seed: None, ffn_dim: None, ffn_init_scale: None, ..effective(recipe) };
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
        "jobs": plan.jobs,
        "seconds": plan.seconds,
        "detectable_share": plan.detectable,
    }))
}

/// The value of every setting.
fn effective(recipe: &Recipe) -> Settings {
    Settings { threads: Some(rayon::current_num_threads()), ..recipe.effective() }
}
