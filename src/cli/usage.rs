//! Reads the command line. Every mistake in it becomes an error of one line.

use super::command::{Cli, command};
use crate::bail_input;
use crate::settings::{PRESETS, define_activations};
use anyhow::Result;
use clap::error::{ContextKind, ContextValue, ErrorKind};
use clap::{Arg, Command, Error, FromArgMatches};
use std::ffi::{OsStr, OsString};
use std::path::Path;

/// Flags of earlier versions, and their replacements.
const REMOVED: [(&str, &str); 12] = [
    ("--dtype", "all arithmetic is f32; leave the flag out"),
    ("--ffn-init-scale", "`compare --match-init` chooses it; a preset can set ffn-init-scale"),
    ("--format", "`tinygpt export` writes GGUF; leave the flag out"),
    ("--init-only", "`inspect --acts A,B,C` measures untrained models"),
    ("--plan", "`compare --dry-run` counts the runs; train run K with --only K"),
    ("--prompt-file", "use `tinygpt generate - < FILE`"),
    ("--stats", "`tinygpt data --out FILE` always prints the statistics"),
    ("--tokens", "use --max-tokens"),
    ("--top", "`inspect --prompt` shows the 5 most probable tokens; leave the flag out"),
    ("--units", "`inspect` shows the 5 strongest units of each layer; leave the flag out"),
    ("--vocab", "use --vocab-size"),
    ("--vocab-size", "a preset's tokenizer has the size: write tokenizer = \"bpe:N\" in a .toml file"),
];

/// The arguments of this process, or `None` if clap has answered them: `--help`, `--version`.
pub fn parse() -> Result<Option<Cli>> {
    let mut command = command()?;
    command.build();
    let words = attach_values(&command, std::env::args_os().collect());
    // Before any flag is read: --act may name what the preset defines.
    let mut preset = words.iter().filter_map(|word| word.to_str()?.strip_prefix("--model="));
    preset.next_back().map_or(Ok(()), define_activations)?;
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

/// clap's message without its usage, on one line, with advice where tinygpt has some.
fn one_line(error: &Error) -> String {
    let text = error.to_string();
    let end = ["\nUsage: ", "\nFor more information"].iter().filter_map(|end| text.find(end)).min();
    let message = text[..end.unwrap_or(text.len())].trim_start_matches("error: ");
    let message = message.split_whitespace().collect::<Vec<_>>().join(" ").replace(" tip: ", "; ");
    let kinds = [ContextKind::InvalidArg, ContextKind::InvalidSubcommand];
    let Some(ContextValue::String(word)) = kinds.into_iter().find_map(|kind| error.get(kind)) else {
        return message;
    };
    let name = word.split('=').next().unwrap_or(word);
    match (error.kind(), REMOVED.iter().find(|(flag, _)| *flag == name)) {
        (ErrorKind::UnknownArgument, Some((flag, instead))) => format!("{flag} was removed: {instead}"),
        (ErrorKind::UnknownArgument | ErrorKind::InvalidSubcommand, _) => message + &advice(word),
        (ErrorKind::ArgumentConflict, _) if error.get(ContextKind::InvalidSubcommand).is_some() => {
            format!("{message}; write flags after the command")
        }
        _ => message,
    }
}

/// Advice for a word that lacks its flag.
fn advice(word: &str) -> String {
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
