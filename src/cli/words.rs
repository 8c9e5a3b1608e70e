//! The words of a command line, before clap reads them.

use clap::{Arg, Command};
use std::ffi::{OsStr, OsString};

/// Joins each flag and its value to one word: `--stop ---` becomes `--stop=---`. Otherwise clap would take
/// a value that begins with a dash for a flag.
///
/// A flag of the same command is never a value: in `--data --act gelu` the value of `--data` is missing.
/// `--data=--act` says otherwise. `command` must be built.
pub fn attach_values(command: &Command, words: Vec<OsString>) -> Vec<OsString> {
    let named = words.get(1).and_then(|word| command.find_subcommand(word));
    let command = named.unwrap_or(command);
    let mut joined = Vec::new();
    let mut words = words.into_iter().peekable();
    while let Some(mut word) = words.next() {
        if word == "--" {
            joined.push(word);
            break;
        }
        let lacks_value = find(command, &word).is_some_and(needs_value) && !is_attached(&word);
        if let Some(value) = words.next_if(|next| lacks_value && find(command, next).is_none()) {
            word.push("=");
            word.push(value);
        }
        joined.push(word);
    }
    joined.extend(words);
    joined
}

/// The flag that a word names, with or without a value attached.
fn find<'a>(command: &'a Command, word: &OsStr) -> Option<&'a Arg> {
    let name = word.to_str()?.split('=').next()?;
    command.get_arguments().find(|arg| match name.strip_prefix("--") {
        Some(long) => arg.get_long() == Some(long),
        None => arg
            .get_short()
            .is_some_and(|short| name.strip_prefix('-') == Some(short.encode_utf8(&mut [0; 4]))),
    })
}

fn needs_value(arg: &Arg) -> bool {
    arg.get_num_args().is_some_and(|count| count.min_values() == 1)
}

fn is_attached(word: &OsStr) -> bool {
    word.as_encoded_bytes().contains(&b'=')
}
