//! What a run will take, told before it runs.

use super::events::Plan;
use super::muon;
use crate::bail_input;
use crate::data::{Batches, Dataset};
use crate::model::{
    Model, ModelSize, ParamMap, ParamSpec, Pass, Site, training_bytes, training_flops_per_token,
};
use crate::settings::{Length, ModelConfig, OptimizerKind, Recipe, Settings};
use anyhow::Result;
use candle_core::Tensor;

impl Plan {
    /// Counts, without allocating a weight.
    ///
    /// # Errors
    /// If there are more steps than a run can have.
    pub fn new(recipe: &Recipe, dataset: &Dataset) -> Result<Plan> {
        let training = &recipe.training;
        let config = recipe.model(dataset.tokenizer.vocab_size())?;
        let steps = steps(recipe, dataset)?;
        let tokens_per_step = training.batch_size * config.context * training.grad_accum;
        let batches = Batches::new(&dataset.train, config.context, training.batch_size, training.seed)?;
        Ok(Plan {
            recipe: recipe.clone(),
            warmup: training.warmup.unwrap_or(default_warmup(steps)),
            data: dataset.name.clone(),
            size: ModelSize::new(&config),
            flops_per_token: training_flops_per_token(&config),
            update_flops: update_flops(&config, training.optimizer),
            tokens_per_step,
            first_step: 0,
            steps,
            epochs: (steps * tokens_per_step) as f64 / (batches.windows() * config.context) as f64,
            memory: training_bytes(&config, training.batch_size, recipe.ops),
            config,
        })
    }
}

/// Floating-point operations of an update's matrix products.
pub fn update_flops(config: &ModelConfig, optimizer: OptimizerKind) -> f64 {
    let specs = ParamMap::new(config).specs;
    let is_muons = |spec: &&ParamSpec| optimizer == OptimizerKind::Muon && muon::is_for(spec);
    specs.iter().filter(is_muons).map(muon::flops).sum()
}

/// Optimizer updates that the recipe asks for on this text.
///
/// # Errors
/// If there are more than a run can have.
pub fn steps(recipe: &Recipe, dataset: &Dataset) -> Result<usize> {
    let training = &recipe.training;
    let steps = match training.length {
        Length::Steps(steps) => steps,
        Length::Epochs(epochs) => {
            let batches = Batches::new(&dataset.train, recipe.context(), training.batch_size, training.seed)?;
            let windows = batches.windows() as f64 * epochs;
            (windows / (training.batch_size * training.grad_accum) as f64).ceil().max(1.0) as usize
        }
    };
    training.check_steps(steps)?;
    Ok(steps)
}

/// The recipe with a schedule that makes sense on this text: its warmup ends before the run does. A longer one is
/// refused if `flags` ask for it; a preset's gives way to the default, since it was meant for another number of
/// steps. A learning rate of 0 is warned of.
pub fn settle_schedule(recipe: Recipe, dataset: &Dataset, flags: &Settings) -> Result<Recipe> {
    let steps = steps(&recipe, dataset)?;
    if recipe.training.lr == 0.0 {
        log::warn!("--lr is 0, so that training changes nothing");
    }
    match recipe.training.warmup {
        Some(warmup) if warmup >= steps && flags.warmup.is_some() => bail_input!(
            "--warmup is {warmup}, but the run has {steps} steps and would end before its learning rate is reached; give fewer, or leave it out for {}",
            default_warmup(steps)
        ),
        Some(warmup) if warmup >= steps => {
            log::info!(
                "the preset's warmup of {warmup} steps is longer than this run; {} are used",
                default_warmup(steps)
            );
            Recipe::new(Settings { warmup: None, ..recipe.settings().clone() })
        }
        _ => Ok(recipe),
    }
}

/// Default linear warmup: 5% of the steps, at most 100.
pub(super) fn default_warmup(steps: usize) -> usize {
    (steps / 20).min(100)
}

/// Tokens that tell the root mean square of the FFNs' outputs well enough, and all that one window of them has:
/// the reference keeps every score of attention, the square of a window's tokens.
const RMS_TOKENS: usize = 256;

/// Root mean square of all FFN outputs over the beginning of the first batch.
pub fn ffn_output_rms(model: &Model, dataset: &Dataset, recipe: &Recipe) -> Result<f64> {
    let (training, context) = (&recipe.training, model.config.context);
    let batch = Batches::new(&dataset.train, context, training.batch_size, training.seed)?.get(0);
    let window = context.min(RMS_TOKENS);
    let inputs = &batch.inputs[..batch.inputs.len().min(window * RMS_TOKENS.div_ceil(window))];
    let ids = Tensor::from_slice(inputs, (inputs.len() / window, window), model.device())?;
    let mut squares = Vec::new();
    let mut observer = |site: Site, _layer: usize, x: &Tensor| {
        if site == Site::FfnOutput {
            squares.push(x.sqr().and_then(|square| square.mean_all()?.to_scalar::<f32>()));
        }
    };
    model.gpt.observe(&ids, &mut Pass::default(), &mut observer)?;
    let squares = squares.into_iter().collect::<candle_core::Result<Vec<f32>>>()?;
    Ok((squares.iter().map(|square| f64::from(*square)).sum::<f64>() / squares.len() as f64).sqrt())
}
