//! `best` and `last`: links to checkpoints, or what copying made of them.
//!
//! A pointer is a link to a checkpoint's name, a file that holds the name (on file systems without links), or
//! a copy of the checkpoint (`cp -rL` and `scp -r` follow links). All three are read; links are written where
//! the file system has them, else files.

use super::directory::RunDir;
use super::metric::Metric;
use super::names::{BEST, LAST, LONGEST_NAME, is_directory, step_name};
use crate::run::checkpoint::{self, load_trainer};
use crate::support::files::{SAVING, is_same_file, read_text, sync};
use anyhow::{Context, Result};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

impl RunDir {
    /// The checkpoint that a pointer names. One that is missing or leads nowhere is found again: the last is
    /// the newest checkpoint, the best the one that the metrics say was best.
    pub fn checkpoint(&self, pointer: &str) -> Option<PathBuf> {
        if let Some(named) = self.named(pointer).filter(|path| is_complete(path)) {
            return Some(named);
        }
        match pointer {
            LAST => {
                self.steps().into_iter().rev().map(|step| self.step_dir(step)).find(|path| is_complete(path))
            }
            BEST => self.best_by_metrics(),
            _ => None,
        }
    }

    /// The checkpoint that `path` means: what it points to if it's a pointer of this run, else itself.
    pub fn pointed_by(&self, path: &Path) -> Option<PathBuf> {
        match [LAST, BEST].into_iter().find(|pointer| is_same_file(&self.path().join(pointer), path)) {
            Some(pointer) => self.checkpoint(pointer),
            None => Some(path.to_path_buf()).filter(|path| is_complete(path)),
        }
    }

    /// Where a pointer leads: always to a name in this directory, whatever it says.
    fn named(&self, pointer: &str) -> Option<PathBuf> {
        let path = self.path().join(pointer);
        if is_directory(&path) {
            // The original, if it was copied too: it's the one that resuming and pruning know.
            let original = load_trainer(&path).ok().map(|state| self.step_dir(state.step));
            return original.filter(|original| is_complete(original)).or(Some(path));
        }
        let target = match fs::read_link(&path) {
            Ok(target) => target,
            Err(_) => PathBuf::from(read_text(&path, LONGEST_NAME).ok()?.trim()),
        };
        Some(self.path().join(target.file_name()?))
    }

    /// True if one of the checkpoints that were written so far must be the best, or may be: nobody knows while the
    /// metrics can't be read.
    pub(super) fn has_best(&self) -> bool {
        let is_evaluated = |metrics: Vec<Metric>| metrics.iter().any(|metric| metric.val_loss().is_some());
        self.path().join(BEST).symlink_metadata().is_ok() || self.metrics().map_or(true, is_evaluated)
    }

    /// The checkpoint with the lowest validation loss of those that were evaluated and are still there.
    fn best_by_metrics(&self) -> Option<PathBuf> {
        let metrics = self.metrics().ok()?;
        let evaluated = metrics.iter().filter_map(|metric| {
            let path = self.step_dir(metric.step());
            Some((metric.val_loss()?, path)).filter(|(_, path)| is_complete(path))
        });
        evaluated.min_by(|a, b| a.0.total_cmp(&b.0)).map(|(_, path)| path)
    }

    /// Makes a pointer name the checkpoint of `step`, in one move.
    pub fn point(&self, pointer: &str, step: usize) -> Result<()> {
        let path = self.path().join(pointer);
        let written = || -> Result<()> {
            if is_directory(&path) {
                self.put_back(&path)?;
            }
            write_pointer(&path, &step_name(step), link)?;
            sync(self.path())
        };
        written().with_context(|| format!("cannot write {}", path.display()))
    }

    /// Gives the copy of a checkpoint its original's name, or removes it where the original is there.
    fn put_back(&self, copy: &Path) -> Result<()> {
        let step = load_trainer(copy).map(|state| state.step);
        match step.map(|step| (step_name(step), self.step_dir(step))) {
            Ok((name, original)) if original.symlink_metadata().is_err() => {
                self.claim(name)?;
                Ok(fs::rename(copy, original)?)
            }
            _ => checkpoint::remove(copy),
        }
    }
}

/// True if the directory holds a checkpoint.
fn is_complete(checkpoint: &Path) -> bool {
    checkpoint.join("config.json").is_file()
}

/// Writes a pointer to `name` beside it: a link as `link` makes it, or a file with the name if that fails.
fn write_pointer(path: &Path, name: &str, link: impl Fn(&str, &Path) -> io::Result<()>) -> io::Result<()> {
    let pointer = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = path.with_file_name(format!("{SAVING}{pointer}-{}", std::process::id()));
    let _ = fs::remove_file(&beside);
    // File systems refuse links with different errors: EPERM, ENOTSUP, EINVAL, EIO.
    link(name, &beside).or_else(|_| fs::write(&beside, name))?;
    fs::rename(&beside, path)
}

#[cfg(unix)]
fn link(name: &str, path: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(name, path)
}

/// Windows tells links to directories and to files apart, and most users may make neither.
#[cfg(not(unix))]
fn link(_name: &str, _path: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_fall_back_to_files_without_symbolic_links() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(LAST);
        let refused = |_: &str, _: &Path| Err(io::Error::from_raw_os_error(1));
        for name in ["step-000100", "step-000200"] {
            write_pointer(&path, name, refused).unwrap();
            assert_eq!(fs::read_to_string(&path).unwrap(), name);
        }
        // A link that was made before is replaced, not followed.
        write_pointer(&path, "step-000300", link).unwrap();
        write_pointer(&path, "step-000400", refused).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "step-000400");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
