//! `results.jsonl`: a line for every finished run, which any number of processes may add to.

use super::Run;
use crate::run::append_whole_line;
use crate::train::Outcome;
use anyhow::{Context, Result};
use serde::{Deserialize, Serialize};
use std::fs;
use std::path::{Path, PathBuf};

pub(super) const RESULTS: &str = "results.jsonl";

/// A finished run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Line {
    #[serde(flatten)]
    pub run: Run,
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
}

impl Line {
    pub fn diverged(run: &Run, why: &str) -> Line {
        Line {
            run: run.clone(),
            outcome: None,
            diverged: Some(why.to_string()),
            piece_nats: Vec::new(),
            piece_tokens: Vec::new(),
            peak_memory: None,
            sample: String::new(),
        }
    }
}

/// The finished runs of a comparison.
#[derive(Default)]
pub struct Results {
    path: PathBuf,
    lines: Vec<Line>,
}

impl Results {
    pub fn open(directory: &Path) -> Result<Results> {
        let mut results = Results { path: directory.join(RESULTS), lines: Vec::new() };
        results.refresh()?;
        Ok(results)
    }

    /// Reads what other processes have added. A line that is cut or damaged is passed over, and its run
    /// counts as not done.
    pub fn refresh(&mut self) -> Result<()> {
        let bytes = match fs::read(&self.path) {
            Ok(bytes) => bytes,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
            Err(error) => {
                return Err(error).with_context(|| format!("cannot read {}", self.path.display()));
            }
        };
        let text = String::from_utf8_lossy(&bytes);
        self.lines.clear();
        for line in text.lines().filter_map(|line| serde_json::from_str::<Line>(line).ok()) {
            // Two lines of a run are equal: the first counts.
            if self.find(&line.run).is_none() {
                self.lines.push(line);
            }
        }
        Ok(())
    }

    pub fn append(&mut self, line: Line) -> Result<()> {
        append_whole_line(&self.path, &serde_json::to_value(&line)?)?;
        self.lines.push(line);
        Ok(())
    }

    /// Takes a line that is not in the file.
    #[cfg(test)]
    pub fn hold(&mut self, line: Line) {
        self.lines.push(line);
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
        let is_line = |line: &str| serde_json::from_str::<Line>(line).is_ok();
        fs::read_to_string(directory.join(RESULTS)).is_ok_and(|text| text.lines().next().is_none_or(is_line))
    }
}
