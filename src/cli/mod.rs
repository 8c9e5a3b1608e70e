//! The command line: one file per command, flags and printing only.

mod acts;
mod bench;
#[cfg(test)]
mod bounds;
mod claims;
mod command;
mod compare;
mod completions;
mod data;
mod ending;
mod eval;
mod export;
mod generate;
mod inspect;
mod logger;
mod origin;
mod outputs;
mod own_text;
mod plan_records;
mod progress;
mod report;
mod runs;
mod settings_lines;
mod signals;
mod table;
mod text;
mod time_left;
mod train;
mod usage;
mod words;

pub use ending::tell;

use crate::bail_input;
use anyhow::{Context, Result};
use clap::{FromArgMatches, Parser, Subcommand};

/// Train a small GPT on your text with the FFN activation of your choice, generate from it, and
/// find out whether the choice mattered.
#[derive(Parser)]
#[command(version, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(after_help = "\
Without a command, tinygpt trains: `tinygpt --act swiglu --data my.txt`. `tinygpt train --help` also lists
what each preset sets.

Exit codes: 0 done, 1 failure, 2 wrong usage or input, 3 training diverged, 130 interrupted.")]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    train: train::TrainArgs,
}

#[derive(Subcommand)]
enum Command {
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

/// Runs the command that the process was started with.
pub fn run() -> Result<()> {
    logger::install();
    signals::answer()?;
    let mut command = command::command()?;
    command.build();
    let words = words::attach_values(&command, std::env::args_os().collect());
    let matches = match command.try_get_matches_from_mut(words) {
        Ok(matches) => matches,
        Err(answer) if !answer.use_stderr() => return Ok(answer.print()?),
        Err(error) => bail_input!("{}", usage::one_line(&error)),
    };
    let cli = Cli::from_arg_matches(&matches)?;
    match cli.command.unwrap_or(Command::Train(cli.train)) {
        Command::Train(args) => train::run(&args),
        Command::Generate(args) => generate::run(&args),
        Command::Eval(args) => eval::run(&args),
        Command::Compare(args) => compare::run(&args),
        Command::Report(args) => report::run(&args),
        Command::Inspect(args) => inspect::run(&args),
        Command::Claims(args) => claims::run(&args),
        Command::Export(args) => export::run(&args),
        Command::Acts(args) => acts::run(&args),
        Command::Bench(args) => bench::run(&args),
        Command::Runs(args) => runs::run(&args),
        Command::Data(args) => data::run(&args),
        Command::Completions(args) => completions::run(&args),
    }
}

/// Makes candle and the kernels compute with `threads` threads; all cores where `None`.
/// To be called before anything computes.
fn set_threads(threads: Option<usize>) -> Result<()> {
    if let Some(threads) = threads {
        // SAFETY: commands call this first thing, while the process has one thread, so that no other
        // can be reading the environment. The variable is the only way to tell candle.
        unsafe { std::env::set_var("RAYON_NUM_THREADS", threads.to_string()) };
    }
    // This thread becomes one of them, so that work need not be handed to another and waited for.
    let pool = rayon::ThreadPoolBuilder::new().use_current_thread().build_global();
    pool.context("cannot start the threads to compute with; try fewer --threads")
}
