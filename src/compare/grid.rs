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

use super::place::{REPORT, own, refuse_other};
use super::results::{Line, RESULTS, Results};
use super::{Design, Run};
use crate::data::Dataset;
use crate::failure::Failure;
use crate::files::replace;
use crate::home::shorten;
use crate::owned::Owned;
use crate::run::RunDir;
use crate::settings::{Recipe, Settings};
use crate::train::{Trainer, TrainingRun, Watcher};
use crate::{bail_input, input_error, memory};
use anyhow::Result;
use candle_core::Device;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub(super) const COMPARISON: &str = "compare.json";

/// Tokens of the text that every arm writes, from the same start and with the same random numbers.
const SAMPLE_TOKENS: usize = 200;

/// What every run of a comparison has in common, and the comparison's own settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    pub design: Design,
    /// The settings that all runs share.
    pub settings: Settings,
    /// The text and its tokenizer: [`Dataset::fingerprint`].
    pub text: String,
    /// The command that began it.
    pub command: String,
    /// The `--budget` that chose its steps and seeds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Duration>,
}

impl Comparison {
    /// What must be equal for runs to be compared: all but which runs there are, and how they are shown.
    pub(super) fn identity(&self) -> Value {
        let mut settings = self.settings.to_map();
        // Where the text is may change: `text` says what it is.
        for own in ["act", "seed", "threads", "keep", "data", "val-data"] {
            settings.remove(own);
        }
        let is_grid = !self.design.rates.is_empty();
        if is_grid {
            settings.remove("lr");
        }
        let Design { matching, match_init, .. } = self.design;
        serde_json::json!({
            "settings": settings, "text": self.text, "grid": is_grid, "matching": matching, "match_init": match_init,
        })
    }
}

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
        let results = Results::open(path)?;
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
        let mut training = match directory.exists() {
            true => TrainingRun::resume(&recipe, dataset, directory, device)?,
            false => TrainingRun::new(Trainer::start(&recipe, dataset, device)?, directory),
        };
        let line = match training.train(watcher) {
            Ok(mut outcome) => {
                outcome.checkpoint = shorten(&outcome.checkpoint.to_string_lossy()).into();
                let pieces = training.pieces();
                Line {
                    run: run.clone(),
                    outcome: Some(outcome),
                    diverged: None,
                    piece_nats: pieces.map(|pieces| pieces.nats.clone()).unwrap_or_default(),
                    piece_tokens: pieces.map(|pieces| pieces.tokens.clone()).unwrap_or_default(),
                    peak_memory: memory::peak(),
                    sample: training.trainer().sample(SAMPLE_TOKENS)?,
                }
            }
            Err(error) => match error.downcast_ref() {
                // A result, too: the others go on.
                Some(Failure::Diverged(message)) => Line::diverged(run, message),
                _ => return Err(error),
            },
        };
        self.results.append(line)?;
        Ok(Attempt::Done)
    }
}

/// The comparison in a directory.
///
/// # Errors
/// If there is none.
pub fn load(path: &Path) -> Result<Comparison> {
    match read(path) {
        Some(comparison) => comparison,
        None => bail_input!("{} holds no comparison: there is no {COMPARISON}", path.display()),
    }
}

pub(super) fn read(path: &Path) -> Option<Result<Comparison>> {
    let file = path.join(COMPARISON);
    let text = fs::read_to_string(&file).ok()?;
    let comparison = serde_json::from_str(&text);
    Some(comparison.map_err(|error| input_error!("{}: {error}", file.display())))
}

fn write(path: &Path, comparison: &Comparison) -> Result<()> {
    replace(&path.join(COMPARISON), (serde_json::to_string_pretty(comparison)? + "\n").as_bytes())
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
