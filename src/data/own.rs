//! Which files tinygpt itself wrote: metrics, reports and model cards are no text to learn from.

use crate::support::owned::{LOCK, MARKER};
use serde_json::Value;
use std::collections::{HashMap, HashSet};
use std::fs;
use std::path::{Path, PathBuf};

/// What is known of the directories that were asked about.
#[derive(Default)]
pub struct OwnFiles(HashMap<PathBuf, Own>);

enum Own {
    Nothing,
    Everything,
    Names(HashSet<String>),
}

impl OwnFiles {
    /// The outermost run, checkpoint or comparison that `path` is a part of, unless the user put it there.
    pub fn directory_of<'a>(&mut self, path: &'a Path) -> Option<&'a Path> {
        let owners = path.ancestors().filter_map(|path| {
            let (directory, name) = (path.parent()?, path.file_name()?.to_string_lossy());
            let own =
                self.0.entry(directory.to_path_buf()).or_insert_with_key(|directory| Own::of(directory));
            let is_own = match own {
                Own::Nothing => false,
                Own::Everything => true,
                Own::Names(names) => names.contains(&*name),
            };
            is_own.then_some(directory)
        });
        owners.last()
    }
}

impl Own {
    fn of(directory: &Path) -> Own {
        let has = |files: &[&str]| files.iter().all(|file| directory.join(file).is_file());
        if let Some(names) = manifest(directory) {
            return Own::Names(names);
        }
        // Checkpoints have no such manifest, nor had anything in 0.1.
        let is_own = has(&["trainer.json", "config.json"])
            || has(&["compare.json", "results.jsonl"])
            || is_run(directory);
        if is_own { Own::Everything } else { Own::Nothing }
    }
}

fn manifest(directory: &Path) -> Option<HashSet<String>> {
    let manifest: Value = serde_json::from_slice(&fs::read(directory.join(MARKER)).ok()?).ok()?;
    let listed = manifest["files"].as_array()?.iter().filter_map(|name| name.as_str().map(String::from));
    Some(listed.chain([MARKER, LOCK].map(String::from)).collect())
}

/// Whether there are checkpoints of training in a directory.
fn is_run(directory: &Path) -> bool {
    let is_step = |entry: &fs::DirEntry| {
        let name = entry.file_name();
        let step = name.to_str().and_then(|name| name.strip_prefix("step-"));
        step.is_some_and(|step| step.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let mut entries = fs::read_dir(directory).into_iter().flatten().flatten();
    entries.any(|entry| is_step(&entry) && entry.path().join("trainer.json").is_file())
}
