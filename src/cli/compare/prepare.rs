//! What a comparison comes to before its first run: its matched arms, the steps and seeds that a budget allows,
//! and its directory. What can be refused is refused before anything is timed.

use super::args::{CompareArgs, seeds};
use crate::bail_input;
use crate::cli::text::command_line;
use crate::data::Dataset;
use crate::lab::compare::{Comparison, Design, Timing, fit, match_arms, time, with_steps};
use crate::settings::{Recipe, Settings};
use crate::support::memory;
use crate::train::{self, settle_schedule};
use anyhow::Result;
use candle_core::Device;
use std::path::PathBuf;

/// A comparison that can begin.
pub struct Prepared {
    pub recipe: Recipe,
    pub comparison: Comparison,
    /// Its directory.
    pub out: PathBuf,
    /// What a budget was fitted to.
    pub timing: Option<Timing>,
}

/// Prepares a comparison. `only` is the one run that this process trains, and the setting that says so.
pub fn prepare(
    args: &CompareArgs,
    recipe: Recipe,
    mut design: Design,
    only: Option<(usize, &str)>,
    (dataset, device): (&Dataset, &Device),
) -> Result<Prepared> {
    match_arms(&mut design, &recipe, dataset, device)?;
    check_memory(args, &recipe, &design, dataset)?;
    let new = |recipe: &Recipe, design: Design| Comparison {
        design,
        settings: recipe.settings().clone(),
        text: dataset.fingerprint(),
        command: command_line(),
        budget: args.budget,
    };
    let prepared = |recipe: Recipe, design: Design, timing| {
        let recipe = settle_schedule(recipe, dataset, &args.settings)?;
        check_only(only, &design)?;
        let comparison = new(&recipe, design);
        let out = args.place(&comparison)?;
        Ok(Prepared { recipe, comparison, out, timing })
    };
    let Some(budget) = args.budget else { return prepared(recipe, design, None) };
    // One that was begun keeps what was chosen for it then.
    let begun = args.begun(|saved| {
        let Some(steps) = saved.settings.steps else { return false };
        let design = Design { seeds: saved.design.seeds.clone(), ..design.clone() };
        let recipe =
            with_steps(&recipe, steps).and_then(|recipe| settle_schedule(recipe, dataset, &args.settings));
        recipe.is_ok_and(|recipe| new(&recipe, design).continues(saved))
    });
    if let Some(Comparison { settings: Settings { steps: Some(steps), .. }, design: saved, .. }) = begun {
        if !args.worker {
            note!("--budget: resuming a comparison of {} seeds and {steps} steps", saved.seeds.len());
        }
        return prepared(with_steps(&recipe, steps)?, Design { seeds: saved.seeds, ..design }, None);
    }
    args.place(&new(&recipe, design.clone()))?;
    let timing = time(&design, &recipe, dataset, device, args.jobs())?;
    let fit = fit(budget, &design, &timing, &recipe)?;
    let design = Design { seeds: seeds(&recipe, fit.seeds), ..design };
    // What a step takes doesn't depend on how many there are.
    prepared(with_steps(&recipe, fit.steps)?, design, Some(timing))
}

/// Refuses runs that don't fit the memory, as many at once as there are jobs.
fn check_memory(args: &CompareArgs, recipe: &Recipe, design: &Design, dataset: &Dataset) -> Result<()> {
    let mut most = 0.0f64;
    for run in design.runs() {
        most = most.max(train::Plan::new(&recipe.with(&run.settings())?, dataset)?.memory);
    }
    memory::check(args.jobs().unwrap_or(1) as f64 * most)
}

fn check_only(only: Option<(usize, &str)>, design: &Design) -> Result<()> {
    let runs = design.runs().len();
    match only {
        Some((only, setting)) if !(1..=runs).contains(&only) => {
            bail_input!("{setting} is {only}; it must be between 1 and {runs}")
        }
        _ => Ok(()),
    }
}
