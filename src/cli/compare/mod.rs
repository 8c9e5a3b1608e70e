//! `tinygpt compare`

mod jobs;
mod show;

use super::progress::Progress;
use super::report;
use super::text::command_line;
use crate::activation::Activation;
use crate::compare::{
    Attempt, Comparison, Design, Grid, Matching, Plan, Results, Run, Timing, evaluate, fit, load, match_arms,
    time, with_steps,
};
use crate::data::Dataset;
use crate::failure::Failure;
use crate::run::signals;
use crate::settings::{Recipe, Settings, finite_number};
use crate::{bail_input, input_error};
use anyhow::Result;
use candle_core::Device;
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

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
    /// Least difference of loss worth a verdict of better: a share, or per cent
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
    /// Time a few steps, print what would run and what it would be able to see, then stop
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
    args.check()?;
    let recipe = Recipe::new(args.settings.over(&Settings::preset(&args.model)?))?;
    let mut design = args.design(&recipe)?;
    if args.plan {
        return show::commands(&design);
    }
    super::set_threads(recipe.threads)?;
    let device = recipe.device.open()?;
    let dataset = Dataset::load(&recipe)?;
    super::train::show_notes(&dataset);
    design.arms = match_arms(
        &args.acts()?,
        design.baseline,
        (design.matching, design.match_init),
        &recipe,
        &dataset,
        &device,
    )?;
    let (recipe, design, timing) = prepare(args, recipe, design, &dataset, &device)?;
    let comparison = Comparison {
        design,
        settings: recipe.settings().clone(),
        text: dataset.fingerprint(),
        command: command_line(),
    };
    let only = args.only()?;
    if !args.worker && only.is_none() {
        announce(args, &comparison, timing, &recipe, &dataset, &device)?;
    }
    if args.dry_run {
        return Ok(());
    }
    let runs = comparison.design.runs();
    if let Some(only) = only.filter(|only| !(1..=runs.len()).contains(only)) {
        bail_input!("--only is {only}; it must be between 1 and {}", runs.len());
    }
    signals::listen()?;
    let mut grid = Grid::open(&args.out, &recipe, comparison, args.force)?;
    if let Some(only) = only {
        let (run, label) = (&runs[only - 1], format!("[{only}/{}]", runs.len()));
        return match train(&mut grid, run, &label, &dataset, &device)? {
            Attempt::Done => Ok(()),
            Attempt::Busy => {
                Err(Failure::Busy(format!("another process is training {}", run.label())).into())
            }
        };
    }
    if args.jobs > 1 {
        jobs::run(args.jobs)?;
    }
    train_all(&mut grid, &runs, !args.worker, &dataset, &device)?;
    if args.worker {
        return Ok(());
    }
    finish(args, &grid)
}

/// The recipe and the design with what a budget allows, and the timing that told it.
fn prepare(
    args: &CompareArgs,
    recipe: Recipe,
    design: Design,
    dataset: &Dataset,
    device: &Device,
) -> Result<(Recipe, Design, Option<Timing>)> {
    let Some(budget) = args.budget else { return Ok((recipe, design, None)) };
    // One that was begun keeps what was chosen for it then.
    let (steps, seeds, timing) = match load(&args.out).ok().filter(|_| !args.force) {
        Some(Comparison { settings: Settings { steps: Some(steps), .. }, design, .. }) => {
            note!(
                "--budget: this comparison has begun, and keeps its {} seeds of {steps} steps",
                design.seeds.len()
            );
            (steps, design.seeds, None)
        }
        _ => {
            let timing = time(&design, &recipe, dataset, device)?;
            let fit = fit(budget, &design, &timing, &recipe)?;
            (fit.steps, seeds(&recipe, fit.seeds), Some(timing))
        }
    };
    // What a step takes does not depend on how many there are.
    Ok((with_steps(&recipe, steps)?, Design { seeds, ..design }, timing))
}

/// Prints the plan, unless nothing is left to do.
fn announce(
    args: &CompareArgs,
    comparison: &Comparison,
    timing: Option<Timing>,
    recipe: &Recipe,
    dataset: &Dataset,
    device: &Device,
) -> Result<()> {
    let design = &comparison.design;
    let results = Results::open(&args.out)?;
    if !args.dry_run && design.runs().iter().all(|run| results.find(run).is_some()) {
        return Ok(());
    }
    let before = evaluate(&args.out, comparison, &results);
    let timing = timing.map_or_else(|| time(design, recipe, dataset, device), Ok)?;
    let plan = Plan::new(timing, design, recipe, &results, &before);
    show::plan(&plan, design);
    if plan.epochs() > MANY_EPOCHS {
        note!(
            "warning: {:.1} passes over the training text: models will begin to know it by heart; give more text or fewer --steps",
            plan.epochs()
        );
    }
    Ok(())
}

/// Trains every run that is not done. Those that other processes are training are waited for, and taken
/// over if their process dies.
fn train_all(grid: &mut Grid, runs: &[Run], waits: bool, dataset: &Dataset, device: &Device) -> Result<()> {
    let mut told = false;
    loop {
        let mut busy = 0;
        for (i, run) in runs.iter().enumerate() {
            if grid.results.find(run).is_none() {
                let label = format!("[{}/{}]", i + 1, runs.len());
                if train(grid, run, &label, dataset, device)? == Attempt::Busy {
                    busy += 1;
                }
            }
        }
        if busy == 0 || !waits {
            return Ok(());
        }
        if !told {
            note!("waiting for {busy} runs of other processes");
            told = true;
        }
        signals::check("while waiting")?;
        std::thread::sleep(Duration::from_millis(300));
        grid.results.refresh()?;
    }
}

fn train(grid: &mut Grid, run: &Run, label: &str, dataset: &Dataset, device: &Device) -> Result<Attempt> {
    let mut progress = Progress::labelled(&format!("{label} {}", run.label()));
    grid.train(run, dataset, device, &mut progress).inspect_err(|error| {
        if matches!(error.downcast_ref(), Some(Failure::Interrupted(_))) {
            note!("the same command goes on where this one stopped");
        }
    })
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
        show::tables(&analysis)?;
        note!("the report: {}", report.display());
    }
    let diverged: Vec<String> =
        grid.results.diverged().map(|(run, why)| format!("{}: {why}", run.label())).collect();
    match diverged.as_slice() {
        [] => Ok(()),
        _ => Err(Failure::Diverged(diverged.join("; ")).into()),
    }
}
