//! Where a text comes from: what `--data` may name.

use super::gather::{Gather, Text, is_text};
use super::hub::HubFile;
use super::tales::Tales;
use crate::{bail_input, home, input_error};
use anyhow::Result;
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};
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
    /// Reads everything. The tales are not read but written: see [`Corpus`](super::Corpus).
    pub fn read(&self) -> Result<Text> {
        match self {
            Source::Tales(_) => bail_input!("{self} is generated, not read"),
            Source::Stdin => {
                let mut bytes = Vec::new();
                std::io::stdin().lock().read_to_end(&mut bytes)?;
                let mut gather = Gather::new()?;
                gather.add(&self.to_string(), Path::new("stdin"), &bytes)?;
                gather.finish(self.to_string())
            }
            Source::Hub(file) => {
                let path = file.download()?;
                let mut gather = Gather::new()?;
                gather.add_file(&path, Path::new(&file.file))?;
                gather.finish(self.to_string())
            }
            Source::Files(pattern) => read_files(pattern),
        }
    }
}

fn read_files(pattern: &str) -> Result<Text> {
    if pattern.is_empty() {
        bail_input!("--data is empty; name a text");
    }
    let path = &*home::expand(Path::new(pattern));
    if path.is_dir() {
        return read_many(pattern, &walk(path)?);
    }
    if path.exists() || !pattern.contains(['*', '?', '[']) {
        return read_one(path);
    }
    let matches = glob::glob(&path.to_string_lossy())
        .map_err(|error| input_error!("'{pattern}' is no pattern: {error}"))?;
    let mut files: Vec<PathBuf> = matches.filter_map(Result::ok).filter(|path| path.is_file()).collect();
    files.sort();
    if files.is_empty() {
        bail_input!("no file matches '{pattern}'");
    }
    read_many(pattern, &files)
}

fn read_one(path: &Path) -> Result<Text> {
    let shown = path.display();
    let metadata = std::fs::metadata(path).map_err(|error| input_error!("cannot read {shown}: {error}"))?;
    if metadata.is_dir() {
        bail_input!("cannot read {shown}: it is a directory");
    }
    if let Some(text) = Text::plain(path)? {
        return Ok(text);
    }
    let mut gather = Gather::new()?;
    gather.add_file(path, path)?;
    gather.finish(shown.to_string())
}

/// Every text among many files; files that are no text are passed over and counted.
fn read_many(name: &str, files: &[PathBuf]) -> Result<Text> {
    let mut gather = Gather::new()?;
    let mut passed_over = 0;
    for path in files {
        let bytes = File::open(path).and_then(|mut file| {
            let mut bytes = Vec::new();
            file.read_to_end(&mut bytes).map(|_| bytes)
        });
        let bytes = bytes.map_err(|error| input_error!("cannot read {}: {error}", path.display()))?;
        if is_text(&bytes) {
            gather.add(&path.display().to_string(), path, &bytes)?;
        } else {
            passed_over += 1;
        }
    }
    if passed_over > 0 {
        gather.note(format!("{passed_over} of {} files hold no text and were passed over", files.len()));
    }
    gather.finish(name.to_string())
}

/// Every file below a directory in the order of their names; hidden ones are left out.
fn walk(directory: &Path) -> Result<Vec<PathBuf>> {
    let hidden = |name: &std::ffi::OsStr| name.to_string_lossy().starts_with('.');
    let entries = walkdir::WalkDir::new(directory)
        .follow_links(true)
        .sort_by_file_name()
        .into_iter()
        .filter_entry(|entry| entry.depth() == 0 || !hidden(entry.file_name()));
    let mut files = Vec::new();
    for entry in entries {
        let entry = entry.map_err(|error| input_error!("cannot read {}: {error}", directory.display()))?;
        if entry.file_type().is_file() {
            files.push(entry.into_path());
        }
    }
    if files.is_empty() {
        bail_input!("there is no file in {}", directory.display());
    }
    Ok(files)
}
