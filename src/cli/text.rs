//! Numbers, paths and commands as people read them.

pub use crate::support::output::{duration, grouped, scaled, shell_word};

use crate::support::failure::escape_controls;
use crate::support::home::shorten;
use std::ffi::OsString;
use std::path::Path;

/// A path as a terminal may have it.
pub fn shown(path: &Path) -> String {
    escape_controls(&path.display().to_string())
}

/// The command that this process was started with, as a shell reads it, and without anyone's home directory.
pub fn command_line() -> String {
    command_of(std::env::args_os().skip(1))
}

/// The command of this program with these arguments.
pub fn command_of(arguments: impl IntoIterator<Item = OsString>) -> String {
    let words = arguments.into_iter().map(|word| shell_word(&shorten(&word.to_string_lossy())));
    std::iter::once("tinygpt".to_string()).chain(words).collect::<Vec<_>>().join(" ")
}

/// This process's arguments without some flags, each with the number of words that follow it.
pub fn arguments_without(flags: &[(&str, usize)]) -> Vec<OsString> {
    let mut words = std::env::args_os().skip(1);
    let mut kept = Vec::new();
    while let Some(word) = words.next() {
        match flags.iter().find(|(flag, _)| word == *flag) {
            Some((_, values)) => (0..*values).for_each(|_| drop(words.next())),
            None if flags.iter().any(|(flag, _)| word.to_string_lossy().starts_with(&format!("{flag}="))) => {
            }
            None => kept.push(word),
        }
    }
    kept
}
