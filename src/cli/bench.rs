//! `tinygpt bench`

use super::text::grouped;
use crate::bench;
use crate::memory;
use crate::model::{Model, Params, training_bytes};
use crate::settings::{LARGEST_VOCABULARY, Recipe, Settings, preset_name, within};
use anyhow::Result;
use clap::{Args, ValueEnum};
use serde_json::{Value, json};
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
    super::set_threads(recipe.threads)?;
    let wanted = |part| args.only.is_none_or(|only| only == part);
    let duration = Duration::from_secs_f64(args.seconds);
    let mut found = serde_json::Map::new();
    if wanted(Part::Train) || wanted(Part::Generate) {
        let config = recipe.model(args.vocab)?;
        memory::check(training_bytes(&config, recipe.training.batch_size, recipe.ops))?;
        let device = recipe.device.open()?;
        let params = Params::init(&config, recipe.training.seed, &device)?;
        let model = Model::new(config, params, recipe.ops)?;
        found.insert("act".into(), json!(model.config.act.name()));
        found.insert("params".into(), json!(crate::model::ModelSize::new(&model.config).total));
        if wanted(Part::Train) {
            train(&model, &recipe, duration, &mut found)?;
        }
        if wanted(Part::Generate) {
            found.insert("generate_tokens_per_second".into(), json!(bench::generation(&model, duration)?));
            // Of training where that was timed: it came first and needs more.
            found.entry("peak_rss_mb").or_insert(json!(megabytes()));
        }
    }
    if wanted(Part::Acts) {
        let costs = bench::activation_costs(Duration::from_millis(20))?;
        let costs = costs.iter().map(|cost| {
            json!({ "act": cost.act.name(), "forward_ns": cost.forward, "backward_ns": cost.backward })
        });
        found.insert("activations".into(), costs.collect());
    }
    found.insert("threads".into(), json!(rayon::current_num_threads()));
    if args.json {
        say!("{}", Value::Object(found))?;
        return Ok(());
    }
    show(&found)
}

fn train(
    model: &Model,
    recipe: &Recipe,
    duration: Duration,
    found: &mut serde_json::Map<String, Value>,
) -> Result<()> {
    let speed = bench::training(model, &recipe.training, duration)?;
    let memory = megabytes();
    let peak = bench::matmul_peak(duration.mul_f64(0.2))?;
    found.insert("train_tokens_per_second".into(), json!(speed));
    found.insert("peak_rss_mb".into(), json!(memory));
    found.insert("gemm_gflops".into(), json!(peak));
    found.insert("mfu".into(), json!(bench::mfu(&model.config, speed, peak)));
    Ok(())
}

/// The most memory held so far, where the system tells.
fn megabytes() -> Option<f64> {
    crate::memory::peak().map(|bytes| bytes as f64 / 1e6)
}

fn show(found: &serde_json::Map<String, Value>) -> Result<()> {
    let number = |key: &str| found.get(key).and_then(Value::as_f64);
    let whole = |value: f64| grouped(value.round() as usize);
    if let (Some(act), Some(params)) = (found.get("act").and_then(Value::as_str), number("params")) {
        say!("model          {} parameters, {act}", whole(params))?;
    }
    if let Some(speed) = number("train_tokens_per_second") {
        say!("training       {} tokens/s", whole(speed))?;
    }
    if let (Some(mfu), Some(peak)) = (number("mfu"), number("gemm_gflops")) {
        say!("               {:.0}% of this machine's {peak:.0} GFLOP/s in matrix products", 100.0 * mfu)?;
    }
    if let Some(memory) = number("peak_rss_mb") {
        say!("memory         {memory:.0} MB at most")?;
    }
    if let Some(speed) = number("generate_tokens_per_second") {
        say!("generation     {} tokens/s", whole(speed))?;
    }
    if let Some(costs) = found.get("activations").and_then(Value::as_array) {
        say!("\nactivation     ns per value, forward and backward")?;
        for cost in costs {
            let name = cost["act"].as_str().unwrap_or_default();
            let time = |key: &str| cost[key].as_f64().unwrap_or(f64::NAN);
            say!("{name:<14} {:5.2} {:8.2}", time("forward_ns"), time("backward_ns"))?;
        }
    }
    Ok(())
}
