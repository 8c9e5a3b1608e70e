//! A run's directory, locked by the one process that writes in it.

use super::legacy;
use super::metric::Metric;
use super::names::{BEST, CONFIG, FILES, LAST, METRICS, is_directory, is_written, step_name, step_of};
use crate::run::checkpoint::{self, foreign_file};
use crate::support::files::{SAVING, replace};
use crate::support::owned::{Kind, Owned, Role, entries, lock};
use crate::support::record;
use crate::{bail_input, input_error};
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const ROLE: Role = Role { kind: Kind::Run, legacy: legacy::files, writes: is_written };

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

    /// A directory for a new run, locked. With `force` it replaces the run that the directory holds, and
    /// files of the user's whose names it needs.
    pub fn create(path: &Path, force: bool) -> Result<RunDir> {
        let run = RunDir::own(path, force)?;
        if run.exists() && !force {
            let shown = path.display();
            bail_input!(
                "{shown} holds a run already: resume it with --resume {shown}, replace it with --force, or name another --out"
            );
        }
        run.clear()?;
        Ok(run)
    }

    /// A directory for a run, new or to be resumed, locked. What a run left that has no checkpoint yet is
    /// removed.
    ///
    /// # Errors
    /// [`Failure::Busy`](crate::support::failure::Failure) while another process writes in it; if it holds other
    /// files and no run.
    pub fn take(path: &Path) -> Result<RunDir> {
        let run = RunDir::own(path, false)?;
        if !run.exists() {
            run.clear()?;
        }
        Ok(run)
    }

    /// Locks a directory and lists in its manifest what a run writes.
    fn own(path: &Path, force: bool) -> Result<RunDir> {
        let (mut owned, lock) = Owned::take(path, &ROLE, force, lock)?;
        owned.claim(FILES.map(String::from), force)?;
        Ok(RunDir { path: path.to_path_buf(), _lock: Some(Arc::new(lock)) })
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

    /// Locks the directory, so that only this process writes to it until it ends.
    pub fn locked(self) -> Result<RunDir> {
        if !self.is_recognised() {
            bail_input!(
                "{} isn't a run of tinygpt's: it has neither a tinygpt.json nor a step-*/ whose trainer.json matches its SHA256SUMS",
                self.path.display()
            );
        }
        RunDir::own(&self.path, false)
    }

    /// True if tinygpt wrote a run here: the directory has a manifest, or is one of tinygpt 0.1.
    pub fn is_recognised(&self) -> bool {
        ROLE.is_played(&self.path)
    }

    /// A new directory below `runs`: `runs/NAME`, `runs/NAME-2`, ...
    pub fn numbered(name: &str) -> Result<PathBuf> {
        let base = Path::new("runs");
        let failed = |error| input_error!("cannot create a directory in {}: {error}", base.display());
        fs::create_dir_all(base).map_err(failed)?;
        for number in 1.. {
            let path = base.join(if number == 1 { name.to_string() } else { format!("{name}-{number}") });
            match fs::create_dir(&path) {
                // Only one process can create it, so that two that start at once don't share it.
                Ok(()) => return Ok(path),
                Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(failed(error)),
            }
        }
        unreachable!("a free number is found before numbers end")
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    /// True if there is a checkpoint in it.
    pub fn exists(&self) -> bool {
        self.checkpoint(LAST).is_some()
    }

    /// Removes what a run wrote here. Checkpoints go first, the newest before the others, so that what a kill
    /// leaves is the run as it was at an earlier checkpoint.
    pub fn clear(&self) -> Result<()> {
        let Some(mut owned) = Owned::read(&self.path)? else { return Ok(()) };
        let listed = |name: &String| owned.wrote(name) && is_written(name);
        let mut names: Vec<String> = entries(&self.path).filter(listed).collect();
        names.sort_by_key(|name| std::cmp::Reverse(step_of(name)));
        for path in names.iter().map(|name| self.path.join(name)).filter(|path| is_directory(path)) {
            if let Some(name) = foreign_file(&path) {
                bail_input!("{} isn't a file that tinygpt wrote: move it away", path.join(name).display());
            }
        }
        for path in names.iter().map(|name| self.path.join(name)) {
            if is_directory(&path) {
                checkpoint::remove(&path)?;
            } else {
                fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
            }
        }
        self.remove_unfinished()?;
        owned.release(|name| !FILES.contains(&name))
    }

    /// Removes what a process left that was killed while it saved.
    pub fn remove_unfinished(&self) -> Result<()> {
        for path in
            entries(&self.path).filter(|name| name.starts_with(SAVING)).map(|name| self.path.join(name))
        {
            if is_directory(&path) { fs::remove_dir_all(path)? } else { fs::remove_file(path)? }
        }
        Ok(())
    }

    pub fn step_dir(&self, step: usize) -> PathBuf {
        self.path.join(step_name(step))
    }

    /// Steps that have a checkpoint, in order.
    pub(super) fn steps(&self) -> Vec<usize> {
        let mut steps: Vec<usize> = entries(&self.path).filter_map(|name| step_of(&name)).collect();
        steps.sort_unstable();
        steps
    }

    /// Lists a name in the manifest before the run writes it.
    ///
    /// # Errors
    /// If tinygpt didn't write what has that name.
    pub fn claim(&self, name: String) -> Result<()> {
        match Owned::read(&self.path)? {
            Some(mut owned) => owned.claim([name], false),
            None => bail_input!("{} has lost its tinygpt.json", self.path.display()),
        }
    }

    /// The directory of the checkpoint of `step`, to be written.
    pub fn new_step(&self, step: usize) -> Result<PathBuf> {
        let path = self.step_dir(step);
        self.claim(step_name(step))
            .with_context(|| format!("cannot save the checkpoint {}", path.display()))?;
        Ok(path)
    }

    /// Removes all checkpoints but the `keep` newest, best, last, and that of the step `resumed` from. None is
    /// removed while it isn't known which is best, nor one that somebody put other files into.
    pub fn prune(&self, keep: usize, resumed: Option<usize>) -> Result<()> {
        let best = self.checkpoint(BEST);
        if best.is_none() && self.has_best() {
            return Ok(());
        }
        let Some(mut owned) = Owned::read(&self.path)? else { return Ok(()) };
        let named: Vec<PathBuf> = self.checkpoint(LAST).into_iter().chain(best).collect();
        let mut others: Vec<PathBuf> = self
            .steps()
            .into_iter()
            .filter(|step| Some(*step) != resumed && owned.wrote(&step_name(*step)))
            .map(|step| self.step_dir(step))
            .filter(|path| !named.contains(path) && foreign_file(path).is_none())
            .collect();
        others.truncate(others.len().saturating_sub(keep));
        others.iter().try_for_each(|path| checkpoint::remove(path))?;
        owned.release(|name| others.iter().any(|path| path.ends_with(name)))
    }

    /// Writes `config.toml`: settings that `--model` reads.
    pub fn write_config(&self, text: &str) -> Result<()> {
        replace(&self.path.join(CONFIG), text.as_bytes())
    }

    /// Adds a line to `metrics.jsonl`.
    pub fn log(&self, metric: &Metric) -> Result<()> {
        record::append_line(&self.path.join(METRICS), metric)
    }

    /// The lines of `metrics.jsonl`, but for what a kill left of the last one.
    ///
    /// # Errors
    /// If a line can't be read; names it.
    pub fn metrics(&self) -> Result<Vec<Metric>> {
        record::read_lines(&self.path.join(METRICS))
    }

    /// Drops the lines of `metrics.jsonl` past `step`: a resumed run writes them again.
    pub fn truncate_log(&self, step: usize) -> Result<()> {
        let mut kept = String::new();
        for metric in self.metrics()?.iter().filter(|metric| metric.step() <= step) {
            kept += &record::line(metric)?;
            kept.push('\n');
        }
        replace(&self.path.join(METRICS), kept.as_bytes())
    }
}
