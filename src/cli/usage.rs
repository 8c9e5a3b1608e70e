//! A command line that clap refuses, told in one line.

use crate::settings::PRESETS;
use clap::Error;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use std::error::Error as _;
use std::path::Path;

/// Flags of earlier versions, and what to do without them.
const REMOVED: [(&str, &str); 8] = [
    ("--dtype", "all arithmetic is f32; leave the flag out"),
    ("--ffn-init-scale", "`compare --match-init` chooses it; a preset can set ffn-init-scale"),
    ("--format", "`tinygpt export` writes GGUF; leave the flag out"),
    ("--init-only", "`inspect --acts A,B,C` measures untrained models"),
    ("--tokens", "use --max-tokens"),
    ("--top", "`inspect --prompt` shows the 5 most probable tokens; leave the flag out"),
    ("--units", "`inspect` shows the 5 strongest units of each layer; leave the flag out"),
    ("--vocab-size", "a preset's tokenizer has the size: write tokenizer = \"bpe:N\" in a .toml file"),
];

/// What is wrong, and how to fix it.
pub fn one_line(error: &Error) -> String {
    let names = |kind| strings(error, kind);
    let name = |kind| names(kind).join(", ");
    let (flag, value) = (name(ContextKind::InvalidArg), name(ContextKind::InvalidValue));
    let message = match error.kind() {
        ErrorKind::UnknownArgument => unknown(&flag),
        ErrorKind::InvalidSubcommand => not_a_command(&name(ContextKind::InvalidSubcommand)),
        ErrorKind::InvalidValue if value.is_empty() => format!("{flag} needs a value"),
        ErrorKind::InvalidValue => {
            format!("{flag} is '{value}'; it must be one of {}", name(ContextKind::ValidValue))
        }
        ErrorKind::ValueValidation => format!("{flag} is '{value}'; {}", reason(error)),
        ErrorKind::ArgumentConflict => match names(ContextKind::InvalidSubcommand).first() {
            Some(command) => format!("put the flags of {command} behind it: tinygpt {command} --flag ..."),
            None => format!("{flag} can't be combined with {}", name(ContextKind::PriorArg)),
        },
        ErrorKind::MissingRequiredArgument => format!("{flag} is missing; --help shows an example"),
        _ => first_line(error),
    };
    message + &proposal(error)
}

/// The names in a context, flags without the placeholder of their value.
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
        None => format!("unexpected argument '{word}'{}", place_of(word)),
    }
}

fn not_a_command(word: &str) -> String {
    let place = place_of(word);
    let place = if place.is_empty() { "; `tinygpt --help` lists the commands" } else { &place };
    format!("'{word}' isn't a command{place}")
}

/// The flag that a bare word was probably meant for.
fn place_of(word: &str) -> String {
    let path = Path::new(word);
    if PRESETS.iter().any(|preset| preset.name == word) || word.ends_with(".toml") {
        format!("; to start from a preset, write --model {word}")
    } else if path.exists() || path.extension().is_some() {
        format!("; to read a text, write --data {word}")
    } else if word.contains(' ') {
        "; to continue a text, write tinygpt generate 'TEXT'".to_string()
    } else {
        String::new()
    }
}

/// Why a value isn't valid.
fn reason(error: &Error) -> String {
    error.source().map_or_else(|| "it isn't valid".to_string(), ToString::to_string)
}

/// ` (did you mean '--layers'?)`, where clap knows a similar name.
fn proposal(error: &Error) -> String {
    let kinds = [ContextKind::SuggestedArg, ContextKind::SuggestedSubcommand, ContextKind::SuggestedValue];
    let similar = kinds.into_iter().find_map(|kind| strings(error, kind).first().cloned());
    match (similar, error.get(ContextKind::Suggested)) {
        (Some(name), _) => format!(" (did you mean '{name}'?)"),
        (None, Some(ContextValue::StyledStrs(tips))) if !tips.is_empty() => format!("; {}", tips[0]),
        _ => String::new(),
    }
}

/// clap's own message, without its usage.
fn first_line(error: &Error) -> String {
    let text = error.to_string();
    text.lines().next().unwrap_or_default().trim_start_matches("error: ").to_string()
}
