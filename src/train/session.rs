//! A training run from its first step to its last checkpoint.

use super::events::{Evaluation, Event, Outcome, StepReport, Watcher};
use super::learner::{Learner, clip_scale, learner};
use super::moments::Moments;
use super::planning::ffn_output_rms;
use super::schedule::Schedule;
use crate::checkpoint::{self, Checkpoint, Metrics, TrainerState};
use crate::data::{Batches, Dataset};
use crate::failure::Failure;
use crate::generate::{Limits, Sampler, Sampling, generate};
use crate::model::{self, Dropout, Gpt, ModelSize, Params};
use crate::run::{BEST, LAST, RunDir, TensorBoard, signals};
use crate::score::{Pieces, Score, each_loss};
use crate::settings::{Length, Recipe, Settings};
use crate::{bail_input, input_error};
use anyhow::Result;
use candle_core::Device;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Instant;

/// Validation tokens scored while training; the whole text is scored at the end.
pub(super) const EVAL_TOKENS: usize = 1_000_000;

/// A run in memory.
pub struct Session<'a> {
    pub(super) recipe: &'a Recipe,
    pub(super) dataset: &'a Dataset,
    run: RunDir,
    pub(super) model: Gpt,
    pub(super) learner: Box<dyn Learner>,
    pub(super) state: TrainerState,
    schedule: Schedule,
    best: Option<f64>,
    pub(super) step_seconds: Vec<f64>,
    board: Option<TensorBoard>,
    /// The last score of the whole validation text by its pieces.
    pieces: Option<Pieces>,
    /// Write a sample after every evaluation.
    pub samples: bool,
}

impl<'a> Session<'a> {
    /// A run at its beginning.
    pub fn start(
        recipe: &'a Recipe,
        dataset: &'a Dataset,
        run: RunDir,
        device: &Device,
    ) -> Result<Session<'a>> {
        let config = recipe.model(dataset.tokenizer.vocab_size())?;
        let training = &recipe.training;
        let params = Params::init_scaled(&config, training.seed, training.ffn_init_scale, device)?;
        let model = Gpt::new(config, params, device, recipe.ops)?;
        Session::start_from(recipe, dataset, run, model, None)
    }

    /// A run at its beginning, with the weights of a model that `init` names, or fresh ones.
    pub fn start_from(
        recipe: &'a Recipe,
        dataset: &'a Dataset,
        run: RunDir,
        model: Gpt,
        init: Option<String>,
    ) -> Result<Session<'a>> {
        let steps = steps(recipe, dataset)?;
        let state = TrainerState {
            // Resuming must not depend on how the text's length translates into steps.
            settings: Settings { steps: Some(steps), ..Settings::default() }.over(recipe.settings()),
            init,
            step: 0,
            steps,
            tokens: 0,
            params: ModelSize::new(&model.config).total,
            train_loss: f64::NAN,
            ffn_output_rms: ffn_output_rms(&model, dataset, recipe)?,
            data: dataset.fingerprint(),
        };
        Session::new(recipe, dataset, run, model, state)
    }

    /// A run as its last checkpoint left it.
    ///
    /// # Errors
    /// If the text is not the one the run began with.
    pub fn resume(
        recipe: &'a Recipe,
        dataset: &'a Dataset,
        run: RunDir,
        device: &Device,
    ) -> Result<Session<'a>> {
        let shown = run.path().display().to_string();
        let Some(directory) = run.checkpoint(LAST) else {
            bail_input!("{shown} holds no checkpoint to resume")
        };
        let saved = checkpoint::load_trainer(&directory)?;
        if saved.data != dataset.fingerprint() {
            bail_input!(
                "the text {} is not the one that {shown} was trained on; resuming would mix the two",
                dataset.name
            );
        }
        let model = checkpoint::load_model(&directory, device, recipe.ops)?;
        if recipe.model(model.config.vocab_size)? != model.config {
            bail_input!("trainer.json and config.json of {} describe different models", directory.display());
        }
        let steps = steps(recipe, dataset)?;
        if steps < saved.step {
            bail_input!("{shown} has done {} steps already; --steps {steps} is less", saved.step);
        }
        let state = TrainerState { settings: recipe.settings().clone(), steps, ..saved };
        let mut session = Session::new(recipe, dataset, run, model, state)?;
        let shapes = Moments::shapes(&session.model.params);
        let moments = checkpoint::read_tensors(&directory.join("optimizer.safetensors"), &shapes, device)?;
        *session.learner.moments() = Moments::from_names(&session.model.params, moments)?;
        let step = session.state.step as u64;
        let metrics = session.run.metrics();
        let done = |line: &&Value| line["step"].as_u64() <= Some(step);
        let numbers =
            |key: &'static str| metrics.iter().filter(done).filter_map(move |line| line[key].as_f64());
        session.best = numbers("val_loss").min_by(f64::total_cmp);
        session.step_seconds = numbers("seconds").collect();
        Ok(session)
    }

    fn new(
        recipe: &'a Recipe,
        dataset: &'a Dataset,
        run: RunDir,
        model: Gpt,
        state: TrainerState,
    ) -> Result<Session<'a>> {
        let training = &recipe.training;
        let schedule = Schedule {
            peak: training.lr,
            floor: training.min_lr,
            warmup: training.warmup.unwrap_or((state.steps / 20).min(100)),
            steps: state.steps,
        };
        let learner = learner(&model, training)?;
        Ok(Session {
            recipe,
            dataset,
            run,
            model,
            learner,
            state,
            schedule,
            best: None,
            step_seconds: Vec::new(),
            board: None,
            pieces: None,
            samples: false,
        })
    }

    pub fn model(&self) -> &Gpt {
        &self.model
    }

    /// The final loss by pieces of the validation text, once trained.
    pub fn pieces(&self) -> Option<&Pieces> {
        self.pieces.as_ref()
    }

    /// Trains to the end, saving and evaluating on the way.
    ///
    /// # Errors
    /// [`Failure::Diverged`] if the loss or a gradient stops being finite.
    pub fn train(&mut self, watcher: &mut dyn Watcher) -> Result<Outcome> {
        let training = &self.recipe.training;
        let mut batches =
            Batches::new(&self.dataset.train, self.model.config.context, training.batch_size, training.seed)?;
        let plan = self.plan()?;
        watcher.notice(Event::Planned(&plan));
        self.run.remove_unfinished()?;
        self.run.truncate_log(self.state.step)?;
        self.board = Some(TensorBoard::create(self.run.path(), self.state.step)?);
        let steps = self.state.steps;
        let evaluation_due = |step: usize| step == steps || is_due(step, training.eval_every);
        // A run that was killed between saving and evaluating still owes the evaluation.
        let is_here = |line: &Value| line["step"].as_u64() == Some(self.state.step as u64);
        let evaluated = self.run.metrics().iter().any(|line| is_here(line) && line["val_loss"].is_number());
        let mut owed = self.state.step > 0 && evaluation_due(self.state.step) && !evaluated;
        let mut final_score = None;
        loop {
            if owed {
                let evaluation = self.evaluate()?;
                watcher.notice(Event::Evaluated(evaluation));
                self.run.prune(training.keep)?;
                final_score = (evaluation.step == steps && evaluation.whole).then_some(evaluation.score);
                if self.samples {
                    watcher.notice(Event::Sampled(&self.sample()?));
                }
            }
            if self.state.step >= steps {
                break;
            }
            let report = self.step(&mut batches)?;
            watcher.notice(Event::Stepped(report));
            owed = evaluation_due(report.step);
            let stop = signals::asked();
            if owed || stop || is_due(report.step, training.save_every) {
                watcher.notice(Event::Saved(&self.save()?));
                self.run.prune(training.keep)?;
            }
            if stop && report.step < steps {
                return Err(self.interrupted());
            }
        }
        let score = match final_score {
            Some(score) => score,
            None => self.score(self.dataset.val.len())?,
        };
        self.outcome(score)
    }

    /// One optimizer update.
    pub(super) fn step(&mut self, batches: &mut Batches) -> Result<StepReport> {
        let began = Instant::now();
        let training = &self.recipe.training;
        let (step, parts) = (self.state.step, training.grad_accum);
        let mut loss = 0.0;
        for part in 0..parts {
            let dropout = Dropout { rate: training.dropout, seed: training.seed, step, micro_step: part };
            let batch = batches.get(step * parts + part);
            loss += self.learner.accumulate(&self.model, &batch, Some(dropout))? / parts as f64;
        }
        let grad_norm = self.learner.norm()? / parts as f64;
        if !(loss.is_finite() && grad_norm.is_finite()) {
            return Err(self.diverged(loss, grad_norm));
        }
        let clip = clip_scale(grad_norm, training.grad_clip);
        let lr = self.schedule.lr(step);
        self.learner.update(&self.model.params, clip / parts as f64, lr, step)?;

        let tokens = training.batch_size * self.model.config.context * parts;
        self.state.step += 1;
        self.state.tokens += tokens as u64;
        self.state.train_loss = loss;
        let seconds = began.elapsed().as_secs_f64();
        self.step_seconds.push(seconds);
        self.run.log(&json!({
            "step": step + 1, "loss": loss, "lr": lr, "grad_norm": grad_norm,
            "tokens": self.state.tokens, "seconds": seconds,
        }))?;
        let tokens_per_second = tokens as f64 / seconds;
        self.scalars(&[
            ("train/loss", loss),
            ("train/learning_rate", lr),
            ("train/gradient_norm", grad_norm),
            ("train/tokens_per_second", tokens_per_second),
        ])?;
        let recent = median(&self.step_seconds[self.step_seconds.len().saturating_sub(20)..]);
        Ok(StepReport {
            step: step + 1,
            steps: self.state.steps,
            loss,
            lr,
            grad_norm,
            tokens_per_second: tokens as f64 / recent,
            seconds_left: recent * (self.state.steps - step - 1) as f64,
        })
    }

    fn diverged(&self, loss: f64, grad_norm: f64) -> anyhow::Error {
        let last = match self.run.checkpoint(LAST) {
            Some(path) => format!("the last good checkpoint is {}", path.display()),
            None => "there is no checkpoint yet".to_string(),
        };
        let training = &self.recipe.training;
        anyhow::Error::new(Failure::Diverged(format!(
            "training diverged at step {}: loss {loss}, gradient norm {grad_norm}; {last}. Try a lower --lr (now {}), a longer --warmup (now {}) or --grad-clip 1 (now {})",
            self.state.step + 1,
            training.lr,
            self.schedule.warmup,
            training.grad_clip,
        )))
    }

    fn interrupted(&self) -> anyhow::Error {
        Failure::Interrupted(format!("stopped after step {}, which is saved", self.state.step)).into()
    }

    /// What the model writes now, from the start of a line.
    fn sample(&self) -> Result<String> {
        let mut sampler = Sampler::new(Sampling::DEFAULT, 0);
        let limits = Limits { max_tokens: 100, stop: Vec::new() };
        let sample = generate(&self.model, &self.dataset.tokenizer, "\n", &mut sampler, &limits, |_| Ok(()))?;
        self.run.log(&json!({ "step": self.state.step, "sample": sample.text }))?;
        Ok(sample.text)
    }

    fn save(&mut self) -> Result<PathBuf> {
        let path = self.run.step_dir(self.state.step);
        let contents = Checkpoint {
            model: &self.model,
            tokenizer: &self.dataset.tokenizer,
            trainer: &self.state,
            moments: self.learner.moments().by_name(&self.model.params),
        };
        checkpoint::save(&path, &contents)?;
        self.write_card(None)?;
        self.run.point(LAST, self.state.step)?;
        Ok(path)
    }

    /// Writes the model card of this step's checkpoint, once more when its score is known.
    fn write_card(&self, score: Option<&Score>) -> Result<()> {
        let metrics = score.map(|score| Metrics {
            loss: score.loss(),
            perplexity: score.perplexity(),
            bits_per_byte: score.bits_per_byte(),
        });
        let path = self.run.step_dir(self.state.step);
        checkpoint::write_card(&path, &self.model.config, &self.state, metrics.as_ref())
    }

    /// Scores the validation text and marks the checkpoint if it is the best so far. The same part
    /// of the text is scored every time, so that losses can be compared.
    fn evaluate(&mut self) -> Result<Evaluation> {
        let score = self.score(EVAL_TOKENS)?;
        if !score.loss().is_finite() {
            return Err(self.diverged(score.loss(), f64::NAN));
        }
        self.write_card(Some(&score))?;
        let best = self.best.is_none_or(|best| score.loss() < best);
        if best {
            self.best = Some(score.loss());
            self.run.point(BEST, self.state.step)?;
        }
        self.run.log(&json!({
            "step": self.state.step, "val_loss": score.loss(), "val_perplexity": score.perplexity(),
            "bits_per_byte": score.bits_per_byte(), "val_tokens": score.tokens,
        }))?;
        self.scalars(&[
            ("validation/loss", score.loss()),
            ("validation/bits_per_byte", score.bits_per_byte()),
        ])?;
        let whole = self.dataset.val.len() <= EVAL_TOKENS;
        let floor = self.dataset.floor.filter(|_| whole).map(|nats| nats / score.tokens as f64);
        Ok(Evaluation { step: self.state.step, score, whole, best, floor })
    }

    fn scalars(&mut self, values: &[(&str, f64)]) -> Result<()> {
        match &mut self.board {
            Some(board) => board.scalars(self.state.step, values),
            None => Ok(()),
        }
    }

    /// The score of the first `limit` validation tokens.
    pub(super) fn score(&mut self, limit: usize) -> Result<Score> {
        let tokens = &self.dataset.val[..limit.min(self.dataset.val.len())];
        let whole = tokens.len() == self.dataset.val.len();
        let bytes = if whole { self.dataset.val_bytes } else { self.dataset.tokenizer.decode(tokens)?.len() };
        let separator = self.dataset.tokenizer.end_of_text().map(|(id, _)| id);
        let context = self.model.config.context;
        let mut pieces = Pieces::of(tokens, separator, context);
        each_loss(&self.model, tokens, context, separator, &mut |index, nats| pieces.add(index, nats))?;
        let score = Score { nats: pieces.nats.iter().sum(), tokens: pieces.tokens.iter().sum(), bytes };
        self.pieces = whole.then_some(pieces);
        Ok(score)
    }

    fn outcome(&self, score: Score) -> Result<Outcome> {
        let config = &self.model.config;
        let tokens = self.recipe.training.batch_size * config.context * self.recipe.training.grad_accum;
        let size = ModelSize::new(config);
        Ok(Outcome {
            act: config.act.name(),
            params: size.total,
            ffn_params: size.ffn,
            ffn_dim: config.ffn_dim,
            steps: self.state.step,
            tokens: self.state.tokens,
            seconds: self.step_seconds.iter().sum(),
            tokens_per_second: tokens as f64 / median(&self.step_seconds),
            train_loss: self.state.train_loss,
            val_loss: score.loss(),
            val_perplexity: score.perplexity(),
            best_loss: self.best.unwrap_or(f64::INFINITY).min(score.loss()),
            bits_per_byte: score.bits_per_byte(),
            floor: self.dataset.floor.map(|nats| nats / score.tokens as f64),
            ffn_output_rms: self.state.ffn_output_rms,
            flops_per_token: model::training_flops_per_token(config),
            checkpoint: self.run.checkpoint(LAST).ok_or_else(|| input_error!("the run has no checkpoint"))?,
        })
    }
}

/// Optimizer updates that the recipe asks for on this text.
fn steps(recipe: &Recipe, dataset: &Dataset) -> Result<usize> {
    let training = &recipe.training;
    match training.length {
        Length::Steps(steps) => Ok(steps),
        Length::Epochs(epochs) => {
            let batches = Batches::new(&dataset.train, recipe.context(), training.batch_size, training.seed)?;
            let windows = batches.windows() as f64 * epochs;
            Ok((windows / (training.batch_size * training.grad_accum) as f64).ceil().max(1.0) as usize)
        }
    }
}

/// Whether something that happens every `period` steps happens after `step`; 0 is never.
fn is_due(step: usize, period: usize) -> bool {
    period > 0 && step.is_multiple_of(period)
}

pub(super) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}
