//! Training in memory: steps and scores, without a directory.

use super::adamw::clip_scale;
use super::diagnosis::first_bad;
use super::events::{BadNumbers, StepReport};
use super::optimizer::Optimizer;
use super::plan::{default_warmup, ffn_output_rms, steps};
use super::schedule::Schedule;
use crate::data::{Batches, Dataset};
use crate::generate::score::{Pieces, Score, each_loss};
use crate::generate::{Limits, Sampler, Sampling, generate};
use crate::model::{Dropout, Gradients, Model, ModelSize, Params};
use crate::run::checkpoint::{Build, TrainerState};
use crate::settings::{Recipe, Settings, Training};
use crate::support::follow::Follow;
use crate::support::home::shorten;
use crate::support::waiting::waiting;
use anyhow::Result;
use candle_core::Device;
use std::time::Instant;

/// Validation tokens scored while training; the whole text is scored at the end.
pub const EVAL_TOKENS: usize = 1_000_000;

/// A model that learns from a text by a recipe.
pub struct Trainer<'a> {
    pub(super) recipe: &'a Recipe,
    pub(super) dataset: &'a Dataset,
    pub(super) batches: Batches<'a>,
    pub(super) model: Model,
    pub(super) gradients: Gradients,
    pub(super) optimizer: Optimizer,
    pub(super) state: TrainerState,
    pub(super) schedule: Schedule,
    /// Of every step so far.
    pub(super) step_seconds: Vec<f64>,
}

impl<'a> Trainer<'a> {
    /// A trainer of fresh weights.
    pub fn start(recipe: &'a Recipe, dataset: &'a Dataset, device: &Device) -> Result<Trainer<'a>> {
        let config = recipe.model(dataset.tokenizer.vocab_size())?;
        let training = &recipe.training;
        let _waiting = waiting("initializing the weights");
        let params = Params::init_scaled(&config, training.seed, training.ffn_init_scale, device)?;
        Trainer::start_from(recipe, dataset, Model::new(config, params, recipe.ops)?, None)
    }

    /// A trainer of a model that `init` names, or of a fresh one.
    pub fn start_from(
        recipe: &'a Recipe,
        dataset: &'a Dataset,
        model: Model,
        init: Option<String>,
    ) -> Result<Trainer<'a>> {
        let steps = steps(recipe, dataset)?;
        let state = TrainerState {
            // Resuming must not depend on how the text's length translates into steps.
            settings: Settings { steps: Some(steps), ..Settings::default() }.over(recipe.settings()),
            init,
            started_in: std::env::current_dir().ok().map(|path| shorten(&path.to_string_lossy())),
            step: 0,
            steps,
            tokens: 0,
            params: ModelSize::new(&model.config).total,
            train_loss: None,
            skipped_steps: 0,
            ffn_output_rms: ffn_output_rms(&model, dataset, recipe)?,
            data: dataset.fingerprint(),
            text_tokens: Some((dataset.train.len(), dataset.val.len())),
            build: Some(Build::this()),
        };
        Trainer::new(recipe, dataset, model, state)
    }

    pub(super) fn new(
        recipe: &'a Recipe,
        dataset: &'a Dataset,
        model: Model,
        state: TrainerState,
    ) -> Result<Trainer<'a>> {
        let training = &recipe.training;
        let warmup = state.settings.warmup.unwrap_or(default_warmup(state.steps));
        Ok(Trainer {
            batches: Batches::new(&dataset.train, model.config.context, training.batch_size, training.seed)?,
            schedule: Schedule::new(training, warmup, state.steps),
            gradients: model.gradients(),
            optimizer: Optimizer::new(&model.params, training)?,
            step_seconds: Vec::new(),
            recipe,
            dataset,
            model,
            state,
        })
    }

    pub fn model(&self) -> &Model {
        &self.model
    }

    pub fn tokens_per_step(&self) -> usize {
        let training = &self.recipe.training;
        training.batch_size * self.model.config.context * training.grad_accum
    }

    /// One optimizer step. A step whose numbers aren't finite changes nothing but the count of skipped steps.
    ///
    /// # Errors
    /// [`BadNumbers`] if that was one step too many.
    pub fn step(&mut self) -> Result<StepReport> {
        let began = Instant::now();
        let training = &self.recipe.training;
        let (step, parts, context) = (self.state.step, training.grad_accum, self.model.config.context);
        let mut loss = 0.0;
        for part in 0..parts {
            let batch = self.batches.get(step * parts + part);
            let dropout = Some(self.dropout(part));
            loss += self.gradients.add(&batch.inputs, &batch.targets, context, dropout)? / parts as f64;
        }
        let grad_norm = self.gradients.norm()? / parts as f64;
        let scalars_share = self.scalars_share(parts, grad_norm)?;
        let lr = self.schedule.lr(step);
        let skipped = if loss.is_finite() && grad_norm.is_finite() {
            let scale = clip_scale(grad_norm, training.grad_clip) / parts as f64;
            // Skipped steps don't count as updates.
            let updates = step - self.state.skipped_steps;
            self.optimizer.update(&self.model.params, &mut self.gradients, scale, lr, updates)?;
            self.state.train_loss = Some(loss);
            None
        } else {
            Some(self.skip(loss, grad_norm)?)
        };
        let tokens = self.tokens_per_step();
        self.state.step += 1;
        self.state.tokens += tokens as u64;
        let seconds = began.elapsed().as_secs_f64();
        self.step_seconds.push(seconds);
        let recent = median(&self.step_seconds[self.step_seconds.len().saturating_sub(20)..]);
        Ok(StepReport {
            step: step + 1,
            steps: self.state.steps,
            loss,
            lr,
            grad_norm,
            scalars_share,
            scalars: self.model.params.learned_scalars()?,
            skipped,
            tokens: self.state.tokens,
            seconds,
            tokens_per_second: tokens as f64 / recent,
            seconds_left: recent * self.state.steps.saturating_sub(step + 1) as f64,
        })
    }

    /// The share of the squared gradient norm that is the learned scalars'; none without any.
    fn scalars_share(&self, parts: usize, grad_norm: f64) -> Result<Option<f64>> {
        let scalars: Vec<usize> =
            self.model.params.map.blocks.iter().flat_map(|block| block.scalars.iter().copied()).collect();
        if scalars.is_empty() {
            return Ok(None);
        }
        let norm = self.gradients.norm_of(&scalars)? / parts as f64;
        Ok(Some((norm / grad_norm).powi(2)))
    }

    fn dropout(&self, micro_step: usize) -> Dropout {
        let Training { dropout: rate, seed, .. } = self.recipe.training;
        Dropout { rate, seed, step: self.state.step, micro_step }
    }

    /// Skips a step with bad numbers, or fails if that was one too many.
    fn skip(&mut self, loss: f64, grad_norm: f64) -> Result<BadNumbers> {
        let (training, step) = (&self.recipe.training, self.state.step);
        let mut place = None;
        for part in 0..training.grad_accum {
            let ids = self.batches.get(step * training.grad_accum + part).inputs;
            let dropout = Some(self.dropout(part)).filter(|dropout| dropout.rate > 0.0);
            place = place.or(first_bad(&self.model, &ids, dropout, &self.gradients)?);
        }
        let bad = BadNumbers { step: step + 1, loss, grad_norm, place };
        if self.state.skipped_steps >= training.skip_bad_steps {
            return Err(bad.into());
        }
        self.gradients.clear();
        self.state.skipped_steps += 1;
        Ok(bad)
    }

    /// The score of the first `limit` validation tokens and, if these are all, its pieces. `follow` is told how
    /// many tokens are done, and of how many; its error ends the scoring.
    ///
    /// # Errors
    /// [`BadNumbers`] if the loss isn't finite.
    pub fn score(&self, limit: usize, follow: Follow) -> Result<(Score, Option<Pieces>)> {
        let tokens = &self.dataset.val[..limit.min(self.dataset.val.len())];
        let whole = tokens.len() == self.dataset.val.len();
        let tokenizer = &self.dataset.tokenizer;
        let bytes = match self.dataset.val_bytes {
            Some(_) if !whole => Some(tokenizer.decode(tokens)?.len()),
            bytes => bytes,
        };
        let context = self.model.config.context;
        let mut pieces = Pieces::of(tokens, tokenizer.end_of_text().map(|(id, _)| id), context);
        let mut tell = |index, nats| pieces.add(index, nats);
        each_loss(&self.model, tokens, context, &tokenizer.around_documents(), &mut tell, follow)?;
        let score = pieces.score(bytes);
        if !score.loss().is_finite() {
            let place = first_bad(&self.model, &tokens[..context.min(tokens.len())], None, &self.gradients)?;
            let (step, loss) = (self.state.step, score.loss());
            return Err(BadNumbers { step, loss, grad_norm: f64::NAN, place }.into());
        }
        Ok((score, whole.then_some(pieces)))
    }

    /// What the model writes now, from the start of a line.
    pub fn sample(&self, max_tokens: usize) -> Result<String> {
        let mut sampler = Sampler::new(Sampling::DEFAULT, 0);
        let limits = Limits { max_tokens, stop: Vec::new() };
        let tokenizer = &self.dataset.tokenizer;
        Ok(generate(&mut self.model.decoder(), tokenizer, "\n", &mut sampler, &limits, |_| Ok(()))?.text)
    }
}

pub(super) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}
