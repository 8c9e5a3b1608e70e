//! What `--dry-run --json` prints.

use crate::activation::Activation;
use crate::data::Dataset;
use crate::lab::compare::{self, Design, Matching};
use crate::model::kernels::instruction_set;
use crate::model::{ModelSize, training_bytes};
use crate::settings::{Recipe, Settings};
use crate::train::{Estimate, Plan};
use anyhow::Result;
use serde::Serialize;

/// The plan of a run.
#[derive(Serialize)]
pub struct PlanRecord<'a> {
    settings: Settings,
    instruction_set: &'static str,
    data: &'a str,
    vocab_size: usize,
    params: ParamsRecord,
    first_step: usize,
    tokens_per_step: usize,
    epochs: f64,
    flops_per_token: f64,
    ffn_output_rms: f64,
    memory_bytes: f64,
    seconds: f64,
}

#[derive(Serialize)]
struct ParamsRecord {
    total: usize,
    embedding: usize,
    attention: usize,
    ffn: usize,
}

impl PlanRecord<'_> {
    pub fn new<'a>(plan: &'a Plan, estimate: &Estimate) -> PlanRecord<'a> {
        let ModelSize { total, embedding, attention, ffn, .. } = plan.size;
        PlanRecord {
            settings: Settings {
                steps: Some(plan.steps),
                warmup: Some(plan.warmup),
                ..settings(&plan.recipe)
            },
            instruction_set: instruction_set(),
            data: &plan.data,
            vocab_size: plan.config.vocab_size,
            params: ParamsRecord { total, embedding, attention, ffn },
            first_step: plan.first_step,
            tokens_per_step: plan.tokens_per_step,
            epochs: plan.epochs,
            flops_per_token: plan.flops_per_token,
            ffn_output_rms: estimate.ffn_output_rms,
            memory_bytes: plan.memory,
            seconds: estimate.seconds,
        }
    }
}

/// The plan of a comparison.
#[derive(Serialize)]
pub struct ComparisonPlanRecord<'a> {
    /// Those that all runs share.
    settings: Settings,
    instruction_set: &'static str,
    data: &'a str,
    arms: Vec<ArmPlanRecord>,
    baseline: Activation,
    seeds: &'a [u64],
    learning_rates: &'a [f64],
    #[serde(rename = "match")]
    matching: Matching,
    match_init: bool,
    steps: usize,
    epochs: f64,
    runs: usize,
    runs_left: usize,
    seconds: f64,
    detectable_share: f64,
}

#[derive(Serialize)]
struct ArmPlanRecord {
    act: Activation,
    params: usize,
    ffn_dim: usize,
    ffn_init_scale: Option<f64>,
    ffn_output_rms: f64,
    memory_bytes: f64,
    seconds_per_step: f64,
}

impl ComparisonPlanRecord<'_> {
    pub fn new<'a>(
        plan: &compare::Plan,
        design: &'a Design,
        recipe: &Recipe,
        dataset: &'a Dataset,
    ) -> Result<ComparisonPlanRecord<'a>> {
        let one_each = Design { seeds: design.seeds[..1].to_vec(), rates: Vec::new(), ..design.clone() };
        let arms = one_each.runs().into_iter().enumerate().map(|(i, run)| {
            let recipe = recipe.with(&run.settings())?;
            let config = recipe.model(dataset.tokenizer.vocab_size())?;
            Ok(ArmPlanRecord {
                act: run.act,
                params: ModelSize::new(&config).total,
                ffn_dim: config.ffn_dim,
                ffn_init_scale: run.ffn_init_scale,
                ffn_output_rms: plan.timing.ffn_output_rms[i],
                memory_bytes: training_bytes(&config, recipe.training.batch_size, recipe.ops),
                seconds_per_step: plan.timing.steps[i],
            })
        });
        Ok(ComparisonPlanRecord {
            settings: Settings {
                act: None,
                seed: None,
                ffn_dim: None,
                ffn_init_scale: None,
                ..settings(recipe)
            },
            instruction_set: instruction_set(),
            data: &dataset.name,
            arms: arms.collect::<Result<_>>()?,
            baseline: design.baseline,
            seeds: &design.seeds,
            learning_rates: &design.rates,
            matching: design.matching,
            match_init: design.match_init,
            steps: plan.steps,
            epochs: plan.epochs(),
            runs: design.runs().len(),
            runs_left: plan.runs_left,
            seconds: plan.seconds,
            detectable_share: plan.detectable,
        })
    }
}

/// Every setting with its value.
fn settings(recipe: &Recipe) -> Settings {
    Settings { threads: Some(rayon::current_num_threads()), ..recipe.effective() }
}
