//! Runs of tinygpt 0.1, which wrote no manifest: their files are recognised by what is in them.

use super::pointers::is_pointer;
use super::{BEST, LAST, METRICS, lines, step_of, tensorboard};
use crate::checkpoint;
use crate::files::SAVING;
use crate::owned::{LOCK, entries};
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
        METRICS => is_log(&path.join(name)),
        LOCK => false,
        name => is_step(name) || name.starts_with(SAVING) || tensorboard::is_own(name),
    };
    Some(entries(path).filter(is_own).collect())
}

/// True if the first line is one that a run logs.
fn is_log(path: &Path) -> bool {
    let lines = lines::read_lines(path, |_| true);
    let is_own = |line: &serde_json::Value| {
        let has = |keys: &[&str]| keys.iter().all(|key| !line[*key].is_null());
        has(&["step", "lr", "grad_norm", "tokens"]) || has(&["step", "val_loss", "val_tokens"])
    };
    lines.first().is_some_and(is_own)
}
