//! The runs and checkpoints that a user means.

use super::{BEST, LAST, RunDir};
use crate::bail_input;
use crate::run::checkpoint::{fetch_model, is_gguf, refuse_file};
use anyhow::Result;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

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
        // A name-file: `best` or `last` where the file system has no links.
        return match path.parent().map(RunDir::at).and_then(|run| run.pointed_by(path)) {
            Some(checkpoint) => Ok(checkpoint),
            None => Err(refuse_file(path)),
        };
    }
    if !path.is_dir() {
        bail_input!("there is no checkpoint {}: no such directory", path.display());
    }
    let run = RunDir::at(path);
    if let Some(best) = run.checkpoint(BEST) {
        return Ok(best);
    }
    // The best may be one that only the metrics know: ones that can't be read aren't passed over.
    run.metrics()?;
    match run.checkpoint(LAST) {
        Some(last) => Ok(last),
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
        Some((_, run)) => find_checkpoint(run.path()),
        None => bail_input!("there is no run in runs/ yet: train one with `tinygpt`, or name a --checkpoint"),
    }
}
