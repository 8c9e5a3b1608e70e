//! Which files a directory or a pattern names: each once, whatever links there are, and none of tinygpt's own.

use super::own::OwnFiles;
use super::unreadable::Unreadable;
use crate::support::mark::is_marked;
use crate::{bail_input, input_error};
use anyhow::Result;
use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

/// Files to read in their order, and what else there is.
#[derive(Default)]
pub struct Found {
    pub files: Vec<PathBuf>,
    pub skipped: Vec<(PathBuf, Unreadable)>,
    /// The files by what is equal for all their names.
    seen: HashMap<Identity, PathBuf>,
    own: OwnFiles,
    /// Directories with files of tinygpt's own that were named once.
    named: HashSet<PathBuf>,
}

/// Every file below a directory; hidden ones are left out.
pub fn below(directory: &Path) -> Found {
    let mut found = Found::default();
    let mut entries = walkdir::WalkDir::new(directory).follow_links(true).sort_by_file_name().into_iter();
    while let Some(entry) = entries.next() {
        let (path, depth) = match &entry {
            Ok(entry) => (entry.path().to_path_buf(), entry.depth()),
            Err(error) => (error.path().unwrap_or(directory).to_path_buf(), error.depth()),
        };
        let is_directory = entry.as_ref().is_ok_and(|entry| entry.file_type().is_dir());
        let is_hidden = depth > 0 && path.file_name().is_some_and(is_hidden);
        if is_hidden || depth > 0 && found.is_own(&path) {
            if is_directory {
                entries.skip_current_dir();
            }
            continue;
        }
        match entry {
            Err(error) => found.skipped.push((path, broken(&error))),
            Ok(_) if is_directory => {}
            Ok(_) => found.add(path),
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
    for path in files.into_iter().filter(|path| !path.is_dir()) {
        if !found.is_own(&path) {
            found.add(path);
        }
    }
    if found.files.is_empty() && found.skipped.is_empty() {
        bail_input!("no file matches '{pattern}'");
    }
    Ok(found)
}

impl Found {
    /// Whether tinygpt wrote `path`; names the directory once.
    fn is_own(&mut self, path: &Path) -> bool {
        let Some(directory) = self.own.directory_of(path) else { return false };
        let directory = if directory.as_os_str().is_empty() { Path::new(".") } else { directory };
        if self.named.insert(directory.to_path_buf()) {
            let why = Unreadable::not_text("holds a run, checkpoint or comparison of tinygpt", "");
            self.skipped.push((directory.to_path_buf(), why));
        }
        true
    }

    fn add(&mut self, path: PathBuf) {
        let metadata = match fs::metadata(&path) {
            Ok(metadata) => metadata,
            Err(error) => return self.skipped.push((path, unreadable(&error))),
        };
        // Opening a pipe would wait for somebody to write into it.
        if !metadata.is_file() {
            return self.skipped.push((path, Unreadable::not_text("is a pipe or device", "")));
        }
        if is_marked(&path) {
            return self.skipped.push((path, Unreadable::not_text("is a page or picture of tinygpt's", "")));
        }
        match identity(&path, &metadata).map(|identity| self.seen.entry(identity)) {
            Some(Entry::Occupied(first)) => {
                let what = format!("is the same file as {}", first.get().display());
                self.skipped.push((path, Unreadable::not_text(what, "")));
            }
            Some(Entry::Vacant(place)) => {
                place.insert(path.clone());
                self.files.push(path);
            }
            None => self.files.push(path),
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
