//! `tinygpt runs`

use super::table::{Table, Wide, label, number, text};
use super::text::{duration, grouped, print_record, shown};
use crate::activation::Activation;
use crate::bail_input;
use crate::run::checkpoint::load_trainer;
use crate::run::{LAST, Metric, RunDir, runs};
use crate::support::failure::one_line;
use anyhow::Result;
use clap::Args;
use serde::Serialize;
use serde_json::json;
use std::path::PathBuf;
use std::time::SystemTime;

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

/// A run with a checkpoint.
#[derive(Serialize)]
struct SavedRun {
    run: PathBuf,
    act: Option<Activation>,
    params: usize,
    step: usize,
    steps: usize,
    train_loss: Option<f64>,
    /// From the last evaluation.
    val_loss: Option<f64>,
    /// Seconds since the last checkpoint.
    age: f64,
}

impl SavedRun {
    fn read(saved: SystemTime, run: &RunDir) -> Result<SavedRun> {
        let state = load_trainer(&run.checkpoint(LAST).unwrap_or_default())?;
        Ok(SavedRun {
            run: run.path().to_path_buf(),
            act: state.settings.act,
            params: state.params,
            step: state.step,
            steps: state.steps,
            train_loss: state.train_loss,
            val_loss: run.metrics()?.iter().rev().find_map(Metric::val_loss),
            age: saved.elapsed().map_or(0.0, |age| age.as_secs_f64().round()),
        })
    }
}

pub fn run(args: &RunsArgs) -> Result<()> {
    if !args.folder.is_dir() {
        bail_input!("{} isn't a directory", args.folder.display());
    }
    let mut found = Vec::new();
    for (saved, run) in runs(&args.folder) {
        match SavedRun::read(saved, &run) {
            Ok(run) => found.push(run),
            Err(error) => note!("warning: {}", one_line(&error)),
        }
    }
    if args.json {
        return print_record(&json!({"runs": found}));
    }
    if found.is_empty() {
        say!("no runs in {}", shown(&args.folder))?;
        return Ok(());
    }
    let mut table = Table::new([
        label("run").at_least(28),
        text("act").at_least(10),
        number("validation"),
        number("step"),
        number("age"),
        number("loss"),
        number("params"),
    ]);
    let loss = |loss: Option<f64>| loss.map_or("-".to_string(), |loss| format!("{loss:.4}"));
    for run in &found {
        table.add_row([
            shown(&run.run),
            run.act.map_or("-".to_string(), Activation::name),
            loss(run.val_loss),
            format!("{} of {}", grouped(run.step), grouped(run.steps)),
            duration(run.age),
            loss(run.train_loss),
            grouped(run.params),
        ]);
    }
    table.print(&args.wide)
}
