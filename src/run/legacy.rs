//! Runs of tinygpt 0.1, which wrote no manifest: their files are recognised by what is in them.

use super::pointers::is_pointer;
use super::{BEST, LAST, METRICS, Metric, step_of, tensorboard};
use crate::files::SAVING;
use crate::owned::{LOCK, entries};
use crate::{checkpoint, record};
use std::collections::BTreeSet;
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
        name => is_step(name) || name.starts_with(SAVING) || tensorboard::is_own(name),
    };
    Some(entries(path).filter(is_own).collect())
}
