//! `tinygpt runs`

use super::print::{Cell, Table, Wide, label, number, words};
use super::text::{duration, grouped, print_record, shown};
use crate::activation::Activation;
use crate::bail_input;
use crate::run::checkpoint::load_trainer;
use crate::run::{LAST, Metric, runs};
use crate::support::failure::one_line;
use anyhow::Result;
use clap::Args;
use serde_json::json;
use std::path::PathBuf;

#[derive(Args)]
#[command(after_help = "Example: tinygpt runs runs/compare")]
pub struct RunsArgs {
    /// Directory to search for runs
    #[arg(value_name = "DIR", default_value = "runs")]
    folder: PathBuf,
    #[command(flatten)]
    wide: Wide,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

pub fn run(args: &RunsArgs) -> Result<()> {
    if !args.folder.is_dir() {
        bail_input!("{} isn't a directory", args.folder.display());
    }
    let mut table = Table::new([
        label("run").at_least(28),
        words("act").at_least(10),
        number("validation"),
        number("step"),
        number("age"),
        number("loss"),
        number("params"),
    ]);
    for (saved, run) in runs(&args.folder) {
        let read = || -> Result<_> {
            let state = load_trainer(&run.checkpoint(LAST).unwrap_or_default())?;
            Ok((state, run.metrics()?.iter().rev().find_map(Metric::val_loss)))
        };
        let (state, val_loss) = match read() {
            Ok(read) => read,
            Err(error) => {
                note!("warning: {}", one_line(&error));
                continue;
            }
        };
        let (act, age) = (state.settings.act, saved.elapsed().map_or(0.0, |age| age.as_secs_f64().round()));
        let loss = |loss: Option<f64>| loss.map_or("-".to_string(), |loss| format!("{loss:.4}"));
        // The age: seconds since the last checkpoint.
        table.add_row([
            Cell::new(shown(run.path()), [("run", json!(run.path()))]),
            Cell::new(
                act.map_or("-".to_string(), |act: Activation| act.label().to_string()),
                [("act", json!(act))],
            ),
            Cell::new(loss(val_loss), [("val_loss", json!(val_loss))]),
            Cell::new(
                format!("{} of {}", grouped(state.step), grouped(state.steps)),
                [("step", json!(state.step)), ("steps", json!(state.steps))],
            ),
            Cell::new(duration(age), [("age", json!(age))]),
            Cell::new(loss(state.train_loss), [("train_loss", json!(state.train_loss))]),
            Cell::new(grouped(state.params), [("params", json!(state.params))]),
        ]);
    }
    if args.json {
        print_record(&json!({"runs": table.records()}))
    } else if table.rows.is_empty() {
        Ok(say!("no runs in {}", shown(&args.folder))?)
    } else {
        args.wide.print(&table)
    }
}
