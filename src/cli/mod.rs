//! The command line: one file per command, flags and printing only.

mod acts;
mod arguments;
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
mod print;
mod progress;
mod report;
mod runs;
mod settings_lines;
mod signals;
mod table;
mod text;
mod threads;
mod time_left;
mod train;
mod usage;
mod words;

pub use ending::tell;

use crate::bail_input;
use anyhow::Result;
use arguments::{Cli, Command};
use clap::FromArgMatches;

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
        Command::Completions(args) => completions::run(&args, &mut command::command()?),
    }
}
