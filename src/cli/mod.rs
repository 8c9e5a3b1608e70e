//! The command line: one file per command, flags and printing only.

mod acts;
mod bench;
#[cfg(test)]
mod bounds;
mod claims;
mod command;
mod compare;
mod data;
mod eval;
mod export;
mod failures;
mod generate;
mod inspect;
mod logger;
mod origin;
mod outputs;
mod plan;
mod print;
mod progress;
mod report;
mod runs;
mod shared;
mod signals;
mod test_text;
mod text;
mod threads;
mod time_left;
mod train;
mod usage;

pub use failures::tell;

use anyhow::Result;
use command::Command;

/// Runs the command that the process was started with.
pub fn run() -> Result<()> {
    logger::install();
    signals::answer()?;
    let Some(cli) = usage::parse()? else { return Ok(()) };
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
        Command::Completions(args) => args.run(),
    }
}
