//! `tinygpt runs`

use super::table::{Table, Wide, label, number, text};
use super::text::{duration, grouped, shown};
use crate::bail_input;
use crate::checkpoint::load_trainer;
use crate::failure::escape_controls;
use crate::run::{LAST, RunDir, runs};
use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::SystemTime;

#[derive(Args)]
#[command(after_help = "Example: tinygpt runs runs/compare")]
pub struct RunsArgs {
    /// Where to look for runs
    #[arg(value_name = "DIR", default_value = "runs")]
    folder: PathBuf,
    #[command(flatten)]
    wide: Wide,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

pub fn run(args: &RunsArgs) -> Result<()> {
    if !args.folder.is_dir() {
        bail_input!("there is no directory {}", args.folder.display());
    }
    let found: Vec<Value> =
        runs(&args.folder).iter().filter_map(|(saved, run)| describe(*saved, run).ok()).collect();
    if args.json {
        say!("{}", json!({ "runs": found }))?;
        return Ok(());
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
    for run in &found {
        let word = |key: &str| escape_controls(run[key].as_str().unwrap_or("-"));
        let loss = |key: &str| run[key].as_f64().map_or("-".to_string(), |loss| format!("{loss:.4}"));
        let count = |key: &str| grouped(run[key].as_u64().unwrap_or_default() as usize);
        table.add_row([
            word("run"),
            word("act"),
            loss("val_loss"),
            format!("{} of {}", count("step"), count("steps")),
            duration(run["age"].as_f64().unwrap_or_default()),
            loss("train_loss"),
            count("params"),
        ]);
    }
    table.print(&args.wide)
}

fn describe(saved: SystemTime, run: &RunDir) -> Result<Value> {
    let checkpoint = run.checkpoint(LAST).unwrap_or_default();
    let state = load_trainer(&checkpoint)?;
    let losses: Vec<f64> = run.metrics().iter().filter_map(|line| line["val_loss"].as_f64()).collect();
    Ok(json!({
        "run": run.path(),
        "act": state.settings.act,
        "params": state.params,
        "step": state.step,
        "steps": state.steps,
        "train_loss": state.train_loss,
        "val_loss": losses.last(),
        "age": saved.elapsed().map_or(0.0, |age| age.as_secs_f64().round()),
    }))
}
