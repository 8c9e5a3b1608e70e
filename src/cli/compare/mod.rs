//! `tinygpt compare`

mod args;
mod jobs;
mod prepare;
mod show;
mod work;

use super::failures::{if_interrupted, resume_with};
use super::plan::comparison_json;
use super::report;
use super::text::{arguments_without, command_of, print_record, shown};
use super::threads::set_threads;
use crate::cli::signals;
use crate::data::Dataset;
use crate::lab::compare::{Grid, Plan, evaluate, load, mixed, results_to_keep, time};
use crate::model::kernels::instruction_set;
use crate::settings::{Recipe, Settings};
use crate::support::failure::Failure;
use crate::support::text::Language;
use anyhow::Result;
pub use args::CompareArgs;
use candle_core::Device;
use prepare::{Prepared, prepare};
use std::path::Path;
use work::Work;

/// More passes than these over a text teach it by heart.
const MANY_EPOCHS: f64 = 4.0;

pub fn run(args: &CompareArgs) -> Result<()> {
    if args.worker {
        signals::only_listen();
        signals::stop_at_end_of_input();
    }
    args.check()?;
    let recipe = Recipe::new(args.settings.over(&Settings::preset(&args.model)?))?;
    let design = args.design(&recipe)?;
    let only = args.only()?;
    set_threads(recipe.threads)?;
    let device = recipe.device.open()?;
    let dataset = Dataset::load(&recipe)?;
    super::train::show_notes(&dataset);
    let prepared = prepare(args, recipe, design, only, (&dataset, &device))?;
    let plan = match args.worker || only.is_some() {
        true => None,
        false => announce(args, &prepared, &dataset, &device)?,
    };
    if args.dry_run {
        return Ok(());
    }
    if !args.worker {
        signals::listen();
    }
    let Prepared { recipe, comparison, out, .. } = prepared;
    let runs = comparison.design.runs();
    let mut grid = Grid::open(&out, &recipe, comparison, args.force)?;
    let work = Work::new(&runs, plan.as_ref(), &grid, (&dataset, &device));
    let done = match only {
        Some((only, _)) => work.train_one(&mut grid, only),
        None => args.train_all(plan.as_ref().map_or(1, |plan| plan.jobs), &mut grid, &work, &out),
    };
    done.map_err(|error| if_interrupted(error, || args.saved(&grid, &work, &out)))?;
    if args.worker || only.is_some() { Ok(()) } else { finish(args, &out, &grid) }
}

/// Prints the plan, unless nothing is left to do.
fn announce(
    args: &CompareArgs,
    prepared: &Prepared,
    dataset: &Dataset,
    device: &Device,
) -> Result<Option<Plan>> {
    let Prepared { recipe, comparison, out, timing } = prepared;
    let design = &comparison.design;
    let results = results_to_keep(out, comparison)?;
    if !args.dry_run && design.runs().iter().all(|run| results.find(run).is_some()) {
        return Ok(None);
    }
    let before = evaluate(out, comparison, &results)?;
    let timing = timing.clone().map_or_else(|| time(design, recipe, dataset, device, args.jobs()), Ok)?;
    let plan = Plan::new(timing, design, recipe, &results, &before);
    show::plan(&plan, design);
    design.arms.iter().for_each(|arm| super::train::warn_of_trouble(arm.variant.act()));
    let mut instruction_sets = results.instruction_sets();
    instruction_sets.insert(instruction_set());
    if let Some(warning) = mixed(&instruction_sets) {
        note!("warning: {}", warning.to(Language::En));
    }
    if args.dry_run && args.json {
        print_record(&comparison_json(&plan, design, recipe, dataset)?)?;
    }
    if plan.epochs() > MANY_EPOCHS {
        note!(
            "warning: {:.1} passes over the training text: models begin to memorize it; use more text or fewer --steps",
            plan.epochs()
        );
    }
    Ok(Some(plan))
}

impl CompareArgs {
    fn train_all(&self, jobs: usize, grid: &mut Grid, work: &Work, out: &Path) -> Result<()> {
        if jobs > 1 {
            jobs::run(jobs, out, &mut grid.results, work)?;
        }
        work.train_all(grid, !self.worker)
    }

    /// What an interruption leaves of the comparison.
    fn saved(&self, grid: &Grid, work: &Work, out: &Path) -> String {
        if self.worker {
            return String::new();
        }
        let mut command = arguments_without(&[("--force", 0), ("--out", 1)]);
        command.extend(["--out".into(), shown(out).into()]);
        resume_with(
            &format!(
                "{} of {} runs are finished; the run in progress is saved.",
                work.finished(&grid.results),
                work.runs.len()
            ),
            &command_of(command),
        )
    }
}

/// Evaluates what is done: the table or JSON, and the report.
fn finish(args: &CompareArgs, out: &Path, grid: &Grid) -> Result<()> {
    let analysis = evaluate(out, grid.comparison(), &grid.results)?;
    // Another process may have extended the comparison: then the report is about all of it.
    let report = match load(out)? {
        larger if larger.design != grid.comparison().design => {
            report::write(out, &larger, &evaluate(out, &larger, &grid.results)?, Language::En)?
        }
        own => report::write(out, &own, &analysis, Language::En)?,
    };
    if let Some(folder) = &args.plot {
        report::plot(folder, &analysis, &args.inputs(), args.force)?;
    }
    if args.json {
        show::json(&analysis, &grid.results)?;
    } else {
        show::tables(&analysis, &args.wide)?;
        note!("report  {}", report.display());
    }
    let diverged: Vec<String> =
        grid.results.diverged().map(|(run, why)| format!("{}: {why}", run.label())).collect();
    for assertion in &args.assertions {
        if let Some(refuted) = assertion.refuted_by(&grid.comparison().design, &analysis)? {
            return Err(Failure::Refuted(refuted).into());
        }
    }
    match diverged.as_slice() {
        [] => Ok(()),
        _ => Err(Failure::Diverged(diverged.join("; ")).into()),
    }
}
