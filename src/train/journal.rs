//! What a run writes in its directory while it goes. A disk that is full, or may not be written any more,
//! is told of and does not end the training: the last good checkpoint stays.

use crate::run::checkpoint::{self, Checkpoint, Metrics, TrainerState};
use crate::run::{BEST, LAST, Metric, RunDir, TensorBoard};
use crate::settings::ModelConfig;
use crate::support::failure::one_line;
use anyhow::Result;
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// The first checkpoint comes no later than this, and a step, after training begins.
const FIRST_SAVE: Duration = Duration::from_secs(30);
/// And each further one no later than this after the one before.
const NEXT_SAVE: Duration = Duration::from_secs(600);
/// A checkpoint that could not be saved is tried again after this.
const RETRY_SAVE: Duration = Duration::from_secs(60);

/// A run's checkpoints, metrics and TensorBoard events.
pub struct Journal {
    run: RunDir,
    board: Option<TensorBoard>,
    /// The step that this process resumed from.
    resumed: Option<usize>,
    /// The step of the newest checkpoint.
    saved: Option<usize>,
    save_by: Instant,
    /// Why nothing could be logged last.
    unlogged: Option<String>,
    /// What went wrong and has not been told.
    news: Vec<String>,
}

impl Journal {
    pub fn new(run: RunDir, resumed: Option<usize>) -> Journal {
        Journal {
            run,
            board: None,
            resumed,
            saved: resumed,
            save_by: Instant::now(),
            unlogged: None,
            news: Vec::new(),
        }
    }

    pub fn run(&self) -> &RunDir {
        &self.run
    }

    /// Makes the directory ready for what follows `step` of a run with these settings.
    pub fn begin(&mut self, step: usize, config: &str) -> Result<()> {
        self.run.remove_unfinished()?;
        self.run.write_config(config)?;
        self.run.truncate_log(step)?;
        self.board = Some(TensorBoard::create(&self.run, step)?);
        self.save_by = Instant::now() + if self.saved.is_some() { NEXT_SAVE } else { FIRST_SAVE };
        Ok(())
    }

    /// What went wrong since this was last called.
    pub fn news(&mut self) -> Vec<String> {
        std::mem::take(&mut self.news)
    }

    /// Something to tell when there is time.
    pub fn tell(&mut self, line: String) {
        self.news.push(line);
    }

    /// Writes a line of metrics, and what of it TensorBoard can show.
    pub fn log(&mut self, metric: &Metric, scalars: &[(&str, f64)]) {
        let mut written = self.run.log(metric);
        if let Some(board) = self.board.as_mut().filter(|_| !scalars.is_empty()) {
            written = written.and(board.scalars(metric.step(), scalars));
        }
        let unlogged = written.err().map(|error| one_line(&error));
        if unlogged != self.unlogged {
            // Once, not at every step.
            self.news.extend(unlogged.iter().map(|why| format!("warning: {why}; training goes on without")));
            self.unlogged = unlogged;
        }
    }

    /// Whether a checkpoint is due by time.
    pub fn is_overdue(&self) -> bool {
        Instant::now() >= self.save_by
    }

    /// The checkpoint of `step`, if it is the newest.
    pub fn saved(&self, step: usize) -> Option<PathBuf> {
        (self.saved == Some(step)).then(|| self.run.step_dir(step))
    }

    /// Saves a checkpoint as the last one.
    ///
    /// # Errors
    /// If it cannot be written: what was there before is still there.
    pub fn save(&mut self, checkpoint: &Checkpoint) -> Result<PathBuf> {
        let step = checkpoint.trainer.step;
        self.save_by = Instant::now() + RETRY_SAVE;
        let path = self.run.new_step(step)?;
        checkpoint::save(&path, checkpoint)?;
        self.run.point(LAST, step)?;
        self.saved = Some(step);
        self.save_by = Instant::now() + NEXT_SAVE;
        Ok(path)
    }

    /// Names the checkpoint of `step` the best, where it was saved.
    pub fn mark_best(&mut self, step: usize) {
        if self.saved == Some(step) {
            let marked = self.run.point(BEST, step);
            self.note_failure(marked);
        }
    }

    /// Writes the metrics of the newest checkpoint into its model card.
    pub fn describe(&mut self, config: &ModelConfig, trainer: &TrainerState, metrics: &Metrics) {
        if let Some(path) = self.saved(trainer.step) {
            let described = checkpoint::write_card(&path, config, trainer, Some(metrics));
            self.note_failure(described);
        }
    }

    /// Removes checkpoints that need not be kept.
    pub fn prune(&mut self, keep: usize) {
        let pruned = self.run.prune(keep, self.resumed);
        self.note_failure(pruned);
    }

    fn note_failure(&mut self, result: Result<()>) {
        if let Err(error) = result {
            self.news.push(format!("warning: {}", one_line(&error)));
        }
    }

    /// Where to go back to, in words.
    pub fn last_good(&self) -> String {
        match self.run.checkpoint(LAST) {
            Some(path) => format!("the last good checkpoint is {}", path.display()),
            None => "there is no checkpoint yet".to_string(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_checkpoint_is_due_within_a_minute_and_the_next_within_ten() {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDir::create(folder.path(), false).unwrap();
        let mut journal = Journal::new(run.clone(), None);
        journal.begin(0, "").unwrap();
        assert!(!journal.is_overdue() && journal.save_by <= Instant::now() + Duration::from_secs(59));
        let mut resumed = Journal::new(run, Some(10));
        resumed.begin(10, "").unwrap();
        assert!(resumed.save_by > Instant::now() + Duration::from_secs(60));
        assert!(resumed.save_by <= Instant::now() + Duration::from_secs(600));
    }
}
