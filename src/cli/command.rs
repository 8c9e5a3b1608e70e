//! The commands, and the rules for every flag of every command.

use super::text::plain;
use super::{acts, bench, claims, compare, data, eval, export, generate, inspect, report, runs, train};
use crate::settings::{FINE_TUNE, PRESETS, Settings};
use anyhow::Result;
use clap::{Arg, Args, CommandFactory, Parser, Subcommand};
use clap_complete::Shell;
use serde_json::{Map, Value};
use std::io::Write;

/// Train a small GPT on your text with any FFN activation, generate from it, and find out whether the activation
/// matters.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(after_help = "\
Without a command, tinygpt trains: `tinygpt --act swiglu --data my.txt`. \
`tinygpt train --help` also lists the presets.

Exit codes: 0 done, 1 failure, 2 wrong usage or input, 3 training diverged, 130 interrupted.")]
pub struct Cli {
    #[command(subcommand)]
    pub command: Option<Command>,
    #[command(flatten)]
    pub train: train::TrainArgs,
}

#[derive(Subcommand)]
pub enum Command {
    /// Train a model (the default command)
    Train(train::TrainArgs),
    /// Generate text with a trained model
    Generate(generate::GenerateArgs),
    /// Score a text: loss, perplexity, bits per byte
    Eval(eval::EvalArgs),
    /// Train every activation with several seeds and compare them
    Compare(compare::CompareArgs),
    /// Write the report of a comparison again
    Report(report::ReportArgs),
    /// Look inside a model: its FFNs, its activations, its shapes
    Inspect(inspect::InspectArgs),
    /// Test common claims about activations and FFNs by experiment
    Claims(claims::ClaimsArgs),
    /// Write a model as a GGUF file for llama.cpp
    Export(export::ExportArgs),
    /// List the activations
    Acts(acts::ActsArgs),
    /// Time training, generation and every activation
    Bench(bench::BenchArgs),
    /// List the runs
    Runs(runs::RunsArgs),
    /// Write the built-in corpus to a file
    Data(data::DataArgs),
    /// Print a completion script for a shell
    Completions(CompletionsArgs),
}

#[derive(Args)]
#[command(
    after_help = "Example: tinygpt completions bash > ~/.local/share/bash-completion/completions/tinygpt"
)]
pub struct CompletionsArgs {
    /// Shell to complete commands in
    shell: Shell,
}

impl CompletionsArgs {
    pub fn run(&self) -> Result<()> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut command()?, "tinygpt", &mut script);
        Ok(std::io::stdout().write_all(&script)?)
    }
}

/// The command line for parsing, `--help` and completions.
///
/// If a flag is repeated, its last value counts, so that flags can override a shell alias. `--stop` collects its values.
pub fn command() -> Result<clap::Command> {
    let defaults = PRESETS[0].settings()?.to_map();
    let state_default = |arg: Arg| with_default(arg, &defaults);
    let mut presets = "Presets, and what they set; other settings keep the defaults above:".to_string();
    for (name, preset) in PRESETS.iter().map(|preset| (preset.name, preset)).chain([("--init", &FINE_TUNE)]) {
        presets.push_str(&format!("\n  {name}: {}", keys(&preset.settings()?)));
    }
    Ok(Cli::command()
        .args_override_self(true)
        .mut_args(state_default)
        .mut_subcommands(|command| command.mut_args(state_default))
        .mut_subcommand("train", |command| {
            let example = command.get_after_help().cloned().unwrap_or_default();
            command.after_long_help(format!("{example}\n\n{presets}"))
        }))
}

/// Adds the value of the preset `default` to the help of a flag, unless the help states a default already.
fn with_default(arg: Arg, defaults: &Map<String, Value>) -> Arg {
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let long = arg.get_long_help().map(ToString::to_string);
    match arg.get_long().and_then(|name| defaults.get(name)) {
        Some(value) if arg.get_default_values().is_empty() && !help.contains("[default: ") => {
            let default = format!("[default: {}]", plain(value));
            let arg = arg.help(format!("{help} {default}"));
            match long {
                Some(long) => arg.long_help(format!("{long}\n\n{default}")),
                None => arg,
            }
        }
        _ => arg,
    }
}

fn keys(settings: &Settings) -> String {
    let key = |(key, value): (&String, &Value)| format!("{key} {}", plain(value));
    settings.to_map().iter().map(key).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests;
