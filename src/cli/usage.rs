//! Reads the command line. Every mistake in it becomes an error of one line.

use super::command::{Cli, command};
use crate::bail_input;
use crate::settings::PRESETS;
use anyhow::Result;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command, Error, FromArgMatches};
use std::error::Error as _;
use std::ffi::{OsStr, OsString};
use std::path::Path;

/// Flags of earlier versions, and their replacements.
const REMOVED: [(&str, &str); 6] = [
    ("--dtype", "all arithmetic is f32; leave the flag out"),
    ("--ffn-init-scale", "`compare --match-init` chooses it; a preset can set ffn-init-scale"),
    ("--format", "`tinygpt export` writes GGUF; leave the flag out"),
    ("--prompt-file", "use `tinygpt generate - < FILE`"),
    ("--stats", "`tinygpt data --out FILE` always prints the statistics"),
    ("--vocab", "use --vocab-size"),
];

/// The arguments of this process, or `None` if clap has answered them: `--help`, `--version`.
pub fn parse() -> Result<Option<Cli>> {
    let mut command = command()?;
    command.build();
    let words = attach_values(&command, std::env::args_os().collect());
    match command.try_get_matches_from_mut(words) {
        Ok(matches) => Ok(Some(Cli::from_arg_matches(&matches)?)),
        Err(answer) if !answer.use_stderr() => {
            answer.print()?;
            Ok(None)
        }
        Err(error) => bail_input!("{}", one_line(&error)),
    }
}

/// Joins each flag and its value: `--stop ---` becomes `--stop=---`. Without this, clap would read a value that
/// begins with a dash as a flag.
///
/// A flag of the same command is never a value: in `--data --act gelu` the value of `--data` is missing. Users can
/// write `--data=--act`. `command` must be built.
pub fn attach_values(command: &Command, words: Vec<OsString>) -> Vec<OsString> {
    let named = words.get(1).and_then(|word| command.find_subcommand(word));
    let command = named.unwrap_or(command);
    let mut joined = Vec::new();
    let mut words = words.into_iter().peekable();
    while let Some(mut word) = words.next() {
        let is_end = word == "--";
        let lacks_value =
            find(command, &word).is_some_and(needs_value) && !word.as_encoded_bytes().contains(&b'=');
        if let Some(value) = words.next_if(|next| lacks_value && find(command, next).is_none()) {
            word.push("=");
            word.push(value);
        }
        joined.push(word);
        if is_end {
            break;
        }
    }
    joined.extend(words);
    joined
}

/// The flag that a word names, with or without a value attached.
fn find<'a>(command: &'a Command, word: &OsStr) -> Option<&'a Arg> {
    let name = word.to_str()?.split('=').next()?;
    command.get_arguments().find(|arg| {
        let long = arg.get_long().map(|long| format!("--{long}"));
        let short = arg.get_short().map(|short| format!("-{short}"));
        [long, short].iter().flatten().any(|flag| flag == name)
    })
}

fn needs_value(arg: &Arg) -> bool {
    arg.get_num_args().is_some_and(|count| count.min_values() == 1)
}

/// A mistake in the command line: what is wrong, and how to fix it.
fn one_line(error: &Error) -> String {
    let name = |kind| strings(error, kind).join(", ");
    let (flag, value) = (name(ContextKind::InvalidArg), name(ContextKind::InvalidValue));
    let message = match error.kind() {
        ErrorKind::UnknownArgument => unknown(&flag),
        ErrorKind::InvalidSubcommand => not_a_command(&name(ContextKind::InvalidSubcommand)),
        ErrorKind::InvalidValue if value.is_empty() => format!("{flag} needs a value"),
        ErrorKind::InvalidValue => {
            format!("{flag} is '{value}'; it must be one of {}", name(ContextKind::ValidValue))
        }
        ErrorKind::ValueValidation => {
            let reason = error.source().map_or("it isn't valid".to_string(), ToString::to_string);
            format!("{flag} is '{value}'; {reason}")
        }
        ErrorKind::ArgumentConflict => match name(ContextKind::InvalidSubcommand).as_str() {
            "" => format!("{flag} can't be combined with {}", name(ContextKind::PriorArg)),
            command => format!("put the flags after the command: tinygpt {command} --flag ..."),
        },
        ErrorKind::MissingRequiredArgument => format!("{flag} is missing; --help shows an example"),
        // The first line of clap's own message. Its usage follows.
        _ => {
            let text = error.to_string();
            text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_string()
        }
    };
    message + &proposal(error)
}

/// The names in a context of an error, without the placeholders of values.
fn strings(error: &Error, kind: ContextKind) -> Vec<String> {
    let bare = |text: &String| match text.split_once(" <").or(text.split_once(" [")) {
        Some((flag, _)) if flag.starts_with("--") => flag.to_string(),
        _ => text.clone(),
    };
    match error.get(kind) {
        Some(ContextValue::String(text)) => vec![bare(text)],
        Some(ContextValue::Strings(texts)) => texts.iter().map(bare).collect(),
        _ => Vec::new(),
    }
}

fn unknown(word: &str) -> String {
    let name = word.split('=').next().unwrap_or(word);
    match REMOVED.iter().find(|(flag, _)| *flag == name) {
        Some((flag, instead)) => format!("{flag} was removed: {instead}"),
        None if word.starts_with('-') => format!("unknown flag {word}"),
        None => format!("unexpected argument '{word}'{}", place_of(word).unwrap_or_default()),
    }
}

fn not_a_command(word: &str) -> String {
    let place = place_of(word).unwrap_or("; `tinygpt --help` lists the commands".to_string());
    format!("'{word}' isn't a command{place}")
}

/// Advice for a word that lacks its flag.
fn place_of(word: &str) -> Option<String> {
    let path = Path::new(word);
    if PRESETS.iter().any(|preset| preset.name == word) || word.ends_with(".toml") {
        Some(format!("; to start from a preset, write --model {word}"))
    } else if path.exists() || path.extension().is_some() {
        Some(format!("; to read a text, write --data {word}"))
    } else if word.contains(' ') {
        Some("; to continue a text, write tinygpt generate 'TEXT'".to_string())
    } else {
        None
    }
}

/// ` (did you mean '--layers'?)` if clap knows a similar name, or clap's tip.
fn proposal(error: &Error) -> String {
    let kinds = [ContextKind::SuggestedArg, ContextKind::SuggestedSubcommand, ContextKind::SuggestedValue];
    let similar = kinds.into_iter().find_map(|kind| strings(error, kind).first().cloned());
    match (similar, error.get(ContextKind::Suggested)) {
        (Some(name), _) => format!(" (did you mean '{name}'?)"),
        (None, Some(ContextValue::StyledStrs(tips))) if !tips.is_empty() => format!("; {}", tips[0]),
        _ => String::new(),
    }
}
