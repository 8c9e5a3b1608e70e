//! A run's directory: its checkpoints, which of them is last and which is best, and its metrics.
//!
//! ```text
//! runs/swiglu/
//!   step-000250/  step-000500/    checkpoints, never changed once there
//!   last -> step-000500           links, swapped in one move
//!   best -> step-000250
//!   metrics.jsonl                 one line per step, evaluation and sample
//!   events.out.tfevents.*         the same numbers for TensorBoard
//! ```

pub mod signals;
mod tensorboard;

pub use tensorboard::TensorBoard;

use crate::{bail_input, input_error};
use anyhow::{Context, Result};
use serde_json::Value;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The newest checkpoint.
pub const LAST: &str = "last";
/// The checkpoint with the lowest validation loss.
pub const BEST: &str = "best";
const METRICS: &str = "metrics.jsonl";

/// The directory of one run.
#[derive(Clone, Debug)]
pub struct RunDir {
    path: PathBuf,
}

impl RunDir {
    /// A directory for a new run. One that holds a run is refused, or emptied with `force`.
    pub fn create(path: &Path, force: bool) -> Result<RunDir> {
        let run = RunDir { path: path.to_path_buf() };
        if run.exists() {
            if !force {
                bail_input!(
                    "{0} holds a run already: go on with it by --resume {0}, replace it by --force, or name another --out",
                    path.display()
                );
            }
            run.clear()?;
        } else if path.read_dir().is_ok_and(|mut entries| entries.next().is_some()) {
            bail_input!("{} is not empty and holds no run; name another --out", path.display());
        }
        fs::create_dir_all(path)
            .map_err(|error| input_error!("cannot create {}: {error}", path.display()))?;
        Ok(run)
    }

    /// The directory of an existing run: `path` itself, or the run whose checkpoint it is.
    pub fn open(path: &Path) -> Result<RunDir> {
        let run = RunDir { path: path.to_path_buf() };
        if run.exists() {
            return Ok(run);
        }
        let real =
            path.canonicalize().map_err(|error| input_error!("cannot open {}: {error}", path.display()))?;
        match real.parent().map(|parent| RunDir { path: parent.to_path_buf() }) {
            Some(run) if run.exists() => Ok(run),
            _ => bail_input!("{} holds no run: there is no checkpoint in it", path.display()),
        }
    }

    /// A directory below `runs` that is free: `runs/NAME`, `runs/NAME-2`, ...
    pub fn free_name(name: &str) -> PathBuf {
        let base = Path::new("runs");
        let numbered = (2..).map(|n| base.join(format!("{name}-{n}")));
        std::iter::once(base.join(name))
            .chain(numbered)
            .find(|path| !path.exists())
            .unwrap_or_else(|| base.join(name))
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    fn exists(&self) -> bool {
        self.checkpoint(LAST).is_some()
    }

    fn clear(&self) -> Result<()> {
        for link in [LAST, BEST, METRICS] {
            let path = self.path.join(link);
            if path.symlink_metadata().is_ok() {
                fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
            }
        }
        for entry in fs::read_dir(&self.path)?.flatten() {
            if entry.file_name().to_string_lossy().starts_with("events.out.tfevents.") {
                fs::remove_file(entry.path())?;
            }
        }
        for step in self.steps() {
            let path = self.step_dir(step);
            fs::remove_dir_all(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
        Ok(())
    }

    pub fn step_dir(&self, step: usize) -> PathBuf {
        self.path.join(format!("step-{step:06}"))
    }

    /// Steps that have a checkpoint, in order.
    fn steps(&self) -> Vec<usize> {
        let entries = fs::read_dir(&self.path).into_iter().flatten().flatten();
        let mut steps: Vec<usize> = entries
            .filter_map(|entry| entry.file_name().to_str()?.strip_prefix("step-")?.parse().ok())
            .collect();
        steps.sort_unstable();
        steps
    }

    /// The checkpoint that `link` names, where there is one.
    pub fn checkpoint(&self, link: &str) -> Option<PathBuf> {
        let path = self.path.join(link);
        let target = match fs::read_link(&path) {
            Ok(target) => target,
            // Where links are not to be had, a file holds the name.
            Err(_) => PathBuf::from(fs::read_to_string(&path).ok()?.trim()),
        };
        let checkpoint = self.path.join(target.file_name()?);
        checkpoint.join("config.json").is_file().then_some(checkpoint)
    }

    /// Makes `link` name the checkpoint of `step`, in one move.
    pub fn point(&self, link: &str, step: usize) -> Result<()> {
        let target = self.step_dir(step);
        let name = target.file_name().context("a checkpoint has a name")?;
        let beside = self.path.join(format!(".{link}-{}", std::process::id()));
        let _ = fs::remove_file(&beside);
        #[cfg(unix)]
        std::os::unix::fs::symlink(name, &beside)?;
        #[cfg(not(unix))]
        fs::write(&beside, name.to_string_lossy().as_bytes())?;
        fs::rename(&beside, self.path.join(link))
            .with_context(|| format!("cannot write {}", self.path.join(link).display()))
    }

    /// Removes all checkpoints but the `keep` newest, best and last.
    pub fn prune(&self, keep: usize) -> Result<()> {
        let named: Vec<PathBuf> = [LAST, BEST].iter().filter_map(|link| self.checkpoint(link)).collect();
        let mut others: Vec<PathBuf> = self
            .steps()
            .into_iter()
            .map(|step| self.step_dir(step))
            .filter(|path| !named.contains(path))
            .collect();
        others.truncate(others.len().saturating_sub(keep));
        for path in others {
            fs::remove_dir_all(&path).with_context(|| format!("cannot remove {}", path.display()))?;
        }
        Ok(())
    }

    /// Adds a line to `metrics.jsonl`.
    pub fn log(&self, line: &Value) -> Result<()> {
        let path = self.path.join(METRICS);
        let mut file = fs::OpenOptions::new().create(true).append(true).open(&path)?;
        writeln!(file, "{line}").with_context(|| format!("cannot write {}", path.display()))
    }

    /// The lines of `metrics.jsonl`.
    pub fn metrics(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.path.join(METRICS)).unwrap_or_default();
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Drops the lines of `metrics.jsonl` past `step`: a resumed run writes them again.
    pub fn truncate_log(&self, step: usize) -> Result<()> {
        let path = self.path.join(METRICS);
        let kept = self.metrics().into_iter().filter(|line| line["step"].as_u64() <= Some(step as u64));
        let kept: String = kept.map(|line| format!("{line}\n")).collect();
        fs::write(&path, kept).with_context(|| format!("cannot write {}", path.display()))
    }
}

/// The checkpoint directory that a user means: a checkpoint, or a run, whose best or last it is.
pub fn find_checkpoint(path: &Path) -> Result<PathBuf> {
    if path.join("config.json").is_file() {
        return Ok(path.to_path_buf());
    }
    if !path.is_dir() {
        bail_input!("there is no checkpoint {}: no such directory", path.display());
    }
    let run = RunDir { path: path.to_path_buf() };
    match run.checkpoint(BEST).or_else(|| run.checkpoint(LAST)) {
        Some(checkpoint) => Ok(checkpoint),
        None => bail_input!("{} holds no checkpoint: neither config.json nor best or last", path.display()),
    }
}

/// Every run in or below `folder`, the oldest first.
pub fn runs(folder: &Path) -> Vec<(SystemTime, RunDir)> {
    let entries = walkdir::WalkDir::new(folder).max_depth(3).into_iter().flatten();
    let run = |entry: walkdir::DirEntry| {
        let run = RunDir { path: entry.into_path() };
        let saved = fs::metadata(run.checkpoint(LAST)?.join("config.json")).ok()?.modified().ok()?;
        Some((saved, run))
    };
    let mut runs: Vec<(SystemTime, RunDir)> =
        entries.filter(|entry| entry.file_type().is_dir()).filter_map(run).collect();
    runs.sort_by_key(|(saved, _)| *saved);
    runs
}

/// The checkpoint of the newest run below `runs`.
pub fn newest_checkpoint() -> Result<PathBuf> {
    match runs(Path::new("runs")).last() {
        Some((_, run)) => find_checkpoint(&run.path),
        None => bail_input!("there is no run in runs/ yet: train one with `tinygpt`, or name a --checkpoint"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run_with(steps: &[usize]) -> (tempfile::TempDir, RunDir) {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDir { path: folder.path().to_path_buf() };
        for step in steps {
            fs::create_dir(run.step_dir(*step)).unwrap();
            fs::write(run.step_dir(*step).join("config.json"), "{}").unwrap();
            run.point(LAST, *step).unwrap();
        }
        (folder, run)
    }

    #[test]
    fn pruning_keeps_best_and_last_and_the_newest() {
        let (_folder, run) = run_with(&[100, 200, 300, 400, 500]);
        run.point(BEST, 100).unwrap();
        run.prune(1).unwrap();
        assert_eq!(run.steps(), [100, 400, 500]);
    }

    #[test]
    fn a_directory_with_a_run_or_with_other_files_is_not_taken() {
        let (folder, _run) = run_with(&[100]);
        let error = RunDir::create(folder.path(), false).unwrap_err().to_string();
        assert!(error.contains("--resume") && error.contains("--force"), "{error}");
        RunDir::create(folder.path(), true).unwrap();

        let other = tempfile::tempdir().unwrap();
        fs::write(other.path().join("thesis.tex"), "x").unwrap();
        assert!(RunDir::create(other.path(), true).is_err());
        assert!(other.path().join("thesis.tex").exists());
    }

    #[test]
    fn the_log_is_cut_back_to_the_step_resumed_from() {
        let (_folder, run) = run_with(&[100]);
        for step in [50, 100, 150] {
            run.log(&serde_json::json!({ "step": step })).unwrap();
        }
        run.truncate_log(100).unwrap();
        assert_eq!(fs::read_to_string(run.path.join(METRICS)).unwrap(), "{\"step\":50}\n{\"step\":100}\n");
    }
}
