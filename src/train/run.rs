//! A training run on disk: a trainer, and the directory where its checkpoints, metrics and events go.

use super::events::{BadNumbers, Evaluation, Event, Outcome, Request, StepReport, Watcher};
use super::journal::Journal;
use super::trainer::{EVAL_TOKENS, Trainer, median};
use crate::generate::score::{Pieces, Score};
use crate::model::{Model, ModelSize, training_flops_per_token};
use crate::run::checkpoint::{Checkpoint, Metrics};
use crate::run::{LAST, Metric, RunDir, finite};
use crate::support::failure::{Failure, one_line};
use crate::support::numbers::setting;
use anyhow::{Context, Result};

/// Tokens of a sample while training.
const SAMPLE_TOKENS: usize = 100;

/// A run in a directory.
pub struct TrainingRun<'a> {
    pub(super) trainer: Trainer<'a>,
    pub(super) journal: Journal,
    /// The lowest validation loss so far.
    pub(super) best: Option<f64>,
    /// The score of the whole validation text after the last step, and its pieces.
    last_score: Option<(Score, Option<Pieces>)>,
    /// What resuming with other settings changes.
    pub notes: Vec<String>,
    /// Write a sample after every evaluation.
    pub samples: bool,
}

impl<'a> TrainingRun<'a> {
    /// A run that begins in this directory.
    pub fn new(trainer: Trainer<'a>, directory: RunDir) -> TrainingRun<'a> {
        TrainingRun::with_journal(trainer, Journal::new(directory, None))
    }

    pub(super) fn with_journal(trainer: Trainer<'a>, journal: Journal) -> TrainingRun<'a> {
        TrainingRun { trainer, journal, best: None, last_score: None, notes: Vec::new(), samples: false }
    }

    pub fn trainer(&mut self) -> &mut Trainer<'a> {
        &mut self.trainer
    }

    pub fn model(&self) -> &Model {
        &self.trainer.model
    }

    /// The final loss by pieces of the validation text, once trained.
    pub fn pieces(&self) -> Option<&Pieces> {
        self.last_score.as_ref()?.1.as_ref()
    }

    /// Trains to the end, saving and evaluating on the way.
    ///
    /// # Errors
    /// [`Failure::Diverged`] if the loss or a gradient stops being finite, [`Failure::Interrupted`] if the
    /// watcher asks to stop.
    pub fn train(&mut self, watcher: &mut dyn Watcher) -> Result<Outcome> {
        let training = &self.trainer.recipe.training;
        let steps = self.trainer.state.steps;
        let estimate = self.trainer.estimate()?;
        watcher.notice(Event::Begun { first_step: self.trainer.state.step, steps, estimate });
        self.journal.begin(self.trainer.state.step, &self.config_file()?)?;
        let evaluation_due = |step: usize| step == steps || is_due(step, training.eval_every);
        let mut owed = evaluation_due(self.trainer.state.step) && self.owes_evaluation()?;
        loop {
            if owed {
                self.evaluate(watcher)?;
            }
            self.tell_news(watcher);
            if self.trainer.state.step >= steps {
                break;
            }
            let report = self.step()?;
            let step = report.step;
            watcher.notice(Event::Stepped(report));
            owed = evaluation_due(step);
            let request = watcher.request();
            let due = owed || is_due(step, training.save_every) || self.journal.is_overdue();
            if due || request.is_some() {
                self.save_on_the_way(request, watcher)?;
            }
            if request == Some(Request::Stop) && step < steps {
                return Err(Failure::Interrupted(format!("stopped after step {step}, which is saved")).into());
            }
        }
        self.finish(watcher)
    }

    /// A run that was killed between saving and evaluating still owes the evaluation.
    fn owes_evaluation(&self) -> Result<bool> {
        let step = self.trainer.state.step;
        let evaluated = |metric: &Metric| metric.step() == step && metric.val_loss().is_some();
        Ok(step > 0 && !self.journal.run().metrics()?.iter().any(evaluated))
    }

    fn step(&mut self) -> Result<StepReport> {
        let report = self.trainer.step().map_err(|error| self.explain(error))?;
        let metric = Metric::Step {
            step: report.step,
            loss: finite(report.loss),
            lr: report.lr,
            grad_norm: finite(report.grad_norm),
            scalars_share: report.scalars_share.and_then(finite),
            scalars: report.scalars.clone(),
            tokens: report.tokens,
            seconds: report.seconds,
            skipped: report.skipped.is_some(),
        };
        if let Some(bad) = &report.skipped {
            let (skipped, most) =
                (self.trainer.state.skipped_steps, self.trainer.recipe.training.skip_bad_steps);
            let step = report.step;
            self.journal.tell(format!("warning: step {step} is skipped, {skipped} of at most {most}: {bad}"));
        }
        let scalars = [
            ("train/loss", report.loss),
            ("train/learning_rate", report.lr),
            ("train/gradient_norm", report.grad_norm),
            ("train/tokens_per_second", self.trainer.tokens_per_step() as f64 / report.seconds),
        ];
        let learned: Vec<(String, f64)> = report
            .scalars
            .iter()
            .map(|(name, value)| (format!("activation/{name}"), f64::from(*value)))
            .collect();
        let learned = learned.iter().map(|(name, value)| (name.as_str(), *value));
        self.journal.log(&metric, &scalars.into_iter().chain(learned).collect::<Vec<_>>());
        Ok(report)
    }

    /// Scores the validation text and marks the checkpoint if it is the best so far. The same part
    /// of the text is scored every time, so that losses can be compared.
    fn evaluate(&mut self, watcher: &mut dyn Watcher) -> Result<()> {
        let step = self.trainer.state.step;
        let (score, pieces) = self.score(EVAL_TOKENS, watcher)?;
        let metrics = Metrics {
            loss: score.loss(),
            perplexity: score.perplexity(),
            bits_per_byte: score.bits_per_byte(),
        };
        self.journal.describe(&self.trainer.model.config, &self.trainer.state, &metrics);
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
        let whole = pieces.is_some();
        let floor = self.trainer.dataset.floor.filter(|_| whole).map(|nats| nats / score.tokens as f64);
        watcher.notice(Event::Evaluated(Evaluation { step, score, whole, best, floor }));
        self.journal.prune(self.trainer.recipe.training.keep);
        if whole && step == self.trainer.state.steps {
            self.last_score = Some((score, pieces));
        }
        if self.samples {
            let sample = self.trainer.sample(SAMPLE_TOKENS)?;
            watcher.notice(Event::Sampled(&sample));
            self.journal.log(&Metric::Sample { step, sample }, &[]);
        }
        Ok(())
    }

    fn score(&self, limit: usize, watcher: &mut dyn Watcher) -> Result<(Score, Option<Pieces>)> {
        // Whoever asks for a checkpoint meanwhile gets the answer at once: it was saved before.
        let saved = self.journal.saved(self.trainer.state.step);
        let mut follow = |done, all| {
            watcher.notice(Event::Scored { done, all });
            match (watcher.request(), &saved) {
                (Some(Request::Stop), _) => {
                    Err(Failure::Interrupted("interrupted while scoring".to_string()).into())
                }
                (Some(Request::Save), Some(path)) => {
                    let told = format!("saved {} before this evaluation", path.display());
                    watcher.notice(Event::Told(&told));
                    Ok(())
                }
                _ => Ok(()),
            }
        };
        self.trainer.score(limit, &mut follow).map_err(|error| self.explain(error))
    }

    fn tell_news(&mut self, watcher: &mut dyn Watcher) {
        self.journal.news().iter().for_each(|line| watcher.notice(Event::Told(line)));
    }

    /// Saves in the middle of a run, which a full disk doesn't end unless it was asked to stop.
    fn save_on_the_way(&mut self, request: Option<Request>, watcher: &mut dyn Watcher) -> Result<()> {
        match (self.save(), request) {
            (Ok(path), Some(Request::Save)) => {
                watcher.notice(Event::Told(&format!("saved {path} as a signal asked")));
            }
            (Ok(_), _) => {}
            (Err(error), Some(Request::Stop)) => return Err(self.stopped_unsaved(error)),
            (Err(error), _) => {
                let last_good = self.journal.last_good();
                let told = format!("warning: {}; training goes on, and {last_good}", one_line(&error));
                watcher.notice(Event::Told(&told));
            }
        }
        Ok(())
    }

    /// Saves the run as it is and returns where, as a person reads it.
    fn save(&mut self) -> Result<String> {
        let Trainer { model, dataset, state, optimizer, .. } = &self.trainer;
        let contents = Checkpoint {
            model,
            tokenizer: &dataset.tokenizer,
            trainer: state,
            optimizer: optimizer.state(&model.params)?,
        };
        let path = self.journal.save(&contents)?;
        self.journal.prune(self.trainer.recipe.training.keep);
        Ok(path.display().to_string())
    }

    fn finish(&mut self, watcher: &mut dyn Watcher) -> Result<Outcome> {
        if self.journal.saved(self.trainer.state.steps).is_none() {
            // The disk may have room by now; a model that is nowhere is no result.
            self.save().map_err(|error| self.stopped_unsaved(error))?;
        }
        if self.last_score.is_none() {
            self.last_score = Some(self.score(self.trainer.dataset.val.len(), watcher)?);
        }
        let (score, _) = self.last_score.as_ref().context("the run is scored")?;
        let Trainer { dataset, state, step_seconds, model, .. } = &self.trainer;
        let size = ModelSize::new(&model.config);
        Ok(Outcome {
            act: model.config.act.label().to_string(),
            params: size.total,
            ffn_params: size.ffn,
            ffn_dim: model.config.ffn_dim,
            steps: state.step,
            tokens: state.tokens,
            seconds: step_seconds.iter().sum(),
            tokens_per_second: self.trainer.tokens_per_step() as f64 / median(step_seconds),
            train_loss: state.train_loss,
            skipped_steps: state.skipped_steps,
            val_loss: score.loss(),
            val_perplexity: score.perplexity(),
            best_loss: self.best.unwrap_or(f64::INFINITY).min(score.loss()),
            bits_per_byte: score.bits_per_byte(),
            floor: dataset.floor.map(|nats| nats / score.tokens as f64),
            ffn_output_rms: state.ffn_output_rms,
            flops_per_token: training_flops_per_token(&model.config),
            checkpoint: self.journal.run().checkpoint(LAST).context("the run has no checkpoint")?,
        })
    }

    /// Bad numbers as the end of the run, with what to try; other errors as they are.
    fn explain(&self, error: anyhow::Error) -> anyhow::Error {
        let Some(bad) = error.downcast_ref::<BadNumbers>() else { return error };
        let training = &self.trainer.recipe.training;
        let message = format!(
            "training diverged at step {}: {bad}; {}. Try a lower --lr (now {}), a longer --warmup (now {}) or --grad-clip 1 (now {})",
            bad.step,
            self.journal.last_good(),
            setting(training.lr),
            self.trainer.schedule.warmup,
            setting(training.grad_clip),
        );
        Failure::Diverged(message).into()
    }

    fn stopped_unsaved(&self, error: anyhow::Error) -> anyhow::Error {
        let (step, last_good) = (self.trainer.state.step, self.journal.last_good());
        error.context(format!("stopped after step {step}, which is lost; {last_good}"))
    }
}

/// True if an event with this period is due after `step`. A period of 0 disables it.
fn is_due(step: usize, period: usize) -> bool {
    period > 0 && step.is_multiple_of(period)
}
