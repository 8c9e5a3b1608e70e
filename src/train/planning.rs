//! What a run will take, told before it runs.

use super::events::{Estimate, Plan};
use super::session::{EVAL_TOKENS, Session, default_warmup, median};
use crate::bail_input;
use crate::data::{Batch, Batches, Dataset};
use crate::failure::Failure;
use crate::model::{Model, ModelSize, Pass, Site, training_bytes, training_flops_per_token};
use crate::run::signals;
use crate::settings::{Length, ModelConfig, Recipe, Settings};
use crate::waiting::waiting;
use anyhow::Result;
use candle_core::Tensor;
use std::time::{Duration, Instant};

/// A step that takes longer than this is not timed whole.
const TIMED_FOR: f64 = 3.0;
/// Tokens timed first.
const FEW_TOKENS: usize = 64;

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
            tokens_per_step,
            first_step: 0,
            steps,
            epochs: (steps * tokens_per_step) as f64 / (batches.windows() * config.context) as f64,
            memory: training_bytes(&config, training.batch_size, recipe.ops),
            config,
        })
    }
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
        note!("warning: --lr is 0, so that training changes nothing");
    }
    match recipe.training.warmup {
        Some(warmup) if warmup >= steps && flags.warmup.is_some() => bail_input!(
            "--warmup is {warmup}, but the run has {steps} steps and would end before its learning rate is reached; give fewer, or leave it out for {}",
            default_warmup(steps)
        ),
        Some(warmup) if warmup >= steps => {
            note!(
                "the preset's warmup of {warmup} steps is longer than this run; {} are used",
                default_warmup(steps)
            );
            Recipe::new(Settings { warmup: None, ..recipe.settings().clone() })
        }
        _ => Ok(recipe),
    }
}

impl Session<'_> {
    /// Times one step, or a part of a long one. Changes nothing.
    pub fn estimate(&mut self) -> Result<Estimate> {
        let _waiting = waiting("timing a step");
        let training = &self.recipe.training;
        let mut batches =
            Batches::new(&self.dataset.train, self.model.config.context, training.batch_size, training.seed)?;
        let step_seconds = self.time_batch(&batches.get(0))? * training.grad_accum as f64;
        Ok(Estimate {
            step_seconds,
            seconds: step_seconds * self.state.steps.saturating_sub(self.state.step) as f64,
            ffn_output_rms: self.state.ffn_output_rms,
        })
    }

    /// Seconds of one forward and backward pass, told by a few of its tokens where it takes long.
    fn time_batch(&mut self, batch: &Batch) -> Result<f64> {
        let config = &self.model.config;
        let few = batch.first(FEW_TOKENS.min(config.context));
        let flops = |batch: &Batch, context| {
            batch.inputs.len() as f64 * training_flops_per_token(&ModelConfig { context, ..config.clone() })
        };
        let share = flops(batch, config.context) / flops(&few, few.inputs.len());
        let mut time = |batch: &Batch| -> Result<f64> {
            let began = Instant::now();
            let tokens = config.context.min(batch.inputs.len());
            self.gradients.add(&batch.inputs, &batch.targets, tokens, None)?;
            self.gradients.clear();
            Ok(began.elapsed().as_secs_f64())
        };
        // The first pass also gets the memory for all others.
        if time(&few)? * share > TIMED_FOR {
            let seconds = time(&few)? * share;
            if seconds > TIMED_FOR {
                return Ok(seconds);
            }
        }
        time(batch)
    }

    /// Median seconds of a step, over at most `most` steps and about as long as `limit`. They are taken in
    /// earnest: a session to be thrown away.
    pub fn time_steps(&mut self, most: usize, limit: Duration) -> Result<f64> {
        let training = &self.recipe.training;
        let mut batches =
            Batches::new(&self.dataset.train, self.model.config.context, training.batch_size, training.seed)?;
        let began = Instant::now();
        while self.step_seconds.len() < most && began.elapsed() < limit {
            signals::check("while timing")?;
            match self.step(&mut batches) {
                // That is for the run itself to tell.
                Err(error) if matches!(error.downcast_ref(), Some(Failure::Diverged(_))) => break,
                step => step?,
            };
        }
        Ok(median(&self.step_seconds))
    }

    /// Seconds that scoring a million validation tokens, or all, takes; from the first few thousand.
    pub fn time_scoring(&mut self) -> Result<f64> {
        let all = self.dataset.val.len().min(EVAL_TOKENS);
        let some = all.min(8192.max(4 * self.model.config.context));
        let began = Instant::now();
        self.score(some, &mut |_, _| {})?;
        Ok(began.elapsed().as_secs_f64() * all as f64 / some as f64)
    }
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
