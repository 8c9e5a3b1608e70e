//! The directory of a comparison: its runs, done or still to do, by any number of processes.
//!
//! ```text
//! runs/compare/
//!   compare.json            what all runs have in common
//!   relu-seed1/  ...        runs, each locked by the process that trains it
//!   results.jsonl           one line per finished run
//!   report.html             what they say together
//! ```

use super::results::{Line, Results};
use super::{Design, Run};
use crate::data::Dataset;
use crate::failure::Failure;
use crate::files::{SAVING, replace};
use crate::generate::{Limits, Sampler, Sampling, generate};
use crate::home::shorten;
use crate::run::{LAST, LOCK, RunDir, lock};
use crate::settings::{Recipe, Settings};
use crate::train::{Session, Watcher};
use crate::{bail_input, input_error, memory};
use anyhow::Result;
use candle_core::Device;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

const COMPARISON: &str = "compare.json";

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
}

impl Comparison {
    /// What must be equal for runs to be compared: all but which runs there are, and how they are shown.
    fn identity(&self) -> Value {
        let mut settings = self.settings.to_map();
        for own in ["act", "seed", "threads", "keep"] {
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
    /// Opens or begins a comparison in `path`. Finished runs are kept if they were made with the
    /// same settings on the same text; if not, the directory is refused, or begun anew with `force`.
    pub fn open(path: &Path, recipe: &Recipe, comparison: Comparison, force: bool) -> Result<Grid> {
        let shown = path.display();
        fs::create_dir_all(path).map_err(|error| input_error!("cannot create {shown}: {error}"))?;
        let _lock = wait_for_lock(path)?;
        Grid::check(path, &comparison, force)?;
        if read(path).is_some_and(|saved| !is_same(&saved, &comparison)) {
            clear(path)?;
        }
        write(path, &comparison)?;
        let results = Results::open(path)?;
        Ok(Grid { path: path.to_path_buf(), comparison, recipe: recipe.clone(), results })
    }

    /// Refuses what [`Grid::open`] refuses, and changes nothing.
    pub fn check(path: &Path, comparison: &Comparison, force: bool) -> Result<()> {
        let shown = path.display();
        // A process that is just beginning one here has its lock in it, and what it is writing.
        let of_beginning = |entry: fs::DirEntry| {
            let name = entry.file_name().to_string_lossy().into_owned();
            name == LOCK || name.starts_with(SAVING)
        };
        let is_new =
            !path.exists() || path.read_dir().is_ok_and(|entries| entries.flatten().all(of_beginning));
        match read(path) {
            None if !is_new => {
                bail_input!("{shown} is not empty and holds no comparison; name another --out")
            }
            Some(saved) if !is_same(&saved, comparison) && !force => bail_input!(
                "{shown} holds a comparison with other settings or another text: name another --out, or replace it by --force"
            ),
            Some(saved) if !is_same(&saved, comparison) => {
                own_runs(path)?.iter().try_for_each(|run| run.clone().locked().map(drop))
            }
            _ => Ok(()),
        }
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
        let mut session = match directory.exists() {
            true => Session::resume(&recipe, dataset, directory, device)?,
            false => Session::start(&recipe, dataset, directory, device)?,
        };
        let line = match session.train(watcher) {
            Ok(mut outcome) => {
                outcome.checkpoint = shorten(&outcome.checkpoint.to_string_lossy()).into();
                let pieces = session.pieces();
                Line {
                    run: run.clone(),
                    outcome: Some(outcome),
                    diverged: None,
                    piece_nats: pieces.map(|pieces| pieces.nats.clone()).unwrap_or_default(),
                    piece_tokens: pieces.map(|pieces| pieces.tokens.clone()).unwrap_or_default(),
                    peak_memory: memory::peak(),
                    sample: sample(&session, dataset)?,
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

/// The start that every arm is given to go on from, the same numbers choosing the tokens.
fn sample(session: &Session, dataset: &Dataset) -> Result<String> {
    let mut sampler = Sampler::new(Sampling::DEFAULT, 0);
    let limits = Limits { max_tokens: 200, stop: Vec::new() };
    let sample = generate(session.model(), &dataset.tokenizer, "\n", &mut sampler, &limits, |_| Ok(()))?;
    Ok(sample.text)
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

fn read(path: &Path) -> Option<Result<Comparison>> {
    let file = path.join(COMPARISON);
    let text = fs::read_to_string(&file).ok()?;
    let comparison = serde_json::from_str(&text);
    Some(comparison.map_err(|error| input_error!("{}: {error}", file.display())))
}

fn write(path: &Path, comparison: &Comparison) -> Result<()> {
    replace(&path.join(COMPARISON), (serde_json::to_string_pretty(comparison)? + "\n").as_bytes())
}

/// The lock of a comparison's directory, which processes hold only while they begin.
fn wait_for_lock(path: &Path) -> Result<fs::File> {
    const PATIENCE: Duration = Duration::from_secs(10);
    let began = Instant::now();
    loop {
        match lock(path) {
            Err(error)
                if matches!(error.downcast_ref(), Some(Failure::Busy(_))) && began.elapsed() < PATIENCE =>
            {
                std::thread::sleep(Duration::from_millis(20));
            }
            result => return result,
        }
    }
}

fn is_same(saved: &Result<Comparison>, comparison: &Comparison) -> bool {
    saved.as_ref().is_ok_and(|saved| saved.identity() == comparison.identity())
}

/// Removes the results and runs of a comparison that is replaced, and nothing else.
fn clear(path: &Path) -> Result<()> {
    Results::remove(path)?;
    own_runs(path)?.iter().try_for_each(|run| RunDir::create(run.path(), true).map(drop))
}

/// The runs in the directory of a comparison.
fn own_runs(path: &Path) -> Result<Vec<RunDir>> {
    let is_own = |entry: &fs::DirEntry| {
        // A link is not ours.
        let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
        let holds_run = entry.path().join(LAST).symlink_metadata().is_ok();
        is_directory && holds_run && entry.file_name().to_str().is_some_and(Run::is_name)
    };
    Ok(fs::read_dir(path)?.flatten().filter(is_own).map(|entry| RunDir::at(&entry.path())).collect())
}
