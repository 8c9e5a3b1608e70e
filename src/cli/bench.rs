//! `tinygpt bench`

use super::text::grouped;
use super::threads::set_threads;
use crate::lab::bench;
use crate::model::{Model, ModelSize, Params, training_bytes};
use crate::settings::{LARGEST_VOCABULARY, Recipe, Settings, preset_name, within};
use crate::support::memory;
use crate::support::record;
use anyhow::Result;
use clap::{Args, ValueEnum};
use serde::Serialize;
use std::time::Duration;

/// What to time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    Train,
    Generate,
    Acts,
}

#[derive(Args)]
#[command(after_help = "Example: tinygpt bench --model shakespeare-char --act swiglu --threads 2")]
pub struct BenchArgs {
    /// Preset to start from, or a .toml file [default: default]
    #[arg(long, value_name = "NAME|FILE", value_parser = preset_name(), help_heading = "Bench")]
    model: Option<String>,
    /// Size of the vocabulary; tokens are random
    #[arg(long, value_name = "N", default_value_t = 65, value_parser = within(1..=LARGEST_VOCABULARY), help_heading = "Bench")]
    vocab: usize,
    /// Time only this [default: all]
    #[arg(long, value_name = "PART", help_heading = "Bench")]
    only: Option<Part>,
    /// Seconds for each of training and generation
    #[arg(long, value_name = "S", default_value_t = 5.0, value_parser = within(0.0..=3600.0), help_heading = "Bench")]
    seconds: f64,
    /// Print one JSON object
    #[arg(long, help_heading = "Bench")]
    json: bool,
    #[command(flatten)]
    settings: Settings,
}

pub fn run(args: &BenchArgs) -> Result<()> {
    let preset = Settings::preset(args.model.as_deref().unwrap_or("default"))?;
    let recipe = Recipe::new(args.settings.over(&preset))?;
    set_threads(recipe.threads)?;
    let wanted = |part| args.only.is_none_or(|only| only == part);
    let duration = Duration::from_secs_f64(args.seconds);
    let mut found = Timings::default();
    if wanted(Part::Train) || wanted(Part::Generate) {
        let config = recipe.model(args.vocab)?;
        memory::check(training_bytes(&config, recipe.training.batch_size, recipe.ops))?;
        let device = recipe.device.open()?;
        let params = Params::init(&config, recipe.training.seed, &device)?;
        let model = Model::new(config, params, recipe.ops)?;
        found.act = Some(model.config.act.name());
        found.params = Some(ModelSize::new(&model.config).total);
        if wanted(Part::Train) {
            found.time_training(&model, &recipe, duration)?;
        }
        if wanted(Part::Generate) {
            found.generate_tokens_per_second = Some(bench::generation(&model, duration)?);
            // Of training where that was timed: it came first and needs more.
            found.peak_rss_mb = found.peak_rss_mb.or_else(megabytes);
        }
    }
    if wanted(Part::Acts) {
        let costs = bench::activation_costs(Duration::from_millis(20))?.into_iter();
        let costs = costs.map(|cost| CostRecord {
            act: cost.act.name(),
            forward_ns: cost.forward,
            backward_ns: cost.backward,
        });
        found.activations = Some(costs.collect());
    }
    found.threads = rayon::current_num_threads();
    if args.json {
        say!("{}", record::line(&found)?)?;
        return Ok(());
    }
    show(&found)
}

/// What `--json` prints: what was timed.
#[derive(Default, Serialize)]
struct Timings {
    #[serde(skip_serializing_if = "Option::is_none")]
    act: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    params: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    train_tokens_per_second: Option<f64>,
    /// The most memory held, where the system tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    peak_rss_mb: Option<f64>,
    /// What this machine reaches in matrix products, and the share of it that training reaches.
    #[serde(skip_serializing_if = "Option::is_none")]
    gemm_gflops: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    mfu: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    generate_tokens_per_second: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    activations: Option<Vec<CostRecord>>,
    threads: usize,
}

/// Nanoseconds per value.
#[derive(Serialize)]
struct CostRecord {
    act: String,
    forward_ns: f64,
    backward_ns: f64,
}

impl Timings {
    fn time_training(&mut self, model: &Model, recipe: &Recipe, duration: Duration) -> Result<()> {
        let speed = bench::training(model, &recipe.training, duration)?;
        self.peak_rss_mb = megabytes();
        let peak = bench::matmul_peak(duration.mul_f64(0.2))?;
        self.train_tokens_per_second = Some(speed);
        self.gemm_gflops = Some(peak);
        self.mfu = Some(bench::mfu(&model.config, speed, peak));
        Ok(())
    }
}

/// The most memory held so far, where the system tells.
fn megabytes() -> Option<f64> {
    memory::peak().map(|bytes| bytes as f64 / 1e6)
}

fn show(found: &Timings) -> Result<()> {
    let whole = |value: f64| grouped(value.round() as usize);
    if let (Some(act), Some(params)) = (&found.act, found.params) {
        say!("model          {} parameters, {act}", grouped(params))?;
    }
    if let Some(speed) = found.train_tokens_per_second {
        say!("training       {} tokens/s", whole(speed))?;
    }
    if let (Some(mfu), Some(peak)) = (found.mfu, found.gemm_gflops) {
        say!("               {:.0}% of this machine's {peak:.0} GFLOP/s in matrix products", 100.0 * mfu)?;
    }
    if let Some(memory) = found.peak_rss_mb {
        say!("memory         {memory:.0} MB at most")?;
    }
    if let Some(speed) = found.generate_tokens_per_second {
        say!("generation     {} tokens/s", whole(speed))?;
    }
    if let Some(costs) = &found.activations {
        say!("\nactivation     ns per value, forward and backward")?;
        for CostRecord { act, forward_ns, backward_ns } in costs {
            say!("{act:<14} {forward_ns:5.2} {backward_ns:8.2}")?;
        }
    }
    Ok(())
}
