//! Numbers, paths, commands and JSON as a command prints them.

pub use crate::support::numbers::{duration, grouped, scaled};
pub use crate::support::output::shell_word;

use crate::support::failure::escape_controls;
use crate::support::home::shorten;
use crate::support::record;
use anyhow::Result;
use serde::Serialize;
use serde_json::Value;
use std::ffi::OsString;
use std::path::Path;

/// Prints a JSON object on one line, as `--json` asks.
pub fn print_record(record: &impl Serialize) -> Result<()> {
    Ok(say!("{}", record::line(record)?)?)
}

/// A path without control characters.
pub fn shown(path: &Path) -> String {
    escape_controls(&path.display().to_string())
}

/// The command line of this process, quoted for a shell. Home directories are written as `~`.
pub fn command_line() -> String {
    command_of(std::env::args_os().skip(1))
}

/// A tinygpt command with these arguments, quoted for a shell.
pub fn command_of(arguments: impl IntoIterator<Item = OsString>) -> String {
    let words = arguments.into_iter().map(|word| shell_word(&shorten(&word.to_string_lossy())));
    std::iter::once("tinygpt".to_string()).chain(words).collect::<Vec<_>>().join(" ")
}

/// The arguments of this process without some flags. Each flag comes with its number of values.
pub fn arguments_without(flags: &[(&str, usize)]) -> Vec<OsString> {
    let mut words = std::env::args_os().skip(1);
    let mut kept = Vec::new();
    while let Some(word) = words.next() {
        let name = word.to_string_lossy().into_owned();
        let (name, value) = name.split_once('=').map_or((&*name, None), |(name, value)| (name, Some(value)));
        match flags.iter().find(|(flag, _)| *flag == name) {
            Some((_, values)) if value.is_none() => (0..*values).for_each(|_| drop(words.next())),
            Some(_) => {}
            None => kept.push(word),
        }
    }
    kept
}

/// A setting as it is typed.
pub fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), String::from)
}
