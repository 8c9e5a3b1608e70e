//! The directory of a comparison: its runs, done or still to do, by any number of processes.
//!
//! ```text
//! runs/compare/
//!   tinygpt.json            the manifest: what tinygpt wrote here
//!   compare.json            what all runs have in common
//!   relu-seed1/  ...        runs, each locked by the process that trains it
//!   results.jsonl           one line per finished run
//!   report.html             what they say together
//! ```

use super::Run;
use super::comparison::{COMPARISON, Comparison, write};
use super::identity::identity;
use super::place::{REPORT, own, refuse_other};
use super::results::{Line, RESULTS, Results};
use crate::bail_input;
use crate::data::Dataset;
use crate::run::checkpoint::load_trainer;
use crate::run::{LAST, RunDir};
use crate::settings::{Length, Recipe, Settings};
use crate::support::failure::Failure;
use crate::support::home::shorten;
use crate::support::memory;
use crate::support::owned::Owned;
use crate::train::{Event, Trainer, TrainingRun, Watcher};
use anyhow::Result;
use candle_core::Device;
use std::fs;
use std::path::{Path, PathBuf};

/// Tokens of the text that every arm writes, from the same start and with the same random numbers.
const SAMPLE_TOKENS: usize = 200;

/// What became of the attempt to train a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    Done,
    /// Another process is at it.
    Busy,
}

/// A comparison in its directory.
pub struct Grid {
    path: PathBuf,
    comparison: Comparison,
    recipe: Recipe,
    pub results: Results,
}

impl Grid {
    /// Opens or begins a comparison in `path`. Finished runs are kept if `comparison` repeats or extends the
    /// one that they are from; if not, the directory is refused, or begun anew with `force`.
    pub fn open(path: &Path, recipe: &Recipe, comparison: Comparison, force: bool) -> Result<Grid> {
        let (mut owned, _lock) = own(path, force)?;
        if force && refuse_other(path, &comparison).is_err() {
            clear(path, &owned)?;
        } else {
            refuse_other(path, &comparison)?;
        }
        let files = [COMPARISON, RESULTS, REPORT].map(String::from);
        let runs = comparison.design.runs().into_iter().map(|run| run.name());
        owned.claim(files.into_iter().chain(runs), force)?;
        write(path, &comparison)?;
        let results = Results::open(path, &comparison)?;
        Ok(Grid { path: path.to_path_buf(), comparison, recipe: recipe.clone(), results })
    }

    pub fn comparison(&self) -> &Comparison {
        &self.comparison
    }

    /// Trains one run, going on where a killed one stopped, and writes its line.
    pub fn train(
        &mut self,
        run: &Run,
        dataset: &Dataset,
        device: &Device,
        watcher: &mut dyn Watcher,
    ) -> Result<Attempt> {
        let directory = match RunDir::take(&self.path.join(run.name())) {
            Ok(directory) => directory,
            Err(error) if matches!(error.downcast_ref(), Some(Failure::Busy(_))) => return Ok(Attempt::Busy),
            Err(error) => return Err(error),
        };
        // The process that had the lock before may have finished it.
        self.results.refresh()?;
        if self.results.find(run).is_some() {
            return Ok(Attempt::Done);
        }
        let recipe = self.recipe.with(&run.settings())?;
        memory::forget_peak();
        let mut training = match directory.checkpoint(LAST) {
            Some(checkpoint) => {
                self.refuse_other_run(run, &recipe, &checkpoint)?;
                TrainingRun::resume(&recipe, dataset, directory, device)?
            }
            None => TrainingRun::new(Trainer::start(&recipe, dataset, device)?, directory),
        };
        training.notes.iter().for_each(|note| watcher.notice(Event::Told(note)));
        let line = match training.train(watcher) {
            Ok(mut outcome) => {
                outcome.checkpoint = shorten(&outcome.checkpoint.to_string_lossy()).into();
                let pieces = training.pieces();
                Line {
                    outcome: Some(outcome),
                    diverged: None,
                    piece_nats: pieces.map(|pieces| pieces.nats.clone()).unwrap_or_default(),
                    piece_tokens: pieces.map(|pieces| pieces.tokens.clone()).unwrap_or_default(),
                    peak_memory: memory::peak(),
                    sample: training.trainer().sample(SAMPLE_TOKENS)?,
                    scalars: training.trainer().model().params.learned_scalars()?,
                    ..Line::of(run)
                }
            }
            Err(error) => match error.downcast_ref() {
                // A result, too: the others go on.
                Some(Failure::Diverged(message)) => Line { diverged: Some(message.clone()), ..Line::of(run) },
                _ => return Err(error),
            },
        };
        self.results.append(line)?;
        Ok(Attempt::Done)
    }

    /// Refuses a checkpoint that isn't of this run, whatever its directory is called.
    fn refuse_other_run(&self, run: &Run, recipe: &Recipe, checkpoint: &Path) -> Result<()> {
        let saved = load_trainer(checkpoint)?;
        // A checkpoint has steps where its run was asked for in epochs; resuming compares them.
        let length = match recipe.training.length {
            Length::Steps(steps) => Settings { steps: Some(steps), ..Settings::default() },
            Length::Epochs(epochs) => Settings { epochs: Some(epochs), ..Settings::default() },
        };
        let id = identity(&Recipe::new(length.over(&saved.settings))?, &saved.data);
        if self.results.identity(run) != Some(&id) {
            bail_input!(
                "{} isn't a checkpoint of {} as this comparison trains it, but of a run with other settings or another text. Move its run away.",
                checkpoint.display(),
                run.label()
            );
        }
        Ok(())
    }
}

/// Removes the results and runs of a comparison that is replaced, and nothing else. The results go first: a
/// kill then leaves runs that the same comparison resumes.
fn clear(path: &Path, owned: &Owned) -> Result<()> {
    for name in [RESULTS, REPORT].into_iter().filter(|name| owned.wrote(name)) {
        match fs::remove_file(path.join(name)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error.into()),
            _ => {}
        }
    }
    for run in owned.names().filter(|name| Run::is_name(name)).map(|name| path.join(name)) {
        if run.symlink_metadata().is_ok_and(|metadata| metadata.is_dir()) {
            RunDir::take(&run)?.clear()?;
        }
    }
    Ok(())
}
