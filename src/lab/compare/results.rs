//! `results.jsonl`: a line for every finished run, which any number of processes may add to.

use super::Run;
use super::comparison::Comparison;
use super::identity::identities;
use crate::bail_input;
use crate::run::checkpoint::Build;
use crate::support::record;
use crate::train::Outcome;
use anyhow::Result;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::{Path, PathBuf};

pub(super) const RESULTS: &str = "results.jsonl";

/// A finished run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Line {
    #[serde(flatten)]
    pub run: Run,
    /// The run's identity. tinygpt 0.1 wrote none: its lines are known by their activation, rate and seed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What computed the run's last steps. tinygpt 0.1 didn't write it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<Build>,
    pub outcome: Option<Outcome>,
    /// Why there is no outcome.
    pub diverged: Option<String>,
    /// The final loss by pieces of the validation text: sums in nats, and tokens.
    pub piece_nats: Vec<f64>,
    pub piece_tokens: Vec<usize>,
    /// Bytes that the process held at most.
    pub peak_memory: Option<u64>,
    /// What the model wrote from the start of a line.
    pub sample: String,
    /// The activation's learned scalars after training, by `LAYER.NAME`.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub scalars: BTreeMap<String, f32>,
}

impl Line {
    /// The line of a run that ends here, before anything is said of its outcome.
    pub fn of(run: &Run) -> Line {
        Line {
            run: run.clone(),
            id: None,
            build: Some(Build::this()),
            outcome: None,
            diverged: None,
            piece_nats: Vec::new(),
            piece_tokens: Vec::new(),
            peak_memory: None,
            sample: String::new(),
            scalars: BTreeMap::new(),
        }
    }
}

/// The finished runs of a comparison.
#[derive(Default)]
pub struct Results {
    path: PathBuf,
    /// What the comparison's runs are, by their names.
    identities: HashMap<String, String>,
    lines: Vec<Line>,
}

impl Results {
    /// The finished runs of the comparison in a directory.
    ///
    /// # Errors
    /// As [`Results::refresh`].
    pub fn open(directory: &Path, comparison: &Comparison) -> Result<Results> {
        let mut results = Results::none(directory, comparison)?;
        results.refresh()?;
        Ok(results)
    }

    /// The runs of a comparison that begins with none finished, whatever its directory holds.
    pub fn none(directory: &Path, comparison: &Comparison) -> Result<Results> {
        let path = directory.join(RESULTS);
        Ok(Results { path, identities: identities(comparison)?, lines: Vec::new() })
    }

    /// Reads what other processes have added. The run of a line that a kill cut counts as not done.
    ///
    /// # Errors
    /// If any other line can't be read, or is of a run with other settings than the comparison's.
    pub fn refresh(&mut self) -> Result<()> {
        self.lines.clear();
        for line in record::read_lines::<Line>(&self.path)? {
            let expected = self.identity(&line.run);
            if line.id.as_deref().is_some_and(|id| expected.is_some_and(|expected| expected != id)) {
                bail_input!(
                    "{} has a run of {} with other settings than this comparison. Remove its line to train the run again.",
                    self.path.display(),
                    line.run.label()
                );
            }
            // Two lines of a run are equal: the first counts.
            if self.find(&line.run).is_none() {
                self.lines.push(line);
            }
        }
        Ok(())
    }

    /// The identity of one of the comparison's runs.
    pub fn identity(&self, run: &Run) -> Option<&str> {
        self.identities.get(&run.name()).map(String::as_str)
    }

    /// The instruction sets that the runs were computed with, as far as their lines tell.
    pub fn instruction_sets(&self) -> BTreeSet<&str> {
        self.lines.iter().filter_map(|line| Some(line.build.as_ref()?.instruction_set.as_str())).collect()
    }

    pub fn append(&mut self, line: Line) -> Result<()> {
        let id = self.identity(&line.run).map(String::from);
        let line = Line { id, ..line };
        record::append_shared_line(&self.path, &line)?;
        self.lines.push(line);
        Ok(())
    }

    /// Lines that are in no file.
    #[cfg(test)]
    pub fn holding(lines: Vec<Line>) -> Results {
        Results { path: PathBuf::new(), identities: HashMap::new(), lines }
    }

    pub fn find(&self, run: &Run) -> Option<&Line> {
        self.lines.iter().find(|line| line.run.is(run))
    }

    /// The runs that diverged, and what they said.
    pub fn diverged(&self) -> impl Iterator<Item = (&Run, &str)> {
        self.lines.iter().filter_map(|line| Some((&line.run, line.diverged.as_deref()?)))
    }

    /// True if the file in `directory` holds results, or nothing.
    pub fn is_one(directory: &Path) -> bool {
        record::begins_with::<Line>(&directory.join(RESULTS))
    }
}
