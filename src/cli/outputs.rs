//! Files that a command writes where the user asks. They never replace an input of the command, and replace
//! other files only if tinygpt wrote those, or with `--force`.

use crate::data::Source;
use crate::settings::{Settings, TokenizerKind};
use crate::support::files::{folder_of, is_same_file, is_stream, replace};
use crate::support::home::expand;
use crate::support::mark::is_marked;
use crate::{bail_input, input_error};
use anyhow::Result;
use std::path::{Path, PathBuf};

/// Files and directories that a command reads, each with the flag that names it.
#[derive(Default)]
pub struct Inputs(Vec<(&'static str, PathBuf)>);

impl Inputs {
    /// Adds the files that training with these settings reads.
    pub fn settings(self, settings: &Settings) -> Inputs {
        let tokenizer = match &settings.tokenizer {
            Some(TokenizerKind::File(path)) => Some(path),
            _ => None,
        };
        self.text("--data", settings.data.as_deref())
            .text("--val-data", settings.val_data.as_deref())
            .path("--tokenizer", tokenizer)
    }

    /// Adds a file, or a directory with everything in it.
    pub fn path(mut self, flag: &'static str, path: Option<impl AsRef<Path>>) -> Inputs {
        self.0.extend(path.map(|path| (flag, expand(path.as_ref()))));
        self
    }

    /// Adds a text named as `--data` names it.
    pub fn text(mut self, flag: &'static str, name: Option<&str>) -> Inputs {
        let Some(Ok(Source::Files(pattern))) = name.map(str::parse) else { return self };
        let path = expand(Path::new(&pattern));
        if path.exists() {
            self.0.push((flag, path));
        } else {
            let matches = glob::glob(&path.to_string_lossy()).into_iter().flatten().flatten();
            self.0.extend(matches.map(|path| (flag, path)));
        }
        self
    }

    /// Refuses to replace the directory `output` if an input is in it.
    pub fn refuse_inside(&self, output: &Path) -> Result<()> {
        match self.0.iter().find(|(_, input)| is_inside(input, output)) {
            Some((flag, input)) => bail_input!(
                "{flag} reads {} in {}, which --force would replace; choose another --out",
                input.display(),
                output.display()
            ),
            None => Ok(()),
        }
    }
}

/// True if `path` is the directory `folder` or exists in it.
fn is_inside(path: &Path, folder: &Path) -> bool {
    match (path.canonicalize(), folder.canonicalize()) {
        (Ok(path), Ok(folder)) => path.starts_with(folder),
        _ => false,
    }
}

/// Refuses an output file that must not be written. Call this before any work. `flag` names the file.
pub fn check_file(flag: &str, path: &Path, inputs: &Inputs, force: bool) -> Result<()> {
    let shown = path.display();
    if path.is_dir() || !folder_of(path).is_dir() {
        bail_input!("{flag} {shown} must be a file in an existing directory");
    }
    let destroys = |input: &PathBuf| is_same_file(input, path) || input.is_dir() && is_inside(path, input);
    if let Some((input_flag, input)) = inputs.0.iter().find(|(_, input)| destroys(input)) {
        bail_input!(
            "{flag} {shown} would overwrite an input, {input_flag} {}; choose another file",
            input.display()
        );
    }
    if path.exists() && !force && !is_stream(path) && !is_marked(path) {
        bail_input!(
            "{shown} exists and doesn't look like a file of tinygpt; choose another {flag}, or replace it with --force"
        );
    }
    Ok(())
}

/// Refuses an output directory that is a file.
pub fn check_folder(flag: &str, path: &Path) -> Result<()> {
    if path.exists() && !path.is_dir() {
        bail_input!("{flag} {} isn't a directory", path.display());
    }
    Ok(())
}

/// Writes files into the directory that `flag` names. Writes none if one of them must not be replaced.
pub fn write_files(
    flag: &str,
    folder: &Path,
    files: &[(String, Vec<u8>)],
    inputs: &Inputs,
    force: bool,
) -> Result<()> {
    check_folder(flag, folder)?;
    std::fs::create_dir_all(folder)
        .map_err(|error| input_error!("cannot create {}: {error}", folder.display()))?;
    let paths = || files.iter().map(|(name, contents)| (folder.join(name), contents));
    for (path, contents) in paths() {
        check_file(flag, &path, inputs, force || has_header_of(&path, contents))?;
    }
    paths().try_for_each(|(path, contents)| replace(&path, contents))
}

/// True if the file is an older version of a table: its first line is that of `contents`. Tables can't carry
/// the mark that tells tinygpt's files.
fn has_header_of(path: &Path, contents: &[u8]) -> bool {
    let is_table = path.extension().is_some_and(|extension| extension == "csv" || extension == "md");
    let header = contents.split_inclusive(|byte| *byte == b'\n').next().unwrap_or_default();
    is_table && std::fs::read(path).is_ok_and(|old| old.starts_with(header))
}
