//! Going on with a run as its last checkpoint left it.

use super::journal::Journal;
use super::plan::{default_warmup, steps};
use super::run::TrainingRun;
use super::schedule::Schedule;
use super::trainer::Trainer;
use crate::bail_input;
use crate::data::Dataset;
use crate::run::checkpoint::{self, Build, TrainerState};
use crate::run::{LAST, Metric, RunDir};
use crate::settings::{ModelConfig, Recipe, Settings};
use anyhow::Result;
use candle_core::Device;
use serde_json::Value;
use std::path::Path;

impl<'a> TrainingRun<'a> {
    /// A run as its last checkpoint left it.
    ///
    /// # Errors
    /// If the text or the model is not the one the run began with; says in what they differ.
    pub fn resume(
        recipe: &'a Recipe,
        dataset: &'a Dataset,
        run: RunDir,
        device: &Device,
    ) -> Result<TrainingRun<'a>> {
        let shown = run.path().display().to_string();
        let Some(directory) = run.checkpoint(LAST) else {
            bail_input!("{shown} holds no checkpoint to resume")
        };
        let saved = checkpoint::load_trainer(&directory)?;
        if saved.skipped_steps > saved.step {
            bail_input!("{}: more steps are skipped than done", directory.join("trainer.json").display());
        }
        refuse_other_text(&saved, dataset, &shown)?;
        let model = checkpoint::load_model(&directory, device, recipe.ops)?;
        refuse_other_model(&model.config, &recipe.model(model.config.vocab_size)?, &directory)?;
        let steps = steps(recipe, dataset)?;
        if steps < saved.step {
            bail_input!("{shown} has done {} steps already; --steps {steps} is less", saved.step);
        }
        // A warmup that followed from the steps stays as it was.
        let warmup = recipe.training.warmup.or(saved.settings.warmup).unwrap_or(default_warmup(saved.steps));
        // Kept only if it doesn't follow from the steps, so that a resumed run has the settings it began with.
        let kept = (warmup != default_warmup(steps)).then_some(warmup);
        let fixed = Settings { steps: Some(steps), warmup: kept, ..Settings::default() };
        let (step, before) = (saved.step, Schedule::new(&recipe.training, warmup, saved.steps));
        let (build, other) = (Build::this(), saved.build.clone());
        let state = TrainerState {
            settings: fixed.over(recipe.settings()),
            steps,
            build: Some(build.clone()),
            ..saved
        };
        let metrics = run.metrics()?;
        let mut trainer = Trainer::new(recipe, dataset, model, state)?;
        let shapes = trainer.optimizer.state_shapes(&trainer.model.params);
        let state = checkpoint::load_optimizer(&directory, &shapes, device)?;
        trainer.optimizer.restore(&trainer.model.params, state)?;
        let done = || metrics.iter().filter(|metric| metric.step() <= step);
        trainer.step_seconds = done().filter_map(Metric::seconds).collect();
        let notes = trainer.schedule.differs_from(&before, step).into_iter();
        let notes = notes.chain(other.and_then(|other| build.differs_from(&other))).collect();
        let best = done().filter_map(Metric::val_loss).min_by(f64::total_cmp);
        let mut resumed = TrainingRun::with_journal(trainer, Journal::new(run, Some(step)));
        (resumed.best, resumed.notes) = (best, notes);
        Ok(resumed)
    }
}

/// Resuming on another text would mix the two.
fn refuse_other_text(saved: &TrainerState, dataset: &Dataset, run: &str) -> Result<()> {
    if saved.data == dataset.fingerprint() {
        return Ok(());
    }
    let (train, val) = (dataset.train.len(), dataset.val.len());
    let difference = match saved.text_tokens {
        Some(then) if then == (train, val) => "it is as long, but reads otherwise".to_string(),
        Some(then) => format!(
            "it has {train} tokens to train and {val} to validate on, that had {} and {}",
            then.0, then.1
        ),
        None => "their fingerprints differ".to_string(),
    };
    bail_input!(
        "the text {} is not the one that {run} was trained on: {difference}; resuming would mix the two",
        dataset.name
    )
}

/// The model in a checkpoint must be the one that its settings describe.
fn refuse_other_model(loaded: &ModelConfig, said: &ModelConfig, directory: &Path) -> Result<()> {
    let [loaded, said] = [loaded, said].map(|config| checkpoint::config_json(config, None, &[]));
    let values = |config: &Value| config.as_object().cloned().unwrap_or_default();
    let other = values(&said).into_iter().find(|(key, value)| loaded[key] != *value);
    if let Some((key, value)) = other {
        bail_input!(
            "trainer.json and config.json of {} describe different models: '{key}' is {value} by the one and {} by the other",
            directory.display(),
            loaded[&key]
        );
    }
    Ok(())
}
