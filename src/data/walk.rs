//! Which files a directory or a pattern names: each once, whatever links there are, and none of tinygpt's own.

use super::unreadable::Unreadable;
use crate::{bail_input, input_error};
use anyhow::Result;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

/// The file by which a directory of tinygpt's says what it is.
const MARKER: &str = "tinygpt.json";

/// Files to read in their order, and what else there is.
#[derive(Default)]
pub struct Found {
    pub files: Vec<PathBuf>,
    pub skipped: Vec<(PathBuf, Unreadable)>,
}

/// Every file below a directory; hidden ones are left out.
pub fn below(directory: &Path) -> Found {
    let mut found = Found::default();
    let mut seen = HashMap::new();
    let mut entries = walkdir::WalkDir::new(directory).follow_links(true).sort_by_file_name().into_iter();
    while let Some(entry) = entries.next() {
        let (path, depth) = match &entry {
            Ok(entry) => (entry.path().to_path_buf(), entry.depth()),
            Err(error) => (error.path().unwrap_or(directory).to_path_buf(), error.depth()),
        };
        let is_directory = entry.as_ref().is_ok_and(|entry| entry.file_type().is_dir());
        if depth > 0 && path.file_name().is_some_and(is_hidden) {
            if is_directory {
                entries.skip_current_dir();
            }
            continue;
        }
        match entry {
            Err(error) => found.skipped.push((path, broken(&error))),
            Ok(_) if is_directory => {
                if let Some(own) = own_directory(&path) {
                    entries.skip_current_dir();
                    found.skipped.push((path, own));
                }
            }
            Ok(_) => found.add(path, &mut seen),
        }
    }
    found
}

/// Every file that a pattern names. As in a shell, hidden ones have to be named.
///
/// # Errors
/// If it isn't a pattern, or nothing matches it.
pub fn matching(pattern: &str) -> Result<Found> {
    let options = glob::MatchOptions { require_literal_leading_dot: true, ..glob::MatchOptions::new() };
    let matches = glob::glob_with(pattern, options)
        .map_err(|error| input_error!("'{pattern}' isn't a pattern: {error}"))?;
    let (mut files, mut found) = (Vec::new(), Found::default());
    for matched in matches {
        match matched {
            Ok(path) => files.push(path),
            Err(error) => found.skipped.push((error.path().to_path_buf(), unreadable(error.error()))),
        }
    }
    files.sort();
    let (mut seen, mut own) = (HashMap::new(), HashMap::new());
    for path in files.into_iter().filter(|path| !path.is_dir()) {
        let is_own = |parent: &Path| match own.get(parent) {
            Some(is_own) => *is_own,
            None => *own.entry(parent.to_path_buf()).or_insert(own_directory(parent).is_some()),
        };
        if path.ancestors().skip(1).any(is_own) {
            found.skipped.push((path, Unreadable::not_text("belongs to a run or comparison of tinygpt", "")));
        } else {
            found.add(path, &mut seen);
        }
    }
    if found.files.is_empty() && found.skipped.is_empty() {
        bail_input!("no file matches '{pattern}'");
    }
    Ok(found)
}

impl Found {
    fn add(&mut self, path: PathBuf, seen: &mut HashMap<Identity, PathBuf>) {
        match fs::metadata(&path) {
            Err(error) => self.skipped.push((path, unreadable(&error))),
            // Opening a pipe would wait for somebody to write into it.
            Ok(metadata) if !metadata.is_file() => {
                self.skipped.push((path, Unreadable::not_text("is a pipe or device", "name it by itself")));
            }
            Ok(metadata) => match identity(&path, &metadata).map(|identity| seen.entry(identity)) {
                Some(Entry::Occupied(first)) => {
                    let what = format!("is the same file as {}", first.get().display());
                    self.skipped.push((path, Unreadable::not_text(what, "")));
                }
                Some(Entry::Vacant(place)) => {
                    place.insert(path.clone());
                    self.files.push(path);
                }
                None => self.files.push(path),
            },
        }
    }
}

fn is_hidden(name: &OsStr) -> bool {
    name.to_string_lossy().starts_with('.')
}

fn unreadable(error: &std::io::Error) -> Unreadable {
    Unreadable::new(format!("can't be read: {error}"), "")
}

fn broken(error: &walkdir::Error) -> Unreadable {
    match (error.loop_ancestor(), error.io_error()) {
        (Some(_), _) => Unreadable::not_text("is a link to a directory above it", ""),
        (None, Some(error)) => unreadable(error),
        (None, None) => Unreadable::new("can't be read", ""),
    }
}

/// What is equal for all names of a file.
#[cfg(unix)]
type Identity = (u64, u64);
#[cfg(not(unix))]
type Identity = PathBuf;

#[cfg(unix)]
fn identity(_: &Path, metadata: &fs::Metadata) -> Option<Identity> {
    use std::os::unix::fs::MetadataExt;
    Some((metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn identity(path: &Path, _: &fs::Metadata) -> Option<Identity> {
    path.canonicalize().ok()
}

/// Whether a directory is a run, a checkpoint or a comparison: by its marker, or by the files that only these
/// have. Metrics and reports are no text to learn from.
fn own_directory(path: &Path) -> Option<Unreadable> {
    let has = |directory: &Path, files: &[&str]| files.iter().all(|file| directory.join(file).is_file());
    let is_step = |name: &OsStr| {
        let step = name.to_str().and_then(|name| name.strip_prefix("step-"));
        step.is_some_and(|step| step.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let is_run = || {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        entries.filter(|entry| is_step(&entry.file_name())).any(|step| has(&step.path(), &["trainer.json"]))
    };
    let is_own = has(path, &[MARKER])
        || has(path, &["compare.json", "results.jsonl"])
        || has(path, &["trainer.json", "config.json"])
        || is_run();
    is_own.then(|| Unreadable::not_text("is a run, checkpoint or comparison of tinygpt", ""))
}
