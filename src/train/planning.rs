//! What a run will take, told before it runs.

use super::events::Plan;
use super::session::{EVAL_TOKENS, Session, median};
use crate::data::{Batches, Dataset};
use crate::failure::Failure;
use crate::model::{Model, ModelSize, Pass, Site, training_bytes, training_flops_per_token};
use crate::run::signals;
use crate::settings::Recipe;
use anyhow::Result;
use candle_core::Tensor;
use std::time::{Duration, Instant};

impl Session<'_> {
    /// Counts, and times one step that changes nothing.
    pub fn plan(&mut self) -> Result<Plan> {
        let (training, config) = (&self.recipe.training, &self.model.config);
        let mut batches =
            Batches::new(&self.dataset.train, config.context, training.batch_size, training.seed)?;
        let tokens_per_step = training.batch_size * config.context * training.grad_accum;
        let batch = batches.get(0);
        let began = Instant::now();
        self.gradients.add(&batch.inputs, &batch.targets, self.model.config.context, None)?;
        self.gradients.clear();
        let seconds = began.elapsed().as_secs_f64() * training.grad_accum as f64;
        let steps = self.state.steps;
        let tokens = (steps * tokens_per_step) as f64;
        Ok(Plan {
            config: config.clone(),
            data: self.dataset.name.clone(),
            size: ModelSize::new(config),
            flops_per_token: training_flops_per_token(config),
            tokens_per_step,
            first_step: self.state.step,
            steps,
            epochs: tokens / (batches.windows() * config.context) as f64,
            memory: training_bytes(config, training.batch_size, self.recipe.ops),
            seconds: seconds * (steps - self.state.step.min(steps)) as f64,
            ffn_output_rms: self.state.ffn_output_rms,
        })
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
        self.score(some, &mut || {})?;
        Ok(began.elapsed().as_secs_f64() * all as f64 / some as f64)
    }
}

/// Root mean square of all FFN outputs over the first sequences of the first batch: a few hundred tokens
/// tell it well enough.
pub fn ffn_output_rms(model: &Model, dataset: &Dataset, recipe: &Recipe) -> Result<f64> {
    let (training, context) = (&recipe.training, model.config.context);
    let batch = Batches::new(&dataset.train, context, training.batch_size, training.seed)?.get(0);
    let inputs = &batch.inputs[..batch.inputs.len().min(context * 256usize.div_ceil(context))];
    let ids = Tensor::from_slice(inputs, (inputs.len() / context, context), model.device())?;
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
