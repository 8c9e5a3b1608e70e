//! A training run from its first step to its last checkpoint.

use super::adamw::{AdamW, clip_scale};
use super::diagnosis::first_bad;
use super::events::{Evaluation, Event, Outcome, StepReport, Watcher};
use super::journal::Journal;
use super::planning::{ffn_output_rms, steps};
use super::schedule::Schedule;
use crate::checkpoint::{Build, Checkpoint, Metrics, TrainerState};
use crate::data::{Batches, Dataset};
use crate::failure::{Failure, one_line};
use crate::generate::{Limits, Sampler, Sampling, generate};
use crate::home::shorten;
use crate::input_error;
use crate::model::{self, Dropout, Gradients, Model, ModelSize, Params};
use crate::output::setting;
use crate::run::{LAST, Metric, RunDir, finite, signals};
use crate::score::{Pieces, Score, each_loss};
use crate::settings::{Recipe, Settings, Training};
use crate::waiting::waiting;
use anyhow::Result;
use candle_core::Device;
use std::time::Instant;

/// Validation tokens scored while training; the whole text is scored at the end.
pub(super) const EVAL_TOKENS: usize = 1_000_000;

/// A run in memory.
pub struct Session<'a> {
    pub(super) recipe: &'a Recipe,
    pub(super) dataset: &'a Dataset,
    pub(super) journal: Journal,
    pub(super) model: Model,
    pub(super) gradients: Gradients,
    pub(super) optimizer: AdamW,
    pub(super) state: TrainerState,
    pub(super) schedule: Schedule,
    pub(super) best: Option<f64>,
    pub(super) step_seconds: Vec<f64>,
    /// The last score of the whole validation text by its pieces.
    pieces: Option<Pieces>,
    /// What going on with other settings changes.
    pub notes: Vec<String>,
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
        let _waiting = waiting("initializing the weights");
        let params = Params::init_scaled(&config, training.seed, training.ffn_init_scale, device)?;
        let model = Model::new(config, params, recipe.ops)?;
        Session::start_from(recipe, dataset, run, model, None)
    }

    /// A run at its beginning, with the weights of a model that `init` names, or fresh ones.
    pub fn start_from(
        recipe: &'a Recipe,
        dataset: &'a Dataset,
        run: RunDir,
        model: Model,
        init: Option<String>,
    ) -> Result<Session<'a>> {
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
        Session::new(recipe, dataset, Journal::new(run, None), model, state)
    }

    pub(super) fn new(
        recipe: &'a Recipe,
        dataset: &'a Dataset,
        journal: Journal,
        model: Model,
        state: TrainerState,
    ) -> Result<Session<'a>> {
        let training = &recipe.training;
        let warmup = state.settings.warmup.unwrap_or(default_warmup(state.steps));
        let schedule = Schedule::new(training, warmup, state.steps);
        let (gradients, optimizer) = (model.gradients(), AdamW::new(&model.params, training)?);
        Ok(Session {
            recipe,
            dataset,
            journal,
            model,
            gradients,
            optimizer,
            state,
            schedule,
            best: None,
            step_seconds: Vec::new(),
            pieces: None,
            notes: Vec::new(),
            samples: false,
        })
    }

    pub fn model(&self) -> &Model {
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
        let (first_step, steps) = (self.state.step, self.state.steps);
        watcher.notice(Event::Begun { first_step, steps, estimate: self.estimate()? });
        self.journal.begin(self.state.step, &self.config_file()?)?;
        let evaluation_due = |step: usize| step == steps || is_due(step, training.eval_every);
        // A run that was killed between saving and evaluating still owes the evaluation.
        let metrics = self.journal.run().metrics()?;
        let evaluated =
            metrics.iter().any(|metric| metric.step() == self.state.step && metric.val_loss().is_some());
        let mut owed = self.state.step > 0 && evaluation_due(self.state.step) && !evaluated;
        let mut final_score = None;
        loop {
            if owed {
                let evaluation = self.evaluate(watcher)?;
                watcher.notice(Event::Evaluated(evaluation));
                self.journal.prune(training.keep);
                final_score = (evaluation.step == steps && evaluation.whole).then_some(evaluation.score);
                if self.samples {
                    watcher.notice(Event::Sampled(&self.sample()?));
                }
            }
            self.journal.news().iter().for_each(|line| watcher.notice(Event::Told(line)));
            if self.state.step >= steps {
                break;
            }
            let report = self.step(&mut batches)?;
            watcher.notice(Event::Stepped(report));
            owed = evaluation_due(report.step);
            let (stop, asked) = (signals::asked(), signals::asked_to_save());
            let due = owed || is_due(report.step, training.save_every) || self.journal.is_overdue();
            if due || stop || asked {
                match self.save() {
                    Ok(path) if asked => {
                        watcher.notice(Event::Told(&format!("saved {path} as a signal asked")));
                    }
                    Ok(_) => {}
                    Err(error) if stop => return Err(self.stopped_unsaved(error)),
                    Err(error) => watcher.notice(Event::Told(&self.not_saved(&error))),
                }
            }
            if stop && report.step < steps {
                return Err(self.interrupted());
            }
        }
        if self.journal.saved(steps).is_none() {
            // The disk may have room by now; a model that is nowhere is no result.
            self.save().map_err(|error| self.stopped_unsaved(error))?;
        }
        let score = match final_score {
            Some(score) => score,
            None => self.score(self.dataset.val.len(), &mut |done, all| {
                watcher.notice(Event::Scored { done, all });
            })?,
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
            let batch = batches.get(step * parts + part);
            let (context, dropout) = (self.model.config.context, self.dropout(part));
            let added = self.gradients.add(&batch.inputs, &batch.targets, context, Some(dropout))?;
            loss += added / parts as f64;
        }
        let grad_norm = self.gradients.norm()? / parts as f64;
        let lr = self.schedule.lr(step);
        let is_good = loss.is_finite() && grad_norm.is_finite();
        if is_good {
            let scale = clip_scale(grad_norm, training.grad_clip) / parts as f64;
            // The optimizer counts its updates, of which skipped steps are none.
            let updates = step - self.state.skipped_steps;
            self.optimizer.update(&self.model.params, &mut self.gradients, scale, lr, updates)?;
            self.state.train_loss = Some(loss);
        } else {
            self.skip(batches, loss, grad_norm)?;
        }

        let tokens = training.batch_size * self.model.config.context * parts;
        self.state.step += 1;
        self.state.tokens += tokens as u64;
        let seconds = began.elapsed().as_secs_f64();
        self.step_seconds.push(seconds);
        let metric = Metric::Step {
            step: step + 1,
            loss: finite(loss),
            lr,
            grad_norm: finite(grad_norm),
            tokens: self.state.tokens,
            seconds,
            skipped: !is_good,
        };
        let scalars = [
            ("train/loss", loss),
            ("train/learning_rate", lr),
            ("train/gradient_norm", grad_norm),
            ("train/tokens_per_second", tokens as f64 / seconds),
        ];
        self.journal.log(&metric, &scalars);
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

    fn dropout(&self, micro_step: usize) -> Dropout {
        let Training { dropout: rate, seed, .. } = self.recipe.training;
        Dropout { rate, seed, step: self.state.step, micro_step }
    }

    /// Passes over a step whose numbers are bad, or ends the run if that was one too many.
    fn skip(&mut self, batches: &mut Batches, loss: f64, grad_norm: f64) -> Result<()> {
        let (training, step) = (&self.recipe.training, self.state.step);
        let mut place = None;
        for part in 0..training.grad_accum {
            let ids = batches.get(step * training.grad_accum + part).inputs;
            let dropout = Some(self.dropout(part)).filter(|dropout| dropout.rate > 0.0);
            place = place.or(first_bad(&self.model, &ids, dropout, &self.gradients)?);
        }
        if self.state.skipped_steps >= training.skip_bad_steps {
            return Err(self.diverged(step + 1, loss, grad_norm, place));
        }
        self.gradients.clear();
        self.state.skipped_steps += 1;
        self.journal.tell(format!(
            "warning: step {} is skipped, {} of at most {}: loss {loss}, gradient norm {grad_norm}{}",
            step + 1,
            self.state.skipped_steps,
            training.skip_bad_steps,
            first_seen(place)
        ));
        Ok(())
    }

    fn diverged(&self, step: usize, loss: f64, grad_norm: f64, place: Option<String>) -> anyhow::Error {
        let training = &self.recipe.training;
        anyhow::Error::new(Failure::Diverged(format!(
            "training diverged at step {step}: loss {loss}, gradient norm {grad_norm}{}; {}. Try a lower --lr (now {}), a longer --warmup (now {}) or --grad-clip 1 (now {})",
            first_seen(place),
            self.journal.last_good(),
            setting(training.lr),
            self.schedule.warmup,
            setting(training.grad_clip),
        )))
    }

    fn interrupted(&self) -> anyhow::Error {
        Failure::Interrupted(format!("stopped after step {}, which is saved", self.state.step)).into()
    }

    fn stopped_unsaved(&self, error: anyhow::Error) -> anyhow::Error {
        let step = self.state.step;
        error.context(format!("stopped after step {step}, which is lost; {}", self.journal.last_good()))
    }

    fn not_saved(&self, error: &anyhow::Error) -> String {
        format!("warning: {}; training goes on, and {}", one_line(error), self.journal.last_good())
    }

    /// What the model writes now, from the start of a line.
    fn sample(&mut self) -> Result<String> {
        let mut sampler = Sampler::new(Sampling::DEFAULT, 0);
        let limits = Limits { max_tokens: 100, stop: Vec::new() };
        let sample = generate(&self.model, &self.dataset.tokenizer, "\n", &mut sampler, &limits, |_| Ok(()))?;
        let metric = Metric::Sample { step: self.state.step, sample: sample.text.clone() };
        self.journal.log(&metric, &[]);
        Ok(sample.text)
    }

    /// Saves the run as it is and returns where, as a person reads it.
    fn save(&mut self) -> Result<String> {
        let contents = Checkpoint {
            model: &self.model,
            tokenizer: &self.dataset.tokenizer,
            trainer: &self.state,
            optimizer: self.optimizer.state(&self.model.params),
        };
        let path = self.journal.save(&contents)?;
        self.journal.prune(self.recipe.training.keep);
        Ok(path.display().to_string())
    }

    /// Scores the validation text and marks the checkpoint if it is the best so far. The same part
    /// of the text is scored every time, so that losses can be compared.
    fn evaluate(&mut self, watcher: &mut dyn Watcher) -> Result<Evaluation> {
        let step = self.state.step;
        // Who asks for a checkpoint meanwhile gets the answer at once: it was saved before.
        let saved = self.journal.saved(step);
        let mut follow = |done, all| {
            watcher.notice(Event::Scored { done, all });
            if let Some(path) = saved.as_ref().filter(|_| signals::asked_to_save()) {
                watcher.notice(Event::Told(&format!("saved {} before this evaluation", path.display())));
            }
        };
        let score = self.score(EVAL_TOKENS, &mut follow)?;
        if !score.loss().is_finite() {
            let ids = &self.dataset.val[..self.model.config.context.min(self.dataset.val.len())];
            let place = first_bad(&self.model, ids, None, &self.gradients)?;
            return Err(self.diverged(step, score.loss(), f64::NAN, place));
        }
        let metrics = Metrics {
            loss: score.loss(),
            perplexity: score.perplexity(),
            bits_per_byte: score.bits_per_byte(),
        };
        self.journal.describe(&self.model.config, &self.state, &metrics);
        let best = self.best.is_none_or(|best| score.loss() < best);
        if best {
            self.best = Some(score.loss());
            self.journal.mark_best(step);
        }
        let metric = Metric::Evaluation {
            step,
            val_loss: score.loss(),
            val_perplexity: finite(score.perplexity()),
            bits_per_byte: score.bits_per_byte(),
            val_tokens: score.tokens,
        };
        let bits = score.bits_per_byte().map(|bits| ("validation/bits_per_byte", bits));
        let scalars: Vec<_> = [("validation/loss", score.loss())].into_iter().chain(bits).collect();
        self.journal.log(&metric, &scalars);
        let whole = self.dataset.val.len() <= EVAL_TOKENS;
        let floor = self.dataset.floor.filter(|_| whole).map(|nats| nats / score.tokens as f64);
        Ok(Evaluation { step, score, whole, best, floor })
    }

    /// The score of the first `limit` validation tokens; `follow` is told of each how many are done, and of how
    /// many.
    pub(super) fn score(&mut self, limit: usize, follow: &mut dyn FnMut(usize, usize)) -> Result<Score> {
        let tokens = &self.dataset.val[..limit.min(self.dataset.val.len())];
        let whole = tokens.len() == self.dataset.val.len();
        let tokenizer = &self.dataset.tokenizer;
        let bytes = match self.dataset.val_bytes {
            Some(_) if !whole => Some(tokenizer.decode(tokens)?.len()),
            bytes => bytes,
        };
        let separator = tokenizer.end_of_text().map(|(id, _)| id);
        let context = self.model.config.context;
        let mut pieces = Pieces::of(tokens, separator, context);
        each_loss(&self.model, tokens, context, &tokenizer.around_documents(), &mut |index, nats| {
            pieces.add(index, nats);
            follow(index + 1, tokens.len());
        })?;
        let score = pieces.score(bytes);
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
            skipped_steps: self.state.skipped_steps,
            val_loss: score.loss(),
            val_perplexity: score.perplexity(),
            best_loss: self.best.unwrap_or(f64::INFINITY).min(score.loss()),
            bits_per_byte: score.bits_per_byte(),
            floor: self.dataset.floor.map(|nats| nats / score.tokens as f64),
            ffn_output_rms: self.state.ffn_output_rms,
            flops_per_token: model::training_flops_per_token(config),
            checkpoint: self
                .journal
                .run()
                .checkpoint(LAST)
                .ok_or_else(|| input_error!("the run has no checkpoint"))?,
        })
    }
}

/// Steps of linear warmup where none are said.
pub(super) fn default_warmup(steps: usize) -> usize {
    (steps / 20).min(100)
}

fn first_seen(place: Option<String>) -> String {
    place.map_or(String::new(), |place| format!(", first seen {place}"))
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
