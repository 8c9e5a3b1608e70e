//! Where a text comes from: what `--data` may name.

use super::gather::{Gather, Text, read};
use super::hub::HubFile;
use super::spool::spool;
use super::tales::Tales;
use super::unreadable::{Unreadable, first_few, refused};
use super::walk::{Found, below, matching};
use crate::bail_input;
use crate::settings::TextEncoding;
use crate::support::home;
use anyhow::Result;
use std::fmt;
use std::path::Path;
use std::str::FromStr;

/// A text to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// The built-in corpus.
    Tales(Tales),
    Stdin,
    /// A file of a dataset on the Hugging Face hub.
    Hub(HubFile),
    /// A file, a directory, or a pattern of files.
    Files(String),
}

impl FromStr for Source {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        if text == "-" {
            return Ok(Source::Stdin);
        }
        if let Some(rest) = text.strip_prefix("hf:") {
            return Ok(Source::Hub(rest.parse()?));
        }
        // A file may be called tales, too.
        if (text == "tales" || text.starts_with("tales:")) && !Path::new(text).exists() {
            return Ok(Source::Tales(text.parse()?));
        }
        Ok(Source::Files(text.to_string()))
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Tales(tales) => tales.fmt(f),
            Source::Stdin => f.write_str("standard input"),
            Source::Hub(file) => file.fmt(f),
            Source::Files(pattern) => f.write_str(pattern),
        }
    }
}

impl Source {
    /// Reads everything, in the encoding that the user named, if any. The tales are not read but written: see
    /// [`Corpus`](super::Corpus).
    pub fn read(&self, encoding: Option<TextEncoding>) -> Result<Text> {
        match self {
            Source::Tales(_) => bail_input!("{self} is generated, not read"),
            Source::Stdin => {
                let bytes = spool(std::io::stdin().lock(), u64::MAX);
                let text = bytes.and_then(|bytes| Text::of_file(Path::new(""), bytes, encoding));
                text.map_err(|error| refused(&self.to_string(), None, error))
            }
            Source::Hub(file) => {
                let path = file.download()?;
                read_one(&self.to_string(), Path::new(&file.file), &path, encoding)
            }
            Source::Files(pattern) => read_files(pattern, encoding),
        }
    }
}

fn read_files(pattern: &str, encoding: Option<TextEncoding>) -> Result<Text> {
    if pattern.is_empty() {
        bail_input!("--data is empty; name a text");
    }
    let path = &*home::expand(Path::new(pattern));
    if path.is_dir() {
        return read_many(pattern, &below(path), encoding);
    }
    if path.exists() || !pattern.contains(['*', '?', '[']) {
        return read_one(&path.display().to_string(), path, path, encoding);
    }
    read_many(pattern, &matching(&path.to_string_lossy())?, encoding)
}

/// Reads the file at `path`, whose name, or the one it has elsewhere, says of what kind it is.
fn read_one(shown: &str, name: &Path, path: &Path, encoding: Option<TextEncoding>) -> Result<Text> {
    let text = read(path).and_then(|bytes| Text::of_file(name, bytes, encoding));
    text.map_err(|error| refused(shown, Some(path), error))
}

/// Every text among many files. What can't be read is counted, and the first ones are named.
fn read_many(name: &str, found: &Found, encoding: Option<TextEncoding>) -> Result<Text> {
    let mut gather = Gather::new(encoding)?;
    let all = found.files.len() + found.skipped.len();
    let (mut lost, mut other, mut remarks) = (Vec::new(), Vec::new(), Vec::new());
    let mut skip = |path: &Path, why: &Unreadable| {
        let skipped = if why.is_text() { &mut lost } else { &mut other };
        skipped.push(format!("{} {why}", path.display()));
    };
    for (path, why) in &found.skipped {
        skip(path, why);
    }
    for path in &found.files {
        match read(path).and_then(|bytes| gather.add(path, &bytes)) {
            Ok(None) => {}
            Ok(Some(remark)) => remarks.push(format!("{}: {remark}", path.display())),
            Err(error) => skip(path, &error.downcast()?),
        }
    }
    let notes = [
        (!lost.is_empty()).then(|| format!("can't read {} of {all} files: {}", lost.len(), first_few(&lost))),
        (!other.is_empty()).then(|| format!("skipped {} of {all} files: {}", other.len(), first_few(&other))),
        (!remarks.is_empty()).then(|| first_few(&remarks)),
    ];
    let notes: Vec<String> = notes.into_iter().flatten().collect();
    if gather.is_empty() {
        let why = if notes.is_empty() { "it's empty".to_string() } else { notes.join("; ") };
        bail_input!("there is no text in {name}: {why}");
    }
    let mut text = gather.finish()?;
    text.notes.extend(notes);
    Ok(text)
}
