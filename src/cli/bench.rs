//! `tinygpt bench`

use super::text::{grouped, print_record};
use super::threads::set_threads;
use crate::activation::Activation;
use crate::lab::bench;
use crate::model::{Model, ModelSize, Params, training_bytes};
use crate::settings::{LARGEST_VOCABULARY, Recipe, Settings, preset_name, within};
use crate::support::memory;
use anyhow::Result;
use clap::{Args, ValueEnum};
use serde_json::{Map, Value, json};
use std::time::Duration;

/// A benchmark.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Part {
    /// Training steps of one model
    Train,
    /// Text generation with the same model
    Generate,
    /// Forward and backward pass of every activation
    Acts,
}

#[derive(Args)]
#[command(after_help = "Example: tinygpt bench --model shakespeare-char --act swiglu --threads 2")]
pub struct BenchArgs {
    /// Preset or .toml file to start from [default: default]
    #[arg(long, value_name = "NAME|FILE", value_parser = preset_name(), help_heading = "Bench")]
    model: Option<String>,
    /// Vocabulary size; the tokens are random
    #[arg(long, value_name = "N", default_value_t = 65, value_parser = within(1..=LARGEST_VOCABULARY), help_heading = "Bench")]
    vocab_size: usize,
    /// Run only this benchmark [default: all]
    #[arg(long, value_name = "PART", help_heading = "Bench")]
    only: Option<Part>,
    /// Seconds to spend on each of training and generation
    #[arg(long, value_name = "S", default_value_t = 5.0, value_parser = within(0.0..=3600.0), help_heading = "Bench")]
    seconds: f64,
    /// Print a JSON object
    #[arg(long, help_heading = "Bench")]
    json: bool,
    #[command(flatten)]
    settings: Settings,
}

pub fn run(args: &BenchArgs) -> Result<()> {
    let preset = Settings::preset(args.model.as_deref().unwrap_or("default"))?;
    let recipe = Recipe::new(args.settings.over(&preset))?;
    set_threads(recipe.threads)?;
    let is_wanted = |part| args.only.is_none_or(|only| only == part);
    let mut measured = Measured { is_json: args.json, fields: Map::new() };
    if is_wanted(Part::Train) || is_wanted(Part::Generate) {
        let config = recipe.model(args.vocab_size)?;
        memory::check(training_bytes(&config, recipe.training.batch_size, recipe.ops))?;
        let params = Params::init(&config, recipe.training.seed, &recipe.device.open()?)?;
        let model = Model::new(config, params, recipe.ops)?;
        let (act, params) = (model.config.act.name(), ModelSize::new(&model.config).total);
        let line = format!("model          {} parameters, {act}", grouped(params));
        measured.add(&line, json!({"act": act, "params": params}))?;
        let duration = Duration::from_secs_f64(args.seconds);
        if is_wanted(Part::Train) {
            measured.training(&model, &recipe, duration)?;
        }
        if is_wanted(Part::Generate) {
            let speed = bench::generation(&model, duration)?;
            let line = format!("generation     {} tokens/s", grouped(speed.round() as usize));
            measured.add(&line, json!({"generate_tokens_per_second": speed}))?;
        }
        if let Some(megabytes) = memory::peak().map(|bytes| bytes as f64 / 1e6) {
            measured.add(&format!("peak memory    {megabytes:.0} MB"), json!({"peak_rss_mb": megabytes}))?;
        }
    }
    if is_wanted(Part::Acts) {
        measured.activations(args.settings.act)?;
    }
    if args.json {
        measured.fields.insert("threads".to_string(), json!(rayon::current_num_threads()));
        print_record(&measured.fields)?;
    }
    Ok(())
}

/// The measurements so far: printed line by line, or collected for `--json`.
struct Measured {
    is_json: bool,
    fields: Map<String, Value>,
}

impl Measured {
    fn add(&mut self, line: &str, fields: Value) -> Result<()> {
        if let Value::Object(fields) = fields {
            self.fields.extend(fields);
        }
        if !self.is_json {
            say!("{line}")?;
        }
        Ok(())
    }

    fn training(&mut self, model: &Model, recipe: &Recipe, duration: Duration) -> Result<()> {
        let speed = bench::training(model, &recipe.training, duration)?;
        let line = format!("training       {} tokens/s", grouped(speed.round() as usize));
        self.add(&line, json!({"train_tokens_per_second": speed}))?;
        let peak = bench::matmul_peak(duration.mul_f64(0.2))?;
        let mfu = bench::mfu(&model.config, speed, peak);
        let line =
            format!("utilization    {:.0}% of the {peak:.0} GFLOP/s of this machine's matmul", 100.0 * mfu);
        self.add(&line, json!({"gemm_gflops": peak, "mfu": mfu}))
    }

    fn activations(&mut self, act: Option<Activation>) -> Result<()> {
        let mut lines = "\nactivation     ns per value, forward and backward".to_string();
        let mut costs = Vec::new();
        let mut acts: Vec<Activation> = Activation::named().collect();
        acts.extend(act.filter(|act| !acts.contains(act)));
        for cost in bench::activation_costs(&acts, Duration::from_millis(20))? {
            let (act, forward, backward) = (cost.act.label(), cost.forward, cost.backward);
            lines.push_str(&format!("\n{act:<14} {forward:5.2} {backward:8.2}"));
            costs.push(json!({"act": act, "forward_ns": forward, "backward_ns": backward}));
        }
        self.add(&lines, json!({"activations": costs}))
    }
}
