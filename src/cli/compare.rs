//! `tinygpt compare`

use super::progress::Progress;
use super::text::{grouped, table};
use crate::activation::Activation;
use crate::bail_input;
use crate::compare::{Arm, Grid, Run};
use crate::data::Dataset;
use crate::failure::Failure;
use crate::run::signals;
use crate::settings::{Recipe, Settings};
use anyhow::Result;
use clap::Args;
use serde_json::{Value, json};
use std::path::PathBuf;

#[derive(Args)]
#[command(mut_arg("act", |arg| arg.hide(true)))]
#[command(after_help = "Example: tinygpt compare --acts relu,gelu,swiglu --seeds 3 --data my.txt")]
pub struct CompareArgs {
    /// Activations to compare, separated by commas
    #[arg(long, value_name = "A,B,C", value_delimiter = ',', default_value = "relu,gelu,silu,swiglu")]
    acts: Vec<Activation>,
    /// Seeds to repeat every activation with: --seed, --seed + 1, ...
    #[arg(long, value_name = "N", default_value_t = 3)]
    seeds: u64,
    /// Activation that differences are taken against [default: relu, or the first of --acts]
    #[arg(long, value_name = "NAME")]
    baseline: Option<Activation>,
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
    /// Print one JSON object on the last line
    #[arg(long, help_heading = "Run")]
    json: bool,
}

const MOST_SEEDS: u64 = 1000;

impl CompareArgs {
    fn baseline(&self) -> Result<Activation> {
        let relu = "relu".parse()?;
        let baseline = match self.baseline {
            Some(baseline) => baseline,
            None if self.acts.contains(&relu) => relu,
            None => self.acts[0],
        };
        if !self.acts.contains(&baseline) {
            bail_input!("--baseline {baseline} is not among --acts");
        }
        Ok(baseline)
    }
}

pub fn run(args: &CompareArgs) -> Result<()> {
    if args.settings.act.is_some() {
        bail_input!("compare takes --acts, a list, instead of --act");
    }
    if !(1..=MOST_SEEDS).contains(&args.seeds) {
        bail_input!("--seeds is {}; it must be between 1 and {MOST_SEEDS}", args.seeds);
    }
    let baseline = args.baseline()?;
    let recipe = Recipe::new(args.settings.over(&Settings::preset(&args.model)?))?;
    super::set_threads(recipe.threads)?;
    let device = recipe.device.open()?;
    let dataset = Dataset::load(&recipe)?;
    signals::listen()?;
    let mut grid = Grid::open(&args.out, &recipe, &dataset, args.force)?;
    let seeds: Vec<u64> = (0..args.seeds).map(|i| recipe.training.seed.wrapping_add(i)).collect();
    let mut acts = Vec::new();
    for act in &args.acts {
        if !acts.contains(act) {
            acts.push(*act);
        }
    }
    // Seeds outside, activations inside: what is done at any time is a comparison.
    let runs: Vec<Run> =
        seeds.iter().flat_map(|&seed| acts.iter().map(move |&act| Run { act, seed })).collect();
    for (i, run) in runs.iter().enumerate() {
        if !grid.is_done(*run) {
            let label = format!("[{}/{}] {} seed {}", i + 1, runs.len(), run.act, run.seed);
            grid.train(*run, &dataset, &device, &mut Progress::labelled(&label)).inspect_err(|error| {
                if matches!(error.downcast_ref(), Some(Failure::Interrupted(_))) {
                    note!("the same command goes on where this one stopped");
                }
            })?;
        }
    }
    let arms = grid.arms(&acts, &seeds, baseline)?;
    if args.json {
        say!(
            "{}",
            json!({ "baseline": baseline, "results": arms.iter().map(describe).collect::<Vec<_>>(), "diverged": grid.diverged().map(|(run, why)| json!({ "act": run.act, "seed": run.seed, "why": why })).collect::<Vec<_>>() })
        )?;
    } else {
        print(&arms, baseline, &dataset)?;
    }
    let diverged: Vec<String> =
        grid.diverged().map(|(run, why)| format!("{} with seed {}: {why}", run.act, run.seed)).collect();
    match diverged.as_slice() {
        [] => Ok(()),
        _ => Err(Failure::Diverged(diverged.join("; ")).into()),
    }
}

fn print(arms: &[Arm], baseline: Activation, dataset: &Dataset) -> Result<()> {
    let difference = format!("loss - {baseline}'s [95 %]");
    let titles = ["act", "params", "FFN", "perplexity", "std", "bits/byte", &difference, "tokens/s"];
    let mut table = table(&titles);
    for arm in arms {
        let difference = match arm.difference {
            None => "baseline".to_string(),
            Some(interval) => match interval.ci95 {
                Some((low, high)) => format!("{:+.4} [{low:+.4}, {high:+.4}]", interval.mean),
                None => format!("{:+.4}", interval.mean),
            },
        };
        table.add_row([
            arm.act.name(),
            grouped(arm.params),
            arm.ffn_dim.to_string(),
            format!("{:.3}", arm.perplexity.mean),
            arm.perplexity.std.map_or("-".to_string(), |std| format!("{std:.3}")),
            format!("{:.4}", arm.bits_per_byte),
            difference,
            grouped(arm.tokens_per_second as usize),
        ]);
    }
    say!("{table}")?;
    let seeds = arms.first().map_or(0, |arm| arm.loss.n);
    if let Some(floor) = arms.first().and_then(|arm| arm.floor) {
        let above = |arm: &Arm| format!("{} {:.4}", arm.act, arm.loss.mean - floor);
        say!(
            "Above the floor of {floor:.4} nats per token: {}.",
            arms.iter().map(above).collect::<Vec<_>>().join(", ")
        )?;
    }
    say!("Validation text of {}, {seeds} seeds, differences paired by seed.", dataset.name)?;
    Ok(())
}

fn describe(arm: &Arm) -> Value {
    json!({
        "act": arm.act,
        "params": arm.params,
        "ffn_dim": arm.ffn_dim,
        "seeds": arm.loss.n,
        "val_loss_mean": arm.loss.mean,
        "val_loss_std": arm.loss.std,
        "perplexity": arm.perplexity.mean,
        "bits_per_byte": arm.bits_per_byte,
        "above_floor": arm.floor.map(|floor| arm.loss.mean - floor),
        "delta": arm.difference.map(|interval| interval.mean),
        "ci95": arm.difference.and_then(|interval| interval.ci95).map(|(low, high)| [low, high]),
        "tokens_per_second": arm.tokens_per_second,
    })
}
