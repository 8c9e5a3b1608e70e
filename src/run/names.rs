//! The names of what is in the directory of a run.

use std::path::Path;

/// The newest checkpoint.
pub const LAST: &str = "last";
/// The checkpoint with the lowest validation loss.
pub const BEST: &str = "best";
pub const METRICS: &str = "metrics.jsonl";
pub const CONFIG: &str = "config.toml";
/// Bytes of a name that is kept in a file.
pub const LONGEST_NAME: u64 = 4096;
/// Files that every run writes, besides checkpoints and events.
pub const FILES: [&str; 4] = [METRICS, CONFIG, LAST, BEST];
/// What the name of every event file begins with.
pub const EVENTS: &str = "events.out.tfevents.";
/// What the name of one of ours ends with.
pub const OURS: &str = ".tinygpt";

/// True for the name of an event file that tinygpt wrote.
pub fn is_own_events(name: &str) -> bool {
    name.starts_with(EVENTS) && name.ends_with(OURS)
}

/// True for a directory, not for a link to one.
pub fn is_directory(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir())
}

/// The name of the checkpoint of a step.
pub fn step_name(step: usize) -> String {
    format!("step-{step:06}")
}

/// The step of a checkpoint called `name`.
pub fn step_of(name: &str) -> Option<usize> {
    let step = name.strip_prefix("step-")?.parse().ok()?;
    (step_name(step) == name).then_some(step)
}

/// True for the names that a run writes.
pub fn is_written(name: &str) -> bool {
    FILES.contains(&name) || name.starts_with(EVENTS) || step_of(name).is_some()
}
