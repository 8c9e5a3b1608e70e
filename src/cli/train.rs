//! `tinygpt train`, and `tinygpt` alone.

use super::ending::{if_interrupted, resume_with};
use super::origin::Origin;
use super::progress::{Progress, show_plan};
use super::text::{grouped, scaled, shell_word, shown};
use crate::bail_input;
use crate::checkpoint::{load_tokenizer, load_trainer, loads_in};
use crate::data::{Dataset, Source, Tales, questions};
use crate::failure::escape_controls;
use crate::generate::{Limits, Sampler, Sampling, generate};
use crate::inspect::answer;
use crate::model::{Gpt, training_bytes};
use crate::run::{BEST, LAST, RunDir, signals};
use crate::settings::{ModelConfig, Recipe, Settings};
use crate::train::{Outcome, Session};
use anyhow::Result;
use clap::Args;
use std::path::{Path, PathBuf};

#[derive(Args)]
#[command(after_help = "Example: tinygpt train --model shakespeare-char --act swiglu --data shakespeare.txt")]
pub struct TrainArgs {
    /// Preset to start from: default, shakespeare-char, small-10m, stories260k, gpt2, or a .toml file
    #[arg(long, value_name = "NAME|FILE", help_heading = "Model")]
    model: Option<String>,
    /// Fine-tune this checkpoint: a directory of this program or of transformers, or hf:OWNER/NAME[@REVISION].
    /// The model's shape and the tokenizer are its own; --context may be shorter [--lr: 1e-4]
    #[arg(long, value_name = "DIR|hf:REPO", conflicts_with = "model", help_heading = "Model")]
    init: Option<String>,
    #[command(flatten)]
    settings: Settings,
    /// Directory of the run [default: runs/<act>]
    #[arg(long, value_name = "DIR", help_heading = "Run")]
    out: Option<PathBuf>,
    /// Go on with the run in this directory, with its own settings
    #[arg(long, value_name = "DIR", conflicts_with_all = ["out", "model", "init", "force"], help_heading = "Run")]
    resume: Option<PathBuf>,
    /// Replace a run that is in the way
    #[arg(long, help_heading = "Run")]
    force: bool,
    /// Print what would run, then stop
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
    super::set_threads(recipe.threads)?;
    let device = recipe.device.open()?;
    let dataset = match &origin {
        Some(origin) => Dataset::load_with(&recipe, origin.tokenizer()?)?,
        None => Dataset::load(&recipe)?,
    };
    show_notes(&dataset);
    check_memory(&recipe, &dataset)?;
    // Read before there is a run: what cannot be read leaves none behind.
    let given =
        origin.as_ref().map(|origin| origin.model(recipe.context(), &device, recipe.ops)).transpose()?;
    let session = |run| match given {
        Some(model) => Session::start_from(&recipe, &dataset, run, model, args.init.clone()),
        None => Session::start(&recipe, &dataset, run, &device),
    };
    if args.dry_run {
        let nowhere = tempfile::tempdir()?;
        let run = RunDir::create(nowhere.path(), false)?;
        show_plan(&session(run)?.plan()?);
        return Ok(());
    }
    let out = args.out.clone().unwrap_or_else(|| RunDir::free_name(&recipe.act().name().replace(':', "-")));
    let run = RunDir::create(&out, args.force)?;
    finish(args, session(run.clone())?, &dataset, &run)
}

fn resume(args: &TrainArgs, path: &Path) -> Result<()> {
    let run = RunDir::open(path)?;
    let Some(checkpoint) = run.checkpoint(LAST) else {
        bail_input!("{} holds no checkpoint", path.display())
    };
    let saved = load_trainer(&checkpoint)?;
    if path.join("config.json").is_file() && path.canonicalize().ok() != checkpoint.canonicalize().ok() {
        bail_input!(
            "{} is not the last checkpoint of its run, {} is: a run goes on from its last one",
            path.display(),
            checkpoint.display()
        );
    }
    refuse_changes(&args.settings, &saved.settings)?;
    let recipe = Recipe::new(args.settings.over(&saved.settings))?;
    super::set_threads(recipe.threads)?;
    let device = recipe.device.open()?;
    let dataset = Dataset::load_with(&recipe, load_tokenizer(&checkpoint)?)?;
    show_notes(&dataset);
    note!("resuming {} at step {}", run.path().display(), saved.step);
    let run = if args.dry_run { run } else { run.locked()? };
    let mut session = Session::resume(&recipe, &dataset, run.clone(), &device)?;
    if let Some(note) = &session.note {
        note!("{note}");
    }
    if args.dry_run {
        show_plan(&session.plan()?);
        return Ok(());
    }
    finish(args, session, &dataset, &run)
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

fn finish(args: &TrainArgs, mut session: Session, dataset: &Dataset, run: &RunDir) -> Result<()> {
    signals::listen();
    session.samples = !args.json;
    train(args, &mut session, dataset, run).map_err(|error| if_interrupted(error, || saved(run)))
}

fn train(args: &TrainArgs, session: &mut Session, dataset: &Dataset, run: &RunDir) -> Result<()> {
    let outcome = session.train(&mut Progress::new())?;
    if args.json {
        say!("{}", serde_json::to_string(&outcome)?)?;
        return Ok(());
    }
    summarize(&outcome, run, &session.model().config)?;
    sample(session.model(), dataset)?;
    if let Ok(Source::Tales(tales)) = dataset.name.parse() {
        quiz(session.model(), dataset, &tales)?;
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

/// Refuses a run that cannot fit, before it takes the memory.
pub(super) fn check_memory(recipe: &Recipe, dataset: &Dataset) -> Result<()> {
    let config = recipe.model(dataset.tokenizer.vocab_size())?;
    let needed = training_bytes(&config, recipe.training.batch_size, recipe.ops);
    match available_memory() {
        Some(available) if needed > 1.5 * available => bail_input!(
            "this needs about {}B of memory, and {}B are free: try a smaller --batch-size, --context, --dim or --layers",
            scaled(needed),
            scaled(available)
        ),
        _ => Ok(()),
    }
}

/// Bytes that can be had without swapping, where the system says.
fn available_memory() -> Option<f64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    Some(line.trim().trim_end_matches("kB").trim().parse::<f64>().ok()? * 1024.0)
}

/// How the text was read, where that is not plain.
fn show_notes(dataset: &Dataset) {
    for note in &dataset.notes {
        note!("{}: {note}", dataset.name);
    }
}

fn summarize(outcome: &Outcome, run: &RunDir, config: &ModelConfig) -> Result<()> {
    prose!(
        "{}: validation loss {:.4}, perplexity {:.3}, {:.4} bits per byte after {} steps at {:.0} tokens/s",
        outcome.act,
        outcome.val_loss,
        outcome.val_perplexity,
        outcome.bits_per_byte,
        outcome.steps,
        outcome.tokens_per_second
    )?;
    let elsewhere = match loads_in(config.backbone, config.act) {
        Ok(_) => "its best/ and last/ load in transformers too".to_string(),
        Err(why) => format!("it loads here alone: {why}"),
    };
    prose!("saved {} ({elsewhere})", shown(run.path()))?;
    let best = shell_word(&shown(&run.path().join(BEST)));
    // What only training needs stays here: it is large, and names files of this machine.
    say!("share it: hf upload OWNER/NAME {best} . --exclude optimizer.safetensors --exclude trainer.json")?;
    Ok(())
}

/// A short text from the model that was just trained.
fn sample(model: &Gpt, dataset: &Dataset) -> Result<()> {
    let limits = Limits { max_tokens: 240, stop: Vec::new() };
    let mut sampler = Sampler::new(Sampling::DEFAULT, 0);
    say!("\na sample:")?;
    let sample = generate(model, &dataset.tokenizer, "\n", &mut sampler, &limits, |_| Ok(()))?;
    prose!("{}", escape_controls(sample.text.trim_matches('\n')))?;
    Ok(())
}

/// Three facts of the tales, asked and marked.
fn quiz(model: &Gpt, dataset: &Dataset, tales: &Tales) -> Result<()> {
    say!("\nwhat it knows of the tales:")?;
    for question in questions(&tales.grammar()?, 1, 3) {
        let (answer, right) = answer(model, &dataset.tokenizer, &question)?;
        let mark = if right { "right".to_string() } else { format!("wrong: {}", question.answer) };
        say!("  {} ... {}  ({mark})", question.prompt, escape_controls(&answer))?;
    }
    Ok(())
}
