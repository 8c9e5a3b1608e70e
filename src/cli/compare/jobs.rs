//! Training side by side: worker processes on the same directory, which share the runs by their locks.

use super::work::Work;
use crate::cli::signals;
use crate::cli::text::{arguments_without, duration};
use crate::lab::compare::Results;
use anyhow::{Context, Result};
use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Starts `jobs` workers on the directory `out` and waits for them, telling what they finish.
pub fn run(jobs: usize, out: &Path, results: &mut Results, work: &Work) -> Result<()> {
    let threads = (rayon::current_num_threads() / jobs).max(1);
    let mut arguments = arguments_without(&[
        ("--jobs", 1),
        ("--threads", 1),
        ("--json", 0),
        ("--force", 0),
        ("--plot", 1),
        ("--out", 1),
    ]);
    arguments.extend(["--worker", "--threads", &threads.to_string(), "--out"].map(OsString::from));
    arguments.push(out.into());
    let program = std::env::current_exe().context("cannot find this program to start it again")?;
    let mut workers = Workers(Vec::new());
    for _ in 0..jobs {
        // Its standard input ends with this process, however that ends: then it stops, too.
        let mut command = Command::new(&program);
        command.args(&arguments).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
        let mut worker = command.spawn().context("cannot start a worker")?;
        let lines = worker.stderr.take().map(BufReader::new);
        workers.0.push(worker);
        std::thread::spawn(move || {
            for line in lines.into_iter().flat_map(BufRead::lines).map_while(Result::ok) {
                note!("{line}");
            }
        });
    }
    let mut told = work.finished(results);
    loop {
        let mut running = 0;
        for worker in &mut workers.0 {
            // What one leaves undone is done by this process, which then says what was wrong.
            running += usize::from(worker.try_wait()?.is_none());
        }
        results.refresh()?;
        let finished = work.finished(results);
        if let Some(seconds) = work.seconds_left(results).filter(|_| finished > told) {
            note!("{finished} of {} runs are finished, about {} left", work.runs.len(), duration(seconds));
            told = finished;
        }
        signals::check("while workers were training")?;
        if running == 0 {
            return Ok(());
        }
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Workers, which end with this process: they are asked to stop, and save what they have.
struct Workers(Vec<Child>);

impl Drop for Workers {
    fn drop(&mut self) {
        for worker in &mut self.0 {
            #[cfg(unix)]
            if let (Ok(None), Ok(id)) = (worker.try_wait(), i32::try_from(worker.id())) {
                // SAFETY: a signal to a child that has not been waited for, so that the number is its own.
                unsafe { libc::kill(id, libc::SIGTERM) };
            }
            #[cfg(not(unix))]
            let _ = worker.kill();
            let _ = worker.wait();
        }
    }
}
