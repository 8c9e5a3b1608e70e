//! `tinygpt train`, and `tinygpt` alone.

use super::progress::Progress;
use super::text::shell_word;
use crate::checkpoint::{load_tokenizer, load_trainer};
use crate::data::Dataset;
use crate::failure::escape_controls;
use crate::generate::{Limits, Sampler, Sampling, generate};
use crate::run::{LAST, RunDir};
use crate::settings::{Recipe, Settings};
use crate::train::{Outcome, Session};
use crate::{bail_input, model::Gpt};
use anyhow::Result;
use clap::Args;
use std::path::{Path, PathBuf};

#[derive(Args)]
#[command(after_help = "Example: tinygpt train --model shakespeare-char --act swiglu --data shakespeare.txt")]
pub struct TrainArgs {
    /// Preset to start from: default, shakespeare-char, small-10m, stories260k, gpt2, or a .toml file
    #[arg(long, value_name = "NAME|FILE", help_heading = "Model")]
    model: Option<String>,
    #[command(flatten)]
    settings: Settings,
    /// Directory of the run [default: runs/<act>]
    #[arg(long, value_name = "DIR", help_heading = "Run")]
    out: Option<PathBuf>,
    /// Go on with the run in this directory, with its own settings
    #[arg(long, value_name = "DIR", conflicts_with_all = ["out", "model", "force"], help_heading = "Run")]
    resume: Option<PathBuf>,
    /// Replace a run that is in the way
    #[arg(long, help_heading = "Run")]
    force: bool,
    /// Print one JSON object on the last line
    #[arg(long, help_heading = "Run")]
    json: bool,
}

/// Settings that may change when a run is resumed: none of them touches what was done already.
const MAY_CHANGE: &[&str] =
    &["steps", "epochs", "eval-every", "save-every", "keep", "data", "val-data", "threads", "ops", "device"];

pub fn run(args: &TrainArgs) -> Result<()> {
    match &args.resume {
        Some(path) => resume(args, path),
        None => start(args),
    }
}

fn start(args: &TrainArgs) -> Result<()> {
    let preset = Settings::preset(args.model.as_deref().unwrap_or("default"))?;
    let recipe = Recipe::new(args.settings.over(&preset))?;
    super::set_threads(recipe.threads);
    let device = recipe.device.open()?;
    let dataset = Dataset::load(&recipe)?;
    let out = args.out.clone().unwrap_or_else(|| RunDir::free_name(&recipe.act().name().replace(':', "-")));
    let run = RunDir::create(&out, args.force)?;
    finish(args, Session::start(&recipe, &dataset, run.clone(), &device)?, &dataset, &run)
}

fn resume(args: &TrainArgs, path: &Path) -> Result<()> {
    let run = RunDir::open(path)?;
    let Some(checkpoint) = run.checkpoint(LAST) else {
        bail_input!("{} holds no checkpoint", path.display())
    };
    let saved = load_trainer(&checkpoint)?;
    refuse_changes(&args.settings, &saved.settings)?;
    let recipe = Recipe::new(args.settings.over(&saved.settings))?;
    super::set_threads(recipe.threads);
    let device = recipe.device.open()?;
    let dataset = Dataset::load_with(&recipe, load_tokenizer(&checkpoint)?)?;
    eprintln!("resuming {} at step {}", run.path().display(), saved.step);
    let session = Session::resume(&recipe, &dataset, run.clone(), &device)?;
    finish(args, session, &dataset, &run)
}

fn refuse_changes(flags: &Settings, saved: &Settings) -> Result<()> {
    let saved = saved.to_map();
    for (name, now) in flags.to_map() {
        let before = saved.get(&name);
        if before != Some(&now) && !MAY_CHANGE.contains(&name.as_str()) {
            let before = before.map_or("not set".to_string(), ToString::to_string);
            bail_input!("--{name} is {now}, but the run began with {before}; resuming cannot change it");
        }
    }
    Ok(())
}

fn finish(args: &TrainArgs, mut session: Session, dataset: &Dataset, run: &RunDir) -> Result<()> {
    let outcome = session.train(&mut Progress::new())?;
    if args.json {
        println!("{}", serde_json::to_string(&outcome)?);
        return Ok(());
    }
    summarize(&outcome, run);
    sample(session.model(), dataset)?;
    println!("\nnext: tinygpt generate --checkpoint {}", shell_word(&run.path().display().to_string()));
    Ok(())
}

fn summarize(outcome: &Outcome, run: &RunDir) {
    println!(
        "{}: validation loss {:.4}, perplexity {:.3}, {:.4} bits per byte after {} steps at {:.0} tokens/s",
        outcome.act,
        outcome.val_loss,
        outcome.val_perplexity,
        outcome.bits_per_byte,
        outcome.steps,
        outcome.tokens_per_second
    );
    println!("saved {} (its best/ and last/ load in transformers too)", run.path().display());
}

/// A short text from the model that was just trained.
fn sample(model: &Gpt, dataset: &Dataset) -> Result<()> {
    let sampling =
        Sampling { repeat_penalty: 1.0, top_k: 40, top_p: 0.95, min_p: 0.05, temperature: 0.8, seed: 1 };
    let limits = Limits { max_tokens: 240, stop: Vec::new() };
    let mut sampler = Sampler::new(sampling, 0);
    println!("\na sample:");
    let sample = generate(model, &dataset.tokenizer, "\n", &mut sampler, &limits, |_| Ok(()))?;
    println!("{}", escape_controls(sample.text.trim_matches('\n')));
    Ok(())
}
