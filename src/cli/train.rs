//! `tinygpt train`, and `tinygpt` without a command.

use super::failures::{if_interrupted, resume_with};
use super::origin::Origin;
use super::outputs::Inputs;
use super::plan::{run_json, show_estimate, show_plan};
use super::progress::{Progress, bits_per_byte};
use super::signals;
use super::test_text::Places;
use super::text::{grouped, print_record, shell_word, shown};
use super::threads::set_threads;
use crate::activation::Activation;
use crate::data::{Dataset, Source, Tales, Tokenizer, questions};
use crate::lab::inspect::answer;
use crate::model::Model;
use crate::run::checkpoint::{load_tokenizer, load_trainer, loads_in};
use crate::run::{LAST, RunDir};
use crate::settings::{ModelConfig, Recipe, Settings, preset_name};
use crate::support::failure::escape_controls;
use crate::support::memory;
use crate::train::{Estimate, Outcome, Plan, Trainer, TrainingRun, settle_schedule};
use crate::{bail_input, input_error};
use anyhow::Result;
use candle_core::Device;
use clap::Args;
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

#[derive(Args)]
#[command(after_help = "Example: tinygpt train --model shakespeare-char --act swiglu --data shakespeare.txt")]
pub struct TrainArgs {
    /// Preset or .toml file to start from [default: default]
    ///
    /// Flags override the preset. A .toml file has these flags as keys: `layers = 6`, `act = "gelu"`.
    #[arg(long, value_name = "NAME|FILE", value_parser = preset_name(), help_heading = "Model")]
    model: Option<String>,
    /// Fine-tune this checkpoint instead of training from scratch
    ///
    /// Takes a run, a checkpoint directory written by tinygpt or transformers, or hf:OWNER/NAME[@REVISION].
    /// Shape and tokenizer are those of the checkpoint; only --context can be set, to a shorter one.
    #[arg(long, value_name = "DIR|hf:REPO", conflicts_with = "model", help_heading = "Model")]
    init: Option<String>,
    #[command(flatten)]
    settings: Settings,
    /// Directory of the run [default: runs/<act>, runs/<act>-2, ...]
    ///
    /// It must be new or empty, unless you give --force.
    #[arg(long, value_name = "DIR", help_heading = "Run")]
    out: Option<PathBuf>,
    /// Resume the run in this directory
    ///
    /// The run keeps its settings. You can change its length, --data if the text moved, --threads, --device, and how
    /// often it is evaluated and saved. The weights are bit-identical to those of an uninterrupted run.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["out", "model", "init", "force"], help_heading = "Run")]
    resume: Option<PathBuf>,
    /// Replace the run in --out
    ///
    /// Also replaces other files in the way, even if tinygpt didn't write them.
    #[arg(long, help_heading = "Run")]
    force: bool,
    /// Print the plan and stop
    ///
    /// The plan shows parameters, memory, time and every setting. --json prints it as a JSON object.
    #[arg(long, help_heading = "Run")]
    dry_run: bool,
    /// Print the result as a JSON object on the last line
    #[arg(long, help_heading = "Run")]
    json: bool,
}

pub fn run(args: &TrainArgs) -> Result<()> {
    match &args.resume {
        Some(path) => resume(args, path),
        None => start(args),
    }
}

fn start(args: &TrainArgs) -> Result<()> {
    let origin = args.init.as_deref().map(|name| Origin::open(name, &args.settings)).transpose()?;
    let base = match &origin {
        Some(origin) => origin.settings.over(&Settings::fine_tuning()?),
        None => Settings::preset(args.model.as_deref().unwrap_or("default"))?,
    };
    let recipe = Recipe::new(args.settings.over(&base))?;
    let tokenizer = || origin.as_ref().map(Origin::tokenizer).transpose();
    let (device, dataset) = open(&recipe, tokenizer)?;
    let recipe = settle_schedule(recipe, &dataset, &args.settings)?;
    let plan = Plan::new(&recipe, &dataset)?;
    announce(&plan)?;
    // Loaded before the run is created: if loading fails, no directory is left behind.
    let given =
        origin.as_ref().map(|origin| origin.model(recipe.context(), &device, recipe.ops)).transpose()?;
    let trainer = || match given {
        Some(model) => Trainer::start_from(&recipe, &dataset, model, args.init.clone()),
        None => Trainer::start(&recipe, &dataset, &device),
    };
    if args.dry_run {
        return end_dry_run(args, &plan, &trainer()?.estimate()?);
    }
    let out = match &args.out {
        Some(out) => out.clone(),
        None => RunDir::numbered(&recipe.act().file_name())?,
    };
    if args.force {
        let inputs =
            Inputs::default().path("--init", args.init.as_ref()).path("--model", args.model.as_ref());
        inputs.settings(recipe.settings()).refuse_inside(&out)?;
    }
    let run = RunDir::create(&out, args.force)?;
    finish(args, TrainingRun::new(trainer()?, run.clone()), &dataset, &run)
}

fn resume(args: &TrainArgs, path: &Path) -> Result<()> {
    let run = RunDir::open(path)?;
    let Some(checkpoint) = run.checkpoint(LAST) else {
        bail_input!(
            "{} has no checkpoint to resume from; train it anew with --out and --force",
            path.display()
        )
    };
    // Before reading the checkpoint: another process that trains this run may prune it.
    let run = if args.dry_run { run } else { run.locked()? };
    let saved = load_trainer(&checkpoint)?;
    let named = run.pointed_by(path);
    if named.is_some_and(|named| named.canonicalize().ok() != checkpoint.canonicalize().ok()) {
        bail_input!(
            "{} isn't the last checkpoint of its run; runs resume from the last one, {}",
            path.display(),
            checkpoint.display()
        );
    }
    let file = checkpoint.join("trainer.json");
    saved.settings.check().map_err(|error| input_error!("{}: {error}", file.display()))?;
    refuse_changes(&args.settings, &saved.settings)?;
    let places = Places::of(&saved, &checkpoint);
    let find = |own: &Option<String>, text: &Option<String>, flag| match (own, text) {
        (None, Some(text)) => places.find(text, flag).map(Some),
        (own, _) => Ok(own.clone()),
    };
    let recipe = Recipe::new(Settings {
        data: find(&args.settings.data, &saved.settings.data, "--data")?,
        val_data: find(&args.settings.val_data, &saved.settings.val_data, "--val-data")?,
        ..args.settings.over(&saved.settings)
    })?;
    let (device, dataset) = open(&recipe, || load_tokenizer(&checkpoint).map(Some))?;
    note!("resuming {} at step {}", run.path().display(), saved.step);
    let plan = Plan { first_step: saved.step, ..Plan::new(&recipe, &dataset)? };
    announce(&plan)?;
    let mut training = TrainingRun::resume(&recipe, &dataset, run.clone(), &device)?;
    training.notes.iter().for_each(|note| note!("{note}"));
    if args.dry_run {
        return end_dry_run(args, &plan, &training.trainer().estimate()?);
    }
    finish(args, training, &dataset, &run)
}

/// Starts the threads, opens the device and reads the text, with a given tokenizer or one of its own.
fn open(recipe: &Recipe, tokenizer: impl FnOnce() -> Result<Option<Tokenizer>>) -> Result<(Device, Dataset)> {
    set_threads(recipe.threads)?;
    let device = recipe.device.open()?;
    let dataset = match tokenizer()? {
        Some(tokenizer) => Dataset::load_with(recipe, tokenizer)?,
        None => Dataset::load(recipe)?,
    };
    show_notes(&dataset);
    Ok((device, dataset))
}

/// Prints remarks on how the text was read.
pub fn show_notes(dataset: &Dataset) {
    dataset.notes.iter().for_each(|note| note!("{note}"));
}

/// Prints the plan. Refuses one that needs too much memory.
fn announce(plan: &Plan) -> Result<()> {
    show_plan(plan);
    warn_of_trouble(plan.config.act);
    memory::check(plan.memory)
}

/// Warns of a formula that training may run into the ground.
pub fn warn_of_trouble(act: Activation) {
    if let Some(trouble) = act.trouble() {
        note!("warning: {act} has {trouble}; training may diverge");
    }
}

fn end_dry_run(args: &TrainArgs, plan: &Plan, estimate: &Estimate) -> Result<()> {
    show_estimate(estimate);
    if args.json { print_record(&run_json(plan, estimate)) } else { Ok(()) }
}

/// Refuses flags that would train differently from the steps already done.
fn refuse_changes(flags: &Settings, saved: &Settings) -> Result<()> {
    let (before, known) = (Recipe::new(saved.clone())?, saved.to_map());
    for (name, value) in flags.to_map() {
        let flag: Settings = serde_json::from_value(Map::from_iter([(name.clone(), value.clone())]).into())?;
        if !Recipe::new(flag.over(saved))?.trains_like(&before) {
            let before = known.get(&name).map_or("the default".to_string(), Value::to_string);
            bail_input!(
                "--{name} is {value}, but the run began with {before}, and resuming can't change it; leave --{name} out"
            );
        }
    }
    Ok(())
}

fn finish(args: &TrainArgs, mut training: TrainingRun, dataset: &Dataset, run: &RunDir) -> Result<()> {
    signals::listen();
    training.samples = !args.json;
    let mut train = || -> Result<()> {
        let outcome = training.train(&mut Progress::new())?;
        if args.json {
            return print_record(&outcome);
        }
        summarize(&outcome, run, &training.model().config)?;
        say!("\na sample:")?;
        prose!("{}", escape_controls(training.trainer().sample(240)?.trim_matches('\n')))?;
        if let Ok(Source::Tales(tales)) = dataset.name.parse() {
            quiz(training.model(), dataset, &tales)?;
        }
        Ok(say!("\nnext: tinygpt generate --checkpoint {}", shell_word(&shown(run.path())))?)
    };
    train().map_err(|error| if_interrupted(error, || saved(run)))
}

/// The message of an interruption.
fn saved(run: &RunDir) -> String {
    let path = shell_word(&shown(run.path()));
    match run.checkpoint(LAST).and_then(|checkpoint| load_trainer(&checkpoint).ok()) {
        Some(state) if state.step >= state.steps => {
            format!("Interrupted. The finished run is saved in {path}.")
        }
        Some(state) => resume_with(
            &format!("Step {} of {} is saved.", grouped(state.step), grouped(state.steps)),
            &format!("tinygpt train --resume {path}"),
        ),
        None => "Interrupted before the first checkpoint: nothing was saved.".to_string(),
    }
}

fn summarize(outcome: &Outcome, run: &RunDir, config: &ModelConfig) -> Result<()> {
    let Outcome { act, val_loss, val_perplexity, steps, tokens_per_second, .. } = outcome;
    let bits = bits_per_byte(outcome.bits_per_byte);
    prose!(
        "{act}: validation loss {val_loss:.4}, perplexity {val_perplexity:.3}{bits} after {steps} steps at {tokens_per_second:.0} tokens/s"
    )?;
    let elsewhere = match loads_in(config.backbone, config.act) {
        Ok(_) => "its best/ and last/ load in transformers too".to_string(),
        Err(why) => format!("it loads only in tinygpt: {why}"),
    };
    Ok(prose!("saved {} ({elsewhere})", shown(run.path()))?)
}

/// Asks the model for three facts of the tales and marks its answers.
fn quiz(model: &Model, dataset: &Dataset, tales: &Tales) -> Result<()> {
    say!("\nwhat it knows of the tales:")?;
    for question in questions(&tales.grammar()?, 1, 3) {
        let (answer, right) = answer(model, &dataset.tokenizer, &question)?;
        let mark = if right { "right".to_string() } else { format!("wrong: {}", question.answer) };
        say!("  {} ... {}  ({mark})", question.prompt, escape_controls(&answer))?;
    }
    Ok(())
}
