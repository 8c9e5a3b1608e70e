//! `tinygpt runs`

use super::print::{Table, Wide, label, number, words};
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
    let mut records = Vec::new();
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
        table.add_row([
            shown(run.path()),
            act.map_or("-".to_string(), Activation::name),
            loss(val_loss),
            format!("{} of {}", grouped(state.step), grouped(state.steps)),
            duration(age),
            loss(state.train_loss),
            grouped(state.params),
        ]);
        records.push(json!({
            "run": run.path(),
            "act": act,
            "params": state.params,
            "step": state.step,
            "steps": state.steps,
            "train_loss": state.train_loss,
            "val_loss": val_loss,
            // Seconds since the last checkpoint.
            "age": age,
        }));
    }
    if args.json {
        print_record(&json!({"runs": records}))
    } else if records.is_empty() {
        Ok(say!("no runs in {}", shown(&args.folder))?)
    } else {
        args.wide.print(&table)
    }
}
