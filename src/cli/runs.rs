//! `tinygpt runs`

use super::table::{Table, Wide, label, number, text};
use super::text::{duration, grouped, shown};
use crate::activation::Activation;
use crate::bail_input;
use crate::run::checkpoint::load_trainer;
use crate::run::{LAST, Metric, RunDir, runs};
use crate::support::failure::{escape_controls, one_line};
use crate::support::record;
use anyhow::Result;
use clap::Args;
use serde::Serialize;
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
    let mut found = Vec::new();
    for (saved, run) in runs(&args.folder) {
        match RunRecord::read(saved, &run) {
            Ok(run) => found.push(run),
            Err(error) => note!("warning: {}", one_line(&error)),
        }
    }
    if args.json {
        say!("{}", record::line(&RunsRecord { runs: found })?)?;
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
        let loss = |loss: Option<f64>| loss.map_or("-".to_string(), |loss| format!("{loss:.4}"));
        table.add_row([
            escape_controls(&run.run.display().to_string()),
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

/// What `--json` prints.
#[derive(Serialize)]
struct RunsRecord {
    runs: Vec<RunRecord>,
}

#[derive(Serialize)]
struct RunRecord {
    run: PathBuf,
    act: Option<Activation>,
    params: usize,
    step: usize,
    steps: usize,
    train_loss: Option<f64>,
    /// Of the last evaluation.
    val_loss: Option<f64>,
    /// Seconds since the last checkpoint.
    age: f64,
}

impl RunRecord {
    fn read(saved: SystemTime, run: &RunDir) -> Result<RunRecord> {
        let state = load_trainer(&run.checkpoint(LAST).unwrap_or_default())?;
        Ok(RunRecord {
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
