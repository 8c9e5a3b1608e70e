//! The runs of a comparison, done or still to do.

use super::statistics::{Interval, Summary, paired_difference, summarize};
use crate::activation::Activation;
use crate::data::Dataset;
use crate::run::{LAST, RunDir};
use crate::settings::{Recipe, Settings};
use crate::train::{Outcome, Session, Watcher};
use crate::{bail_input, input_error};
use anyhow::{Context, Result};
use candle_core::Device;
use serde::{Deserialize, Serialize};
use std::fs;
use std::io::Write;
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
    outcome: Outcome,
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
}

impl Grid {
    /// Opens or begins a comparison in `path`. Finished runs are kept if they were made with the
    /// same settings on the same text; if not, the directory is refused, or begun anew with `force`.
    pub fn open(path: &Path, recipe: &Recipe, dataset: &Dataset, force: bool) -> Result<Grid> {
        let shown = path.display();
        fs::create_dir_all(path).map_err(|error| input_error!("cannot create {shown}: {error}"))?;
        let mut grid = Grid { path: path.to_path_buf(), recipe: recipe.clone(), lines: Vec::new() };
        let asked = grid.identity(dataset);
        let saved = fs::read_to_string(path.join(SETTINGS)).ok();
        match saved.map(|text| serde_json::from_str::<serde_json::Value>(&text)) {
            Some(Ok(saved)) if saved == asked => {}
            Some(_) if !force => bail_input!(
                "{shown} holds a comparison with other settings or another text: name another --out, or replace it by --force"
            ),
            None if path.read_dir().is_ok_and(|mut entries| entries.next().is_some()) => {
                bail_input!("{shown} is not empty and holds no comparison; name another --out")
            }
            _ => {
                let _ = fs::remove_file(path.join(RESULTS));
                for entry in fs::read_dir(path)?.flatten() {
                    // Runs of another comparison must not be resumed.
                    if let Ok(run) = RunDir::open(&entry.path()) {
                        RunDir::create(run.path(), true)?;
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
        let path = self.path.join(format!("{}-seed{}", run.act.name().replace(':', "-"), run.seed));
        let begun =
            RunDir::open(&path).ok().filter(|begun| begun.path() == path && begun.checkpoint(LAST).is_some());
        let mut session = match begun {
            Some(directory) => Session::resume(&recipe, dataset, directory, device)?,
            None => {
                // What a run left that was killed before its first checkpoint.
                let _ = fs::remove_dir_all(&path);
                Session::start(&recipe, dataset, RunDir::create(&path, false)?, device)?
            }
        };
        let line = Line { act: run.act, seed: run.seed, outcome: session.train(watcher)? };
        let path = self.path.join(RESULTS);
        let mut file = fs::OpenOptions::new().create(true).append(true).open(&path)?;
        writeln!(file, "{}", serde_json::to_string(&line)?)
            .and_then(|()| file.sync_all())
            .with_context(|| format!("cannot write {}", path.display()))?;
        self.lines.push(line);
        Ok(())
    }

    /// The arms, the lowest mean validation loss first. Every run of them must be done.
    pub fn arms(&self, acts: &[Activation], seeds: &[u64], baseline: Activation) -> Result<Vec<Arm>> {
        let base = self.outcomes(baseline, seeds)?;
        let mut arms = Vec::new();
        for &act in acts {
            let outcomes = self.outcomes(act, seeds)?;
            let of = |f: fn(&Outcome) -> f64| outcomes.iter().map(|outcome| f(outcome)).collect::<Vec<f64>>();
            let differences: Vec<f64> =
                outcomes.iter().zip(&base).map(|(a, b)| a.val_loss - b.val_loss).collect();
            arms.push(Arm {
                act,
                params: outcomes[0].params,
                ffn_dim: outcomes[0].ffn_dim,
                loss: summarize(&of(|outcome| outcome.val_loss)),
                perplexity: summarize(&of(|outcome| outcome.val_perplexity)),
                bits_per_byte: summarize(&of(|outcome| outcome.bits_per_byte)).mean,
                floor: outcomes[0].floor,
                tokens_per_second: summarize(&of(|outcome| outcome.tokens_per_second)).mean,
                difference: (act != baseline).then(|| paired_difference(&differences)),
            });
        }
        arms.sort_by(|a, b| a.loss.mean.total_cmp(&b.loss.mean));
        Ok(arms)
    }

    /// An activation's outcomes, in the order of the seeds.
    fn outcomes(&self, act: Activation, seeds: &[u64]) -> Result<Vec<&Outcome>> {
        let find = |seed: &u64| {
            let line = self.lines.iter().find(|line| line.act == act && line.seed == *seed);
            line.map(|line| &line.outcome).with_context(|| format!("{act} with seed {seed} has not run"))
        };
        seeds.iter().map(find).collect()
    }
}
