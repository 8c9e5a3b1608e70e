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

use crate::checkpoint::{fetch_model, is_gguf, refuse_file};
use crate::failure::Failure;
use crate::files::{SAVING, append, read_text, replace, sync};
use crate::{bail_input, input_error};
use anyhow::{Context, Result};
use serde_json::Value;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

/// The newest checkpoint.
pub const LAST: &str = "last";
/// The checkpoint with the lowest validation loss.
pub const BEST: &str = "best";
const METRICS: &str = "metrics.jsonl";
/// The file that is locked while a process writes in a directory.
pub const LOCK: &str = "lock";
/// Bytes of a name that is kept in a file.
const LONGEST_NAME: u64 = 4096;

/// The directory of one run.
#[derive(Clone, Debug)]
pub struct RunDir {
    path: PathBuf,
    /// Held open by the one process that writes.
    _lock: Option<Arc<fs::File>>,
}

impl RunDir {
    /// A run to be read.
    pub fn at(path: &Path) -> RunDir {
        RunDir { path: path.to_path_buf(), _lock: None }
    }

    /// A directory for a new run, locked. One that holds a run is refused, or emptied with `force`.
    pub fn create(path: &Path, force: bool) -> Result<RunDir> {
        let run = RunDir::take(path)?;
        if !run.steps().is_empty() {
            if !force {
                let shown = path.display();
                bail_input!(
                    "{shown} holds a run already: go on with it by --resume {shown}, replace it by --force, or name another --out"
                );
            }
            run.clear()?;
        }
        Ok(run)
    }

    /// A directory for a run, new or to be gone on with, locked. What an unfinished run left that has no
    /// checkpoint yet is removed.
    ///
    /// # Errors
    /// [`Failure::Busy`] while another process writes in it; if it holds other files and no run.
    pub fn take(path: &Path) -> Result<RunDir> {
        let shown = path.display();
        fs::create_dir_all(path).map_err(|error| input_error!("cannot create {shown}: {error}"))?;
        let foreign = entries(path).find(|name| !is_own(name));
        if let Some(name) = foreign.filter(|_| !RunDir::at(path).exists()) {
            bail_input!("{shown} holds no run but other files, such as {name}; name another --out");
        }
        let run = RunDir::at(path).locked()?;
        if run.steps().is_empty() {
            run.clear()?;
        }
        Ok(run)
    }

    /// The directory of an existing run: `path` itself, or the run whose checkpoint it is.
    pub fn open(path: &Path) -> Result<RunDir> {
        let run = RunDir::at(path);
        if run.exists() {
            return Ok(run);
        }
        let real =
            path.canonicalize().map_err(|error| input_error!("cannot open {}: {error}", path.display()))?;
        match real.parent().map(RunDir::at) {
            Some(run) if run.exists() => Ok(run),
            _ => bail_input!("{} holds no run: there is no checkpoint in it", path.display()),
        }
    }

    /// The same directory, to be written by this process alone until it ends.
    pub fn locked(self) -> Result<RunDir> {
        let _lock = Some(Arc::new(lock(&self.path)?));
        Ok(RunDir { _lock, ..self })
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

    /// Whether there is a checkpoint in it.
    pub fn exists(&self) -> bool {
        self.checkpoint(LAST).is_some()
    }

    /// Removes everything a run writes, and nothing else.
    fn clear(&self) -> Result<()> {
        for name in entries(&self.path).filter(|name| is_own(name) && name != LOCK) {
            let path = self.path.join(&name);
            let is_directory = path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir());
            let removed = if is_directory { fs::remove_dir_all(&path) } else { fs::remove_file(&path) };
            removed.with_context(|| format!("cannot remove {}", path.display()))?;
        }
        Ok(())
    }

    /// Removes what a process left that was killed while it saved.
    pub fn remove_unfinished(&self) -> Result<()> {
        for name in entries(&self.path).filter(|name| name.starts_with(SAVING)) {
            let path = self.path.join(name);
            if path.is_dir() { fs::remove_dir_all(path)? } else { fs::remove_file(path)? }
        }
        Ok(())
    }

    pub fn step_dir(&self, step: usize) -> PathBuf {
        self.path.join(step_name(step))
    }

    /// Steps that have a checkpoint, in order.
    fn steps(&self) -> Vec<usize> {
        let mut steps: Vec<usize> = entries(&self.path).filter_map(|name| step_of(&name)).collect();
        steps.sort_unstable();
        steps
    }

    /// The checkpoint that `link` names, where there is one. A process that was killed after it saved its
    /// first and before it named it left the newest without its name.
    pub fn checkpoint(&self, link: &str) -> Option<PathBuf> {
        let complete = |checkpoint: &PathBuf| checkpoint.join("config.json").is_file();
        let newest = || self.steps().into_iter().rev().map(|step| self.step_dir(step)).find(complete);
        match self.named(link).filter(complete) {
            None if link == LAST => newest(),
            named => named,
        }
    }

    /// Where `link` leads: always to a name in this directory, whatever it says.
    fn named(&self, link: &str) -> Option<PathBuf> {
        let path = self.path.join(link);
        let target = match fs::read_link(&path) {
            Ok(target) => target,
            // Where links are not to be had, a file holds the name.
            Err(_) => PathBuf::from(read_text(&path, LONGEST_NAME).ok()?.trim()),
        };
        Some(self.path.join(target.file_name()?))
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
            .with_context(|| format!("cannot write {}", self.path.join(link).display()))?;
        sync(&self.path)
    }

    /// Removes all checkpoints but the `keep` newest, best, last, and that of the step `resumed` from.
    pub fn prune(&self, keep: usize, resumed: Option<usize>) -> Result<()> {
        let named: Vec<PathBuf> = [LAST, BEST].iter().filter_map(|link| self.checkpoint(link)).collect();
        let mut others: Vec<PathBuf> = self
            .steps()
            .into_iter()
            .filter(|step| Some(*step) != resumed)
            .map(|step| self.step_dir(step))
            .filter(|path| !named.contains(path))
            .collect();
        others.truncate(others.len().saturating_sub(keep));
        others.iter().try_for_each(|path| self.remove(path))
    }

    /// Removes a checkpoint, which is whole for as long as it has its name.
    fn remove(&self, checkpoint: &Path) -> Result<()> {
        let nameless = self.path.join(format!("{SAVING}{}", std::process::id()));
        fs::rename(checkpoint, &nameless)
            .and_then(|()| fs::remove_dir_all(&nameless))
            .with_context(|| format!("cannot remove {}", checkpoint.display()))
    }

    /// Adds a line to `metrics.jsonl`.
    pub fn log(&self, line: &Value) -> Result<()> {
        append_line(&self.path.join(METRICS), line)
    }

    /// The lines of `metrics.jsonl`; what a kill left of one is passed over.
    pub fn metrics(&self) -> Vec<Value> {
        let bytes = fs::read(self.path.join(METRICS)).unwrap_or_default();
        let text = String::from_utf8_lossy(&bytes);
        text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// Drops the lines of `metrics.jsonl` past `step`: a resumed run writes them again.
    pub fn truncate_log(&self, step: usize) -> Result<()> {
        let path = self.path.join(METRICS);
        let kept = self.metrics().into_iter().filter(|line| line["step"].as_u64() <= Some(step as u64));
        let kept: String = kept.map(|line| format!("{line}\n")).collect();
        replace(&path, kept.as_bytes())
    }
}

/// Appends a line in one write, so that a kill leaves it whole or cut, never mixed. What a full disk leaves
/// of it is taken back.
pub fn append_line(path: &Path, line: &Value) -> Result<()> {
    let write = || {
        let mut file = fs::OpenOptions::new().create(true).append(true).open(path)?;
        append(&mut file, format!("{line}\n").as_bytes())
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

/// The same for a file that several processes add to: one after the other, what a kill left of a line is
/// removed first, and the line is on disk when this returns.
pub fn append_whole_line(path: &Path, line: &Value) -> Result<()> {
    let write = || -> Result<()> {
        let mut file = fs::OpenOptions::new().create(true).read(true).append(true).open(path)?;
        // Where a file system has no locks, the worst is a cut line.
        let _ = file.lock();
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        if whole < bytes.len() {
            file.set_len(whole as u64)?;
        }
        append(&mut file, format!("{line}\n").as_bytes())?;
        Ok(file.sync_all()?)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

/// Locks a directory against other processes that would write in it.
pub fn lock(directory: &Path) -> Result<fs::File> {
    let path = directory.join(LOCK);
    let file = fs::OpenOptions::new().create(true).append(true).open(&path);
    let file = file.map_err(|error| input_error!("cannot write in {}: {error}", directory.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(Failure::Busy(format!(
            "another process is writing in {}; wait for it, or name another --out",
            directory.display()
        ))
        .into()),
        // Some network file systems have no locks; the run is as safe there as its user is careful.
        Err(fs::TryLockError::Error(_)) => Ok(file),
    }
}

/// The names in a directory.
fn entries(directory: &Path) -> impl Iterator<Item = String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned())
}

fn step_name(step: usize) -> String {
    format!("step-{step:06}")
}

/// The step of a checkpoint called `name`.
fn step_of(name: &str) -> Option<usize> {
    let step = name.strip_prefix("step-")?.parse().ok()?;
    (step_name(step) == name).then_some(step)
}

/// Whether a run writes a file or directory of this name.
fn is_own(name: &str) -> bool {
    let fixed = [LAST, BEST, METRICS, LOCK];
    let begins = [SAVING, ".last-", ".best-", "events.out.tfevents."];
    fixed.contains(&name) || begins.iter().any(|begin| name.starts_with(begin)) || step_of(name).is_some()
}

/// The checkpoint that a user means: a directory that is one, a run, whose best or last it is, a GGUF file, or
/// `hf:OWNER/NAME[@REVISION]` of a model on the hub.
pub fn find_checkpoint(path: &Path) -> Result<PathBuf> {
    if let Some(name) = path.to_str().and_then(|path| path.strip_prefix("hf:")) {
        return fetch_model(name);
    }
    if path.join("config.json").is_file() {
        return Ok(path.to_path_buf());
    }
    if is_gguf(path) {
        return Ok(path.to_path_buf());
    }
    if path.is_file() {
        return Err(refuse_file(path));
    }
    if !path.is_dir() {
        bail_input!("there is no checkpoint {}: no such directory", path.display());
    }
    let run = RunDir::at(path);
    match run.checkpoint(BEST).or_else(|| run.checkpoint(LAST)) {
        Some(checkpoint) => Ok(checkpoint),
        None => bail_input!("{} holds no checkpoint: neither config.json nor best or last", path.display()),
    }
}

/// Every run in or below `folder`, the oldest first.
pub fn runs(folder: &Path) -> Vec<(SystemTime, RunDir)> {
    let entries = walkdir::WalkDir::new(folder).max_depth(3).into_iter().flatten();
    let run = |entry: walkdir::DirEntry| {
        let run = RunDir::at(entry.path());
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
        let run = RunDir::at(folder.path());
        for step in steps {
            fs::create_dir(run.step_dir(*step)).unwrap();
            fs::write(run.step_dir(*step).join("config.json"), "{}").unwrap();
            run.point(LAST, *step).unwrap();
        }
        (folder, run)
    }

    #[test]
    fn pruning_keeps_best_and_last_and_the_newest_and_what_was_resumed() {
        let (_folder, run) = run_with(&[100, 200, 300, 400, 500]);
        run.point(BEST, 100).unwrap();
        run.prune(1, Some(200)).unwrap();
        assert_eq!(run.steps(), [100, 200, 400, 500]);
        assert_eq!(entries(run.path()).filter(|name| name.starts_with(SAVING)).count(), 0);
    }

    #[test]
    fn a_checkpoint_that_was_saved_and_not_yet_named_is_the_last() {
        let (_folder, run) = run_with(&[100]);
        fs::remove_file(run.path().join(LAST)).unwrap();
        assert_eq!(run.checkpoint(LAST), Some(run.step_dir(100)));
        assert_eq!(run.checkpoint(BEST), None);
    }

    /// A link that came with somebody's run is no way out of its directory.
    #[test]
    fn a_link_leads_nowhere_but_to_a_name_in_the_run() {
        let (folder, run) = run_with(&[100]);
        let outside = tempfile::tempdir().unwrap();
        fs::write(outside.path().join("config.json"), "{}").unwrap();
        fs::write(folder.path().join(BEST), outside.path().to_str().unwrap()).unwrap();
        assert_eq!(run.checkpoint(BEST), None);
        fs::write(folder.path().join(BEST), "../../step-000100").unwrap();
        assert_eq!(run.checkpoint(BEST), Some(run.step_dir(100)));
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
