//! The command line as a type: every command with its arguments.

use super::{
    acts, bench, claims, compare, completions, data, eval, export, generate, inspect, report, runs, train,
};
use clap::{Parser, Subcommand};

/// Train a small GPT on your text with the FFN activation of your choice, generate from it, and
/// find out whether the choice mattered.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(after_help = "\
Without a command, tinygpt trains: `tinygpt --act swiglu --data my.txt`. `tinygpt train --help` also lists
what each preset sets.

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
    /// Write text with a trained model
    Generate(generate::GenerateArgs),
    /// Score a text: loss, perplexity, bits per byte
    Eval(eval::EvalArgs),
    /// Train one model per activation and seed, and compare them
    Compare(compare::CompareArgs),
    /// Write the report of a comparison again
    Report(report::ReportArgs),
    /// Look inside a model: what its FFN and the activation do
    Inspect(inspect::InspectArgs),
    /// Test what is said of activations and FFNs, claim by claim, on models trained here
    Claims(claims::ClaimsArgs),
    /// Write a model as one file for llama.cpp
    Export(export::ExportArgs),
    /// List the activations
    Acts(acts::ActsArgs),
    /// Time training, generation and the activations on this machine
    Bench(bench::BenchArgs),
    /// List the runs
    Runs(runs::RunsArgs),
    /// Write the built-in corpus to a file
    Data(data::DataArgs),
    /// Print a completion script for a shell
    Completions(completions::CompletionsArgs),
}
