//! The command line as clap sees it, with what holds for every flag of every command.

use super::arguments::Cli;
use crate::settings::{FINE_TUNE, PRESETS};
use anyhow::Result;
use clap::{Arg, Command, CommandFactory};
use serde_json::{Map, Value};

/// The whole command line, for parsing, `--help` and completions.
///
/// A flag that is given twice has its last value, so that a shell alias can be overridden. Flags that may
/// be given several times keep every value.
pub fn command() -> Result<Command> {
    let defaults = PRESETS[0].settings()?.to_map();
    let state_default = |arg: Arg| with_default(arg, &defaults);
    let presets = preset_keys()?;
    Ok(Cli::command()
        .args_override_self(true)
        .mut_args(state_default)
        .mut_subcommands(|command| command.mut_args(state_default))
        .mut_subcommand("train", |command| {
            let example = command.get_after_help().cloned().unwrap_or_default();
            command.after_long_help(format!("{example}\n\n{presets}"))
        }))
}

/// The flag with the value that the preset `default` gives it, unless its help states a default already.
fn with_default(arg: Arg, defaults: &Map<String, Value>) -> Arg {
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    match arg.get_long().and_then(|name| defaults.get(name)) {
        Some(value) if arg.get_default_values().is_empty() && !help.contains("[default: ") => {
            arg.help(format!("{help} [default: {}]", plain(value)))
        }
        _ => arg,
    }
}

/// What each preset sets, as the help of `train` lists it.
fn preset_keys() -> Result<String> {
    let mut text = "Presets, and what they set; other flags keep the defaults above:".to_string();
    let named = PRESETS.iter().map(|preset| (preset.name, preset));
    for (name, preset) in named.chain([("--init", &FINE_TUNE)]) {
        let settings = preset.settings()?.to_map();
        let keys: Vec<String> =
            settings.iter().map(|(key, value)| format!("{key} {}", plain(value))).collect();
        text.push_str(&format!("\n  {name}: {}", keys.join(", ")));
    }
    Ok(text)
}

/// A setting as a command line has it.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), String::from)
}

#[cfg(test)]
mod tests;
