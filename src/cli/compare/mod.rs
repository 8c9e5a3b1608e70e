//! `tinygpt compare`

mod jobs;
mod show;
mod work;

use super::ending::{if_interrupted, resume_with};
use super::report;
use super::table::Wide;
use super::text::{arguments_without, command_line, command_of, shown};
use super::train::check_memory;
use crate::activation::Activation;
use crate::compare::{
    Comparison, Design, Grid, Matching, Plan, Results, Timing, evaluate, fit, load, match_arms, time,
    with_steps,
};
use crate::data::Dataset;
use crate::failure::Failure;
use crate::run::signals;
use crate::settings::{Recipe, Settings, finite_number};
use crate::{bail_input, input_error};
use anyhow::Result;
use candle_core::Device;
use clap::Args;
use std::path::{Path, PathBuf};
use std::time::Duration;
use work::Work;

#[derive(Args)]
#[command(mut_arg("act", |arg| arg.hide(true)))]
#[command(after_help = "\
Example: tinygpt compare --acts relu,gelu,swiglu --data my.txt --budget 30m
         tinygpt compare --acts relu,sigmoid --lrs 1e-3,3e-3,1e-2 --data my.txt
         tinygpt compare --acts all --data my.txt --plan > runs.txt")]
pub struct CompareArgs {
    /// Activations to compare, separated by commas; `all` for every one with a name
    #[arg(long, value_name = "A,B,C", value_delimiter = ',', default_value = "relu,gelu,silu,swiglu")]
    acts: Vec<String>,
    /// Seeds to repeat every activation with: --seed, --seed + 1, ... [default: 5]
    #[arg(long, value_name = "N")]
    seeds: Option<u64>,
    /// Activation that differences are taken against [default: relu, or the first of --acts]
    #[arg(long, value_name = "NAME")]
    baseline: Option<Activation>,
    /// Learning rates to run every activation and seed with, separated by commas, instead of --lr
    #[arg(long, value_name = "A,B,C", value_delimiter = ',', value_parser = finite_number, conflicts_with = "lr")]
    lrs: Vec<f64>,
    /// Smallest difference of the loss that counts: a share or a percentage
    #[arg(long, value_name = "SHARE", value_parser = share, default_value = "0.5%")]
    matters: f64,
    /// What FFNs of different kinds have in common
    #[arg(long = "match", value_enum, default_value = "params")]
    matching: Matching,
    /// Scale each FFN's initial output to the baseline's
    #[arg(long)]
    match_init: bool,
    /// Choose seeds, and if need be steps, to take so long: 30m, 2h
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, conflicts_with_all = ["seeds", "steps", "epochs"])]
    budget: Option<Duration>,
    /// Preset to start from: default, shakespeare-char, small-10m, stories260k, gpt2, or a .toml file
    #[arg(long, value_name = "NAME|FILE", default_value = "default", help_heading = "Model")]
    model: String,
    #[command(flatten)]
    settings: Settings,
    /// Directory of the runs and their results; finished runs in it are not repeated
    #[arg(long, value_name = "DIR", default_value = "runs/compare", help_heading = "Run")]
    out: PathBuf,
    /// Replace a comparison that is in the way
    #[arg(long, help_heading = "Run")]
    force: bool,
    /// Time a few steps, print what would run and which differences it could detect, then stop
    #[arg(long, help_heading = "Run")]
    dry_run: bool,
    /// Train side by side in N processes, the threads divided among them
    #[arg(long, value_name = "N", default_value_t = 1, help_heading = "Run")]
    jobs: usize,
    /// Print the command of each run, a line each, then stop
    #[arg(long, conflicts_with = "budget", help_heading = "Run")]
    plan: bool,
    /// Train only the K-th run of --plan, counted from 1 [default: $SLURM_ARRAY_TASK_ID if set]
    #[arg(long, value_name = "K", help_heading = "Run")]
    only: Option<usize>,
    /// Train what nobody else is training, then stop: what --jobs starts
    #[arg(long, hide = true)]
    worker: bool,
    #[command(flatten, next_help_heading = "Run")]
    wide: Wide,
    /// Write the report's charts as SVG and PNG, and the table as CSV and Markdown, to a directory
    #[arg(long, value_name = "DIR", help_heading = "Run")]
    plot: Option<PathBuf>,
    /// Print one JSON object on the last line
    #[arg(long, help_heading = "Run")]
    json: bool,
}

const SEEDS: u64 = 5;
const MOST_SEEDS: u64 = 1000;
const MOST_JOBS: usize = 256;
/// More passes than these over a text teach it by heart.
const MANY_EPOCHS: f64 = 4.0;

/// Reads `0.5%` or `0.005`.
fn share(text: &str) -> Result<f64, String> {
    let (number, unit) = match text.strip_suffix('%') {
        Some(number) => (number, 100.0),
        None => (text, 1.0),
    };
    match number.trim().parse::<f64>() {
        Ok(number) if (0.0..unit).contains(&number) => Ok(number / unit),
        _ => Err("it must be a share such as 0.5% or 0.005".to_string()),
    }
}

/// The activations that a list names, each once; `all` names every one that has a name.
pub fn named_acts(names: &[String]) -> Result<Vec<Activation>> {
    let mut acts: Vec<Activation> = Vec::new();
    for name in names {
        let named: Vec<Activation> = match name.as_str() {
            "all" => Activation::named().collect(),
            name => vec![name.parse().map_err(|error| input_error!("--acts: {error}"))?],
        };
        for act in named {
            if !acts.contains(&act) {
                acts.push(act);
            }
        }
    }
    Ok(acts)
}

impl CompareArgs {
    fn acts(&self) -> Result<Vec<Activation>> {
        named_acts(&self.acts)
    }

    fn baseline(&self, acts: &[Activation]) -> Result<Activation> {
        let relu = "relu".parse()?;
        let baseline = match self.baseline {
            Some(baseline) => baseline,
            None if acts.contains(&relu) => relu,
            None => acts[0],
        };
        if !acts.contains(&baseline) {
            bail_input!("--baseline {baseline} is not among --acts");
        }
        Ok(baseline)
    }

    fn check(&self) -> Result<()> {
        if self.settings.act.is_some() {
            bail_input!("compare takes --acts, a list, instead of --act");
        }
        if let Some(seeds) = self.seeds.filter(|seeds| !(1..=MOST_SEEDS).contains(seeds)) {
            bail_input!("--seeds is {seeds}; it must be between 1 and {MOST_SEEDS}");
        }
        if !(1..=MOST_JOBS).contains(&self.jobs) {
            bail_input!("--jobs is {}; it must be between 1 and {MOST_JOBS}", self.jobs);
        }
        if self.jobs > 1 && self.settings.data.as_deref() == Some("-") {
            bail_input!(
                "--jobs cannot give standard input to several processes: save the text to a file first"
            );
        }
        Ok(())
    }

    /// The comparison that was asked for, its arms not matched yet.
    fn design(&self, recipe: &Recipe) -> Result<Design> {
        let acts = self.acts()?;
        let mut rates = self.lrs.clone();
        rates.sort_by(f64::total_cmp);
        rates.dedup();
        for &lr in &rates {
            recipe
                .with(&Settings { lr: Some(lr), ..Settings::default() })
                .map_err(|error| input_error!("--lrs: {error}"))?;
        }
        Ok(Design {
            baseline: self.baseline(&acts)?,
            arms: acts.into_iter().map(crate::compare::ArmDesign::new).collect(),
            seeds: seeds(recipe, self.seeds.unwrap_or(SEEDS)),
            rates,
            matters: self.matters,
            matching: self.matching,
            match_init: self.match_init,
        })
    }

    /// The run that this process alone is for.
    fn only(&self) -> Result<Option<usize>> {
        let variable = "SLURM_ARRAY_TASK_ID";
        match (self.only, std::env::var(variable)) {
            (Some(only), _) => Ok(Some(only)),
            (None, Ok(text)) if !text.is_empty() => {
                let only = text.parse().map_err(|_| input_error!("{variable} is '{text}', not a number"))?;
                Ok(Some(only))
            }
            _ => Ok(None),
        }
    }
}

fn seeds(recipe: &Recipe, count: u64) -> Vec<u64> {
    (0..count).map(|i| recipe.training.seed.wrapping_add(i)).collect()
}

pub fn run(args: &CompareArgs) -> Result<()> {
    signals::await_requests()?;
    if args.worker {
        signals::only_listen();
    }
    args.check()?;
    let recipe = Recipe::new(args.settings.over(&Settings::preset(&args.model)?))?;
    let design = args.design(&recipe)?;
    if args.plan {
        return show::commands(&design);
    }
    let only = args.only()?;
    super::set_threads(recipe.threads)?;
    let device = recipe.device.open()?;
    let dataset = Dataset::load(&recipe)?;
    let (recipe, design, timing) = settle(args, recipe, design, only, (&dataset, &device))?;
    let runs = design.runs();
    let comparison = comparison(&recipe, design, &dataset);
    let plan = match args.worker || only.is_some() {
        true => None,
        false => announce(args, &comparison, timing, &recipe, &dataset, &device)?,
    };
    if args.dry_run {
        return Ok(());
    }
    if !args.worker {
        signals::listen();
    }
    let mut grid = Grid::open(&args.out, &recipe, comparison, args.force)?;
    let work = Work::new(&runs, plan.as_ref(), &grid, (&dataset, &device));
    let done = match only {
        Some(only) => work.train_one(&mut grid, only),
        None => args.train_all(&mut grid, &work),
    };
    done.map_err(|error| if_interrupted(error, || args.saved(&grid, &work)))?;
    if args.worker || only.is_some() { Ok(()) } else { finish(args, &grid) }
}

fn comparison(recipe: &Recipe, design: Design, dataset: &Dataset) -> Comparison {
    Comparison {
        design,
        settings: recipe.settings().clone(),
        text: dataset.fingerprint(),
        command: command_line(),
    }
}

/// The recipe and the design with everything that matching and a budget decide, and the timing that the
/// budget took. What can be refused is refused before, since both take a while.
fn settle(
    args: &CompareArgs,
    recipe: Recipe,
    design: Design,
    only: Option<usize>,
    (dataset, device): (&Dataset, &Device),
) -> Result<(Recipe, Design, Option<Timing>)> {
    let (recipe, mut design, is_final) = go_on(args, recipe, design)?;
    refuse(args, &recipe, &design, dataset)?;
    if is_final {
        check_only(only, &design)?;
    }
    let matched = (design.matching, design.match_init);
    design.arms = match_arms(&args.acts()?, design.baseline, matched, &recipe, dataset, device)?;
    let Some(budget) = args.budget.filter(|_| !is_final) else { return Ok((recipe, design, None)) };
    let timing = time(&design, &recipe, dataset, device)?;
    let fit = fit(budget, &design, &timing, &recipe)?;
    design.seeds = seeds(&recipe, fit.seeds);
    check_only(only, &design)?;
    // What a step takes doesn't depend on how many there are.
    Ok((with_steps(&recipe, fit.steps)?, design, Some(timing)))
}

/// The recipe and the design with the steps and seeds of a comparison that was begun with a budget, and
/// whether both are final: without one, a budget chooses them later.
fn go_on(args: &CompareArgs, recipe: Recipe, design: Design) -> Result<(Recipe, Design, bool)> {
    match load(&args.out).ok().filter(|_| args.budget.is_some() && !args.force) {
        Some(Comparison { settings: Settings { steps: Some(steps), .. }, design: begun, .. }) => {
            if !args.worker {
                note!("--budget: resuming a comparison of {} seeds and {steps} steps", begun.seeds.len());
            }
            Ok((with_steps(&recipe, steps)?, Design { seeds: begun.seeds, ..design }, true))
        }
        _ => Ok((recipe, design, args.budget.is_none())),
    }
}

/// Refuses directories that can't be written, or hold something else, and runs that don't fit the memory.
fn refuse(args: &CompareArgs, recipe: &Recipe, design: &Design, dataset: &Dataset) -> Result<()> {
    Grid::check(&args.out, &comparison(recipe, design.clone(), dataset), args.force)?;
    for (flag, folder) in [("--out", Some(&args.out)), ("--plot", args.plot.as_ref())] {
        folder.map_or(Ok(()), |folder| check_writable(flag, folder))?;
    }
    for run in design.runs() {
        check_memory(&recipe.with(&run.settings())?, dataset)?;
    }
    Ok(())
}

fn check_only(only: Option<usize>, design: &Design) -> Result<()> {
    let runs = design.runs().len();
    match only {
        Some(only) if !(1..=runs).contains(&only) => {
            bail_input!("--only is {only}; it must be between 1 and {runs}")
        }
        _ => Ok(()),
    }
}

/// Refuses a directory that files can't be written into, existing or not.
fn check_writable(flag: &str, folder: &Path) -> Result<()> {
    let existing = folder.ancestors().find(|ancestor| ancestor.exists()).unwrap_or(Path::new("."));
    tempfile::tempfile_in(existing)
        .map(drop)
        .map_err(|error| input_error!("{flag} {}: files can't be written there: {error}", folder.display()))
}

/// Prints the plan, unless nothing is left to do.
fn announce(
    args: &CompareArgs,
    comparison: &Comparison,
    timing: Option<Timing>,
    recipe: &Recipe,
    dataset: &Dataset,
    device: &Device,
) -> Result<Option<Plan>> {
    let design = &comparison.design;
    let results = Results::open(&args.out)?;
    if !args.dry_run && design.runs().iter().all(|run| results.find(run).is_some()) {
        return Ok(None);
    }
    let before = evaluate(&args.out, comparison, &results);
    let timing = timing.map_or_else(|| time(design, recipe, dataset, device), Ok)?;
    let plan = Plan::new(timing, design, recipe, &results, &before);
    show::plan(&plan, design);
    if plan.epochs() > MANY_EPOCHS {
        note!(
            "warning: {:.1} passes over the training text: models begin to memorize it; use more text or fewer --steps",
            plan.epochs()
        );
    }
    Ok(Some(plan))
}

impl CompareArgs {
    fn train_all(&self, grid: &mut Grid, work: &Work) -> Result<()> {
        if self.jobs > 1 {
            jobs::run(self.jobs, &mut grid.results, work)?;
        }
        work.train_all(grid, !self.worker)
    }

    /// What an interruption leaves of the comparison.
    fn saved(&self, grid: &Grid, work: &Work) -> String {
        if self.worker {
            return String::new();
        }
        let mut command = arguments_without(&[("--force", 0), ("--out", 1)]);
        command.extend(["--out".to_string(), shown(&self.out)]);
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
fn finish(args: &CompareArgs, grid: &Grid) -> Result<()> {
    let analysis = evaluate(&args.out, grid.comparison(), &grid.results);
    let report = report::write(&args.out, grid.comparison(), &analysis)?;
    if let Some(folder) = &args.plot {
        report::plot(folder, &analysis)?;
    }
    if args.json {
        show::json(&analysis, &grid.results)?;
    } else {
        show::tables(&analysis, &args.wide)?;
        note!("report  {}", report.display());
    }
    let diverged: Vec<String> =
        grid.results.diverged().map(|(run, why)| format!("{}: {why}", run.label())).collect();
    match diverged.as_slice() {
        [] => Ok(()),
        _ => Err(Failure::Diverged(diverged.join("; ")).into()),
    }
}
