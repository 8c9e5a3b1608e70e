//! Training the runs of a comparison, and how much of it is left.

use crate::cli::progress::Progress;
use crate::cli::signals;
use crate::cli::time_left::TimeLeft;
use crate::data::Dataset;
use crate::lab::compare::{Attempt, Grid, Plan, Results, Run};
use crate::support::failure::Failure;
use anyhow::Result;
use candle_core::Device;
use std::time::Duration;

/// The runs of a comparison.
pub struct Work<'a> {
    pub runs: &'a [Run],
    /// Planned seconds of each run, and the time left by them. Neither if this process trains a part only.
    run_seconds: &'a [f64],
    time_left: Option<TimeLeft>,
    dataset: &'a Dataset,
    device: &'a Device,
}

impl<'a> Work<'a> {
    /// The runs, timed by a plan where there is one: the time that they take is measured from now on.
    pub fn new(
        runs: &'a [Run],
        plan: Option<&'a Plan>,
        grid: &Grid,
        (dataset, device): (&'a Dataset, &'a Device),
    ) -> Work<'a> {
        let run_seconds = plan.map_or(&[][..], |plan| &plan.run_seconds);
        let mut work = Work { runs, run_seconds, time_left: None, dataset, device };
        if plan.is_some() {
            let all: f64 = run_seconds.iter().sum();
            let one = all / runs.len() as f64;
            work.time_left = Some(TimeLeft::new(work.done(&grid.results), all, one));
        }
        work
    }

    /// Planned seconds of the runs that are done, by whichever process.
    fn done(&self, results: &Results) -> f64 {
        let is_done = |(run, _): &(&Run, &f64)| results.find(run).is_some();
        self.runs.iter().zip(self.run_seconds).filter(is_done).map(|(_, seconds)| seconds).sum()
    }

    /// How many runs are done.
    pub fn finished(&self, results: &Results) -> usize {
        self.runs.iter().filter(|run| results.find(run).is_some()).count()
    }

    /// Seconds left in all.
    pub fn seconds_left(&self, results: &Results) -> Option<f64> {
        Some(self.time_left?.seconds(self.done(results)))
    }

    /// Trains run number `i`, from 0.
    fn train(&self, grid: &mut Grid, i: usize) -> Result<Attempt> {
        let run = &self.runs[i];
        let mut progress = Progress::labelled(&format!("[{}/{}] {}", i + 1, self.runs.len(), run.label()));
        if let Some(left) = self.time_left {
            let (done, own) = (self.done(&grid.results), self.run_seconds[i]);
            progress = progress.of_several(move |share| left.seconds(done + share * own));
        }
        grid.train(run, self.dataset, self.device, &mut progress)
    }

    /// Trains the run of `--only`, counted from 1.
    pub fn train_one(&self, grid: &mut Grid, only: usize) -> Result<()> {
        match self.train(grid, only - 1)? {
            Attempt::Done => Ok(()),
            Attempt::Busy => {
                let label = self.runs[only - 1].label();
                Err(Failure::Busy(format!("another process is training {label}")).into())
            }
        }
    }

    /// Trains every run that isn't done. Runs of other processes are waited for, and taken over if their
    /// process dies.
    pub fn train_all(&self, grid: &mut Grid, waits: bool) -> Result<()> {
        let mut told = false;
        loop {
            let mut busy = 0;
            for (i, run) in self.runs.iter().enumerate() {
                if grid.results.find(run).is_none() {
                    busy += usize::from(self.train(grid, i)? == Attempt::Busy);
                }
            }
            if busy == 0 || !waits {
                return Ok(());
            }
            if !told {
                note!("waiting for {busy} runs of other processes");
                told = true;
            }
            signals::check("while waiting")?;
            std::thread::sleep(Duration::from_millis(300));
            grid.results.refresh()?;
        }
    }
}
