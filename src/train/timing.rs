//! How long training takes, from a few steps.

use super::events::{BadNumbers, Estimate};
use super::plan::update_flops;
use super::trainer::{EVAL_TOKENS, Trainer, median};
use crate::data::Batch;
use crate::model::training_flops_per_token;
use crate::settings::ModelConfig;
use crate::support::waiting::waiting;
use anyhow::Result;
use std::time::{Duration, Instant};

/// A step that takes longer than this is not timed whole.
const TIMED_FOR: f64 = 3.0;
/// Tokens timed first.
const FEW_TOKENS: usize = 64;

impl Trainer<'_> {
    /// Times one step, or a part of a long one. Changes nothing.
    pub fn estimate(&mut self) -> Result<Estimate> {
        let _waiting = waiting("timing a step");
        let batch = self.batches.get(0);
        let config = &self.model.config;
        let flops = training_flops_per_token(config) * self.tokens_per_step() as f64;
        // The update isn't timed, since it would change something.
        let update = update_flops(config, self.recipe.training.optimizer) / flops;
        let passes = self.time_batch(&batch)? * self.recipe.training.grad_accum as f64;
        let step_seconds = passes * (1.0 + update);
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

    /// Median seconds of a step, over at most `most` steps and about as long as `limit`. The steps train: throw
    /// the trainer away afterwards.
    pub fn time_steps(&mut self, most: usize, limit: Duration) -> Result<f64> {
        let began = Instant::now();
        while self.step_seconds.len() < most && began.elapsed() < limit {
            match self.step() {
                // That is for the run itself to tell.
                Err(error) if error.is::<BadNumbers>() => break,
                step => step?,
            };
        }
        Ok(median(&self.step_seconds))
    }

    /// Seconds that scoring a million validation tokens, or all, takes; from the first few thousand.
    pub fn time_scoring(&self) -> Result<f64> {
        let all = self.dataset.val.len().min(EVAL_TOKENS);
        let some = all.min(8192.max(4 * self.model.config.context));
        let began = Instant::now();
        match self.score(some, &mut |_, _| Ok(())) {
            Err(error) if !error.is::<BadNumbers>() => return Err(error),
            _ => {}
        }
        Ok(began.elapsed().as_secs_f64() * all as f64 / some as f64)
    }
}
