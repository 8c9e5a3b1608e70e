//! The runs of a comparison, done or still to do.

use super::statistics::{Interval, Summary, paired_difference, summarize};
use crate::activation::Activation;
use crate::data::Dataset;
use crate::failure::Failure;
use crate::run::{LAST, RunDir, append_line, lock};
use crate::settings::{Recipe, Settings};
use crate::train::{Outcome, Session, Watcher};
use crate::{bail_input, input_error};
use anyhow::{Context, Result};
use candle_core::Device;
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};

const RESULTS: &str = "results.jsonl";
const SETTINGS: &str = "compare.json";

/// One run: an activation and a seed.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Run {
    pub act: Activation,
    pub seed: u64,
}

/// A line of `results.jsonl`.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Line {
    act: Activation,
    seed: u64,
    outcome: Option<Outcome>,
    /// Why there is no outcome.
    diverged: Option<String>,
}

/// An activation's runs, summed up.
#[derive(Clone, Debug)]
pub struct Arm {
    pub act: Activation,
    pub params: usize,
    pub ffn_dim: usize,
    /// Validation loss at the end, over seeds.
    pub loss: Summary,
    /// Perplexity of the validation text, over seeds.
    pub perplexity: Summary,
    pub bits_per_byte: f64,
    /// The loss of the distribution that the text was drawn from, where known.
    pub floor: Option<f64>,
    pub tokens_per_second: f64,
    /// Loss minus the baseline's, paired by seed; none for the baseline itself.
    pub difference: Option<Interval>,
}

/// A directory of paired runs.
pub struct Grid {
    path: PathBuf,
    recipe: Recipe,
    lines: Vec<Line>,
    _lock: fs::File,
}

impl Grid {
    /// Opens or begins a comparison in `path`. Finished runs are kept if they were made with the
    /// same settings on the same text; if not, the directory is refused, or begun anew with `force`.
    pub fn open(path: &Path, recipe: &Recipe, dataset: &Dataset, force: bool) -> Result<Grid> {
        let shown = path.display();
        fs::create_dir_all(path).map_err(|error| input_error!("cannot create {shown}: {error}"))?;
        let is_empty = path.read_dir().is_ok_and(|mut entries| entries.next().is_none());
        if !is_empty && !path.join(SETTINGS).exists() {
            bail_input!("{shown} is not empty and holds no comparison; name another --out");
        }
        let (path, recipe) = (path.to_path_buf(), recipe.clone());
        let mut grid = Grid { _lock: lock(&path)?, path, recipe, lines: Vec::new() };
        let path = &grid.path;
        let asked = grid.identity(dataset);
        let saved = fs::read_to_string(path.join(SETTINGS)).ok();
        match saved.map(|text| serde_json::from_str::<serde_json::Value>(&text)) {
            Some(Ok(saved)) if saved == asked => {}
            Some(_) if !force => bail_input!(
                "{shown} holds a comparison with other settings or another text: name another --out, or replace it by --force"
            ),
            _ => {
                let _ = fs::remove_file(path.join(RESULTS));
                for entry in fs::read_dir(path)?.flatten() {
                    // Runs of the comparison that is replaced must not be resumed. A link is not ours.
                    let is_directory = entry.file_type().is_ok_and(|kind| kind.is_dir());
                    let holds_run = entry.path().join(LAST).symlink_metadata().is_ok();
                    if is_directory && holds_run && is_run_name(&entry.file_name()) {
                        RunDir::create(&entry.path(), true)?;
                    }
                }
                fs::write(path.join(SETTINGS), serde_json::to_string_pretty(&asked)? + "\n")?;
            }
        }
        grid.lines = grid.read_lines()?;
        Ok(grid)
    }

    /// What all runs have in common: everything but activation and seed.
    fn identity(&self, dataset: &Dataset) -> serde_json::Value {
        let mut settings = self.recipe.settings().to_map();
        for own in ["act", "seed", "threads", "keep"] {
            settings.remove(own);
        }
        serde_json::json!({ "settings": settings, "data": dataset.fingerprint() })
    }

    fn read_lines(&self) -> Result<Vec<Line>> {
        let path = self.path.join(RESULTS);
        let text = fs::read_to_string(&path).unwrap_or_default();
        let whole = text.rfind('\n').map_or("", |end| &text[..=end]);
        if whole.len() < text.len() {
            // A run that was killed while writing its line is not finished.
            fs::write(&path, whole)?;
        }
        whole
            .lines()
            .enumerate()
            .map(|(i, line)| {
                serde_json::from_str(line)
                    .map_err(|error| input_error!("{}, line {}: {error}", path.display(), i + 1))
            })
            .collect()
    }

    pub fn is_done(&self, run: Run) -> bool {
        self.lines.iter().any(|line| line.act == run.act && line.seed == run.seed)
    }

    /// Trains one run, going on where a killed one stopped, and writes its line.
    pub fn train(
        &mut self,
        run: Run,
        dataset: &Dataset,
        device: &Device,
        watcher: &mut dyn Watcher,
    ) -> Result<()> {
        let own = Settings { act: Some(run.act), seed: Some(run.seed), ..Settings::default() };
        let recipe = self.recipe.with(&own)?;
        let path = self.path.join(run_name(run));
        let has_checkpoint = path.join(LAST).symlink_metadata().is_ok();
        let mut session = if has_checkpoint {
            Session::resume(&recipe, dataset, RunDir::open(&path)?.locked()?, device)?
        } else {
            Session::start(&recipe, dataset, RunDir::create(&path, false)?, device)?
        };
        let (outcome, diverged) = match session.train(watcher) {
            Ok(outcome) => (Some(outcome), None),
            Err(error) => match error.downcast_ref() {
                // A result, too: the others go on.
                Some(Failure::Diverged(message)) => (None, Some(message.clone())),
                _ => return Err(error),
            },
        };
        let line = Line { act: run.act, seed: run.seed, outcome, diverged };
        append_line(&self.path.join(RESULTS), &serde_json::to_value(&line)?)?;
        self.lines.push(line);
        Ok(())
    }

    /// The runs that diverged, and what they said.
    pub fn diverged(&self) -> impl Iterator<Item = (Run, &str)> {
        self.lines
            .iter()
            .filter_map(|line| Some((Run { act: line.act, seed: line.seed }, line.diverged.as_deref()?)))
    }

    /// The arms, the lowest mean validation loss first. Every run of them must be done; arms of which
    /// a run diverged are left out.
    pub fn arms(&self, acts: &[Activation], seeds: &[u64], baseline: Activation) -> Result<Vec<Arm>> {
        let base = self.outcomes(baseline, seeds)?;
        let mut arms = Vec::new();
        for &act in acts {
            let Some(outcomes) = self.outcomes(act, seeds)? else { continue };
            let of = |f: fn(&Outcome) -> f64| outcomes.iter().map(|outcome| f(outcome)).collect::<Vec<f64>>();
            let base = base.iter().flatten();
            let differences: Vec<f64> =
                outcomes.iter().zip(base).map(|(a, b)| a.val_loss - b.val_loss).collect();
            arms.push(Arm {
                act,
                params: outcomes[0].params,
                ffn_dim: outcomes[0].ffn_dim,
                loss: summarize(&of(|outcome| outcome.val_loss)),
                perplexity: summarize(&of(|outcome| outcome.val_loss.exp())),
                bits_per_byte: summarize(&of(|outcome| outcome.bits_per_byte)).mean,
                floor: outcomes[0].floor,
                tokens_per_second: summarize(&of(|outcome| outcome.tokens_per_second)).mean,
                difference: (act != baseline && !differences.is_empty())
                    .then(|| paired_difference(&differences)),
            });
        }
        arms.sort_by(|a, b| a.loss.mean.total_cmp(&b.loss.mean));
        Ok(arms)
    }

    /// An activation's outcomes in the order of the seeds; none if one of its runs diverged.
    fn outcomes(&self, act: Activation, seeds: &[u64]) -> Result<Option<Vec<&Outcome>>> {
        let find = |seed: &u64| {
            let line = self.lines.iter().find(|line| line.act == act && line.seed == *seed);
            line.with_context(|| format!("{act} with seed {seed} has not run"))
        };
        let lines = seeds.iter().map(find).collect::<Result<Vec<_>>>()?;
        Ok(lines.into_iter().map(|line| line.outcome.as_ref()).collect())
    }
}

/// The directory of a run.
fn run_name(run: Run) -> String {
    format!("{}-seed{}", run.act.name().replace(':', "-"), run.seed)
}

/// Whether [`run_name`] gives such names.
fn is_run_name(name: &std::ffi::OsStr) -> bool {
    let parts = name.to_str().and_then(|name| name.rsplit_once("-seed"));
    parts.is_some_and(|(act, seed)| {
        act.replacen('-', ":", 1).parse::<Activation>().is_ok() && seed.parse::<u64>().is_ok()
    })
}
