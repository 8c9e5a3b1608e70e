//! Runs of tinygpt 0.1, which wrote no manifest: their files are recognised by what is in them.

use super::metric::Metric;
use super::names::{BEST, LAST, LONGEST_NAME, METRICS, is_directory, is_own_events, step_of};
use crate::run::checkpoint;
use crate::support::files::{SAVING, read_text};
use crate::support::owned::{LOCK, entries};
use crate::support::record;
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

/// The files that a run of tinygpt 0.1 wrote; none if the directory has no checkpoint of one.
pub fn files(path: &Path) -> Option<BTreeSet<String>> {
    let is_step = |name: &str| step_of(name).is_some() && checkpoint::is_saved(&path.join(name));
    if !entries(path).any(|name| is_step(&name)) {
        return None;
    }
    let is_own = |name: &String| match name.as_str() {
        LAST | BEST => is_pointer(&path.join(name)),
        METRICS => record::begins_with::<Metric>(&path.join(name)),
        LOCK => false,
        name => is_step(name) || name.starts_with(SAVING) || is_own_events(name),
    };
    Some(entries(path).filter(is_own).collect())
}

/// True for a pointer of tinygpt 0.1: a link to a step or a file with its name, or a copy of a checkpoint.
fn is_pointer(path: &Path) -> bool {
    if is_directory(path) {
        return checkpoint::is_saved(path);
    }
    let target = fs::read_link(path).ok().or_else(|| Some(read_text(path, LONGEST_NAME).ok()?.trim().into()));
    target.is_some_and(|target| target.to_str().is_some_and(|name| step_of(name).is_some()))
}
