//! `tinygpt train`, and `tinygpt` alone.

use super::ending::{if_interrupted, resume_with};
use super::origin::Origin;
use super::outputs::Inputs;
use super::own_text::Places;
use super::plan_records::PlanRecord;
use super::progress::{Progress, bits_per_byte, show_estimate, show_plan};
use super::signals;
use super::text::{grouped, shell_word, shown};
use super::threads::set_threads;
use crate::data::{Dataset, Source, Tales, questions};
use crate::generate::{Limits, Sampler, Sampling, generate};
use crate::lab::inspect::answer;
use crate::model::Model;
use crate::run::checkpoint::{load_tokenizer, load_trainer, loads_in};
use crate::run::{LAST, RunDir};
use crate::settings::{ModelConfig, Recipe, Settings, preset_name};
use crate::support::failure::escape_controls;
use crate::support::memory;
use crate::support::record;
use crate::train::{Estimate, Outcome, Plan, Trainer, TrainingRun, settle_schedule};
use crate::{bail_input, input_error};
use anyhow::Result;
use clap::Args;
use std::path::{Path, PathBuf};

#[derive(Args)]
#[command(after_help = "Example: tinygpt train --model shakespeare-char --act swiglu --data shakespeare.txt")]
pub struct TrainArgs {
    /// Preset to start from, or a .toml file of yours with the same keys as these flags [default: default]
    #[arg(long, value_name = "NAME|FILE", value_parser = preset_name(), help_heading = "Model")]
    model: Option<String>,
    /// Fine-tune this checkpoint: a directory of this program or of transformers, or hf:OWNER/NAME[@REVISION].
    /// The model's shape and the tokenizer are its own; --context may be shorter
    #[arg(long, value_name = "DIR|hf:REPO", conflicts_with = "model", help_heading = "Model")]
    init: Option<String>,
    #[command(flatten)]
    settings: Settings,
    /// Directory of the run, new or empty [default: runs/<act>, runs/<act>-2, ...]
    #[arg(long, value_name = "DIR", help_heading = "Run")]
    out: Option<PathBuf>,
    /// Go on with the run in this directory, with its own settings
    #[arg(long, value_name = "DIR", conflicts_with_all = ["out", "model", "init", "force"], help_heading = "Run")]
    resume: Option<PathBuf>,
    /// Replace the run in --out, and files in the way that tinygpt didn't write
    #[arg(long, help_heading = "Run")]
    force: bool,
    /// Print what would run, then stop; with --json as an object
    #[arg(long, help_heading = "Run")]
    dry_run: bool,
    /// Print one JSON object on the last line
    #[arg(long, help_heading = "Run")]
    json: bool,
}

/// Settings that may change when a run is resumed: none of them touches what was done already.
const MAY_CHANGE: &[&str] = &[
    "steps",
    "epochs",
    "eval-every",
    "save-every",
    "keep",
    "skip-bad-steps",
    "data",
    "val-data",
    "threads",
    "ops",
    "device",
];

pub fn run(args: &TrainArgs) -> Result<()> {
    signals::await_requests()?;
    match &args.resume {
        Some(path) => resume(args, path),
        None => start(args),
    }
}

fn start(args: &TrainArgs) -> Result<()> {
    let origin = args.init.as_deref().map(|name| Origin::open(name, &args.settings)).transpose()?;
    let preset = match &origin {
        Some(origin) => origin.settings.over(&Settings::fine_tuning()?),
        None => Settings::preset(args.model.as_deref().unwrap_or("default"))?,
    };
    let recipe = Recipe::new(args.settings.over(&preset))?;
    set_threads(recipe.threads)?;
    let device = recipe.device.open()?;
    let dataset = match &origin {
        Some(origin) => Dataset::load_with(&recipe, origin.tokenizer()?)?,
        None => Dataset::load(&recipe)?,
    };
    show_notes(&dataset);
    let recipe = settle_schedule(recipe, &dataset, &args.settings)?;
    let plan = Plan::new(&recipe, &dataset)?;
    show_plan(&plan);
    memory::check(plan.memory)?;
    // Read before there is a run: what cannot be read leaves none behind.
    let given =
        origin.as_ref().map(|origin| origin.model(recipe.context(), &device, recipe.ops)).transpose()?;
    let trainer = || match given {
        Some(model) => Trainer::start_from(&recipe, &dataset, model, args.init.clone()),
        None => Trainer::start(&recipe, &dataset, &device),
    };
    if args.dry_run {
        return tell_estimate(args, &plan, &trainer()?.estimate()?);
    }
    let out = match &args.out {
        Some(out) => out.clone(),
        None => RunDir::numbered(&recipe.act().name().replace(':', "-"))?,
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
        bail_input!("{} holds no checkpoint", path.display())
    };
    let saved = load_trainer(&checkpoint)?;
    let named = run.pointed_by(path);
    if named.is_some_and(|named| named.canonicalize().ok() != checkpoint.canonicalize().ok()) {
        bail_input!(
            "{} is not the last checkpoint of its run, {} is: a run goes on from its last one",
            path.display(),
            checkpoint.display()
        );
    }
    let file = checkpoint.join("trainer.json");
    saved.settings.check().map_err(|error| input_error!("{}: {error}", file.display()))?;
    refuse_changes(&args.settings, &saved.settings)?;
    let places = Places::of(&saved, &checkpoint);
    let find = |text: &Option<String>, flag| text.as_ref().map(|text| places.find(text, flag)).transpose();
    let mut settings = args.settings.over(&saved.settings);
    if args.settings.data.is_none() {
        settings.data = find(&saved.settings.data, "--data")?;
    }
    if args.settings.val_data.is_none() {
        settings.val_data = find(&saved.settings.val_data, "--val-data")?;
    }
    let recipe = Recipe::new(settings)?;
    set_threads(recipe.threads)?;
    let device = recipe.device.open()?;
    let dataset = Dataset::load_with(&recipe, load_tokenizer(&checkpoint)?)?;
    show_notes(&dataset);
    note!("resuming {} at step {}", run.path().display(), saved.step);
    let run = if args.dry_run { run } else { run.locked()? };
    let plan = Plan { first_step: saved.step, ..Plan::new(&recipe, &dataset)? };
    show_plan(&plan);
    memory::check(plan.memory)?;
    let mut training = TrainingRun::resume(&recipe, &dataset, run.clone(), &device)?;
    for note in &training.notes {
        note!("{note}");
    }
    if args.dry_run {
        return tell_estimate(args, &plan, &training.trainer().estimate()?);
    }
    finish(args, training, &dataset, &run)
}

fn tell_estimate(args: &TrainArgs, plan: &Plan, estimate: &Estimate) -> Result<()> {
    show_estimate(estimate);
    if args.json {
        say!("{}", record::line(&PlanRecord::new(plan, estimate))?)?;
    }
    Ok(())
}

fn refuse_changes(flags: &Settings, saved: &Settings) -> Result<()> {
    let before = Recipe::new(saved.clone())?;
    let said = saved.to_map();
    for (name, value) in flags.to_map() {
        let flag = serde_json::Map::from_iter([(name.clone(), value.clone())]);
        let after = Recipe::new(serde_json::from_value::<Settings>(flag.into())?.over(saved))?;
        if !MAY_CHANGE.contains(&name.as_str()) && !after.trains_like(&before) {
            let before = said.get(&name).map_or("its default".to_string(), ToString::to_string);
            bail_input!("--{name} is {value}, but the run began with {before}; resuming cannot change it");
        }
    }
    Ok(())
}

fn finish(args: &TrainArgs, mut training: TrainingRun, dataset: &Dataset, run: &RunDir) -> Result<()> {
    signals::listen();
    training.samples = !args.json;
    train(args, &mut training, dataset, run).map_err(|error| if_interrupted(error, || saved(run)))
}

fn train(args: &TrainArgs, training: &mut TrainingRun, dataset: &Dataset, run: &RunDir) -> Result<()> {
    let outcome = training.train(&mut Progress::new())?;
    if args.json {
        say!("{}", record::line(&outcome)?)?;
        return Ok(());
    }
    summarize(&outcome, run, &training.model().config)?;
    sample(training.model(), dataset)?;
    if let Ok(Source::Tales(tales)) = dataset.name.parse() {
        quiz(training.model(), dataset, &tales)?;
    }
    say!("\nnext: tinygpt generate --checkpoint {}", shell_word(&shown(run.path())))?;
    Ok(())
}

/// What an interruption leaves of a run.
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

/// How the text was read, where that is not plain.
pub fn show_notes(dataset: &Dataset) {
    for note in &dataset.notes {
        note!("{note}");
    }
}

fn summarize(outcome: &Outcome, run: &RunDir, config: &ModelConfig) -> Result<()> {
    prose!(
        "{}: validation loss {:.4}, perplexity {:.3}{} after {} steps at {:.0} tokens/s",
        outcome.act,
        outcome.val_loss,
        outcome.val_perplexity,
        bits_per_byte(outcome.bits_per_byte),
        outcome.steps,
        outcome.tokens_per_second
    )?;
    let elsewhere = match loads_in(config.backbone, config.act) {
        Ok(_) => "its best/ and last/ load in transformers too".to_string(),
        Err(why) => format!("it loads here alone: {why}"),
    };
    prose!("saved {} ({elsewhere})", shown(run.path()))?;
    Ok(())
}

/// A short text from the model that was just trained.
fn sample(model: &Model, dataset: &Dataset) -> Result<()> {
    let limits = Limits { max_tokens: 240, stop: Vec::new() };
    let mut sampler = Sampler::new(Sampling::DEFAULT, 0);
    say!("\na sample:")?;
    let mut poll = |_: &str| signals::check("while writing a sample");
    let sample = generate(
        model,
        &dataset.tokenizer,
        "
",
        &mut sampler,
        &limits,
        &mut poll,
    )?;
    prose!("{}", escape_controls(sample.text.trim_matches('\n')))?;
    Ok(())
}

/// Three facts of the tales, asked and marked.
fn quiz(model: &Model, dataset: &Dataset, tales: &Tales) -> Result<()> {
    say!("\nwhat it knows of the tales:")?;
    for question in questions(&tales.grammar()?, 1, 3) {
        let (answer, right) = answer(model, &dataset.tokenizer, &question)?;
        let mark = if right { "right".to_string() } else { format!("wrong: {}", question.answer) };
        say!("  {} ... {}  ({mark})", question.prompt, escape_controls(&answer))?;
    }
    Ok(())
}
