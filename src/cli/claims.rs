//! `tinygpt claims`

use super::ending::{if_interrupted, resume_with};
use super::progress::Progress;
use super::report::write_charts;
use super::text::{arguments_without, command_line, command_of, duration};
use super::time_left::Stages;
use crate::claims::{CLAIMS, Claim, Entry, Lab};
use crate::files::replace;
use crate::report::{Language, claims_charts, claims_markdown, claims_page};
use crate::run::signals;
use crate::settings::{Length, Recipe, Settings};
use crate::train::Watcher;
use crate::{bail_input, input_error};
use anyhow::Result;
use clap::Args;
use serde_json::json;
use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::rc::Rc;

#[derive(Args)]
#[command(after_help = "\
Example: tinygpt claims --lang ja
         tinygpt claims --only saturation,knowledge")]
pub struct ClaimsArgs {
    /// Directory for the models, claims.html and claims.md; what is there is used again
    #[arg(long, value_name = "DIR", default_value = "runs/claims")]
    out: PathBuf,
    /// Language of what is printed and written
    #[arg(long, value_name = "LANG", default_value = "en")]
    lang: Language,
    /// Claims to measure, by name, separated by commas, written to files of their own [default: all]
    #[arg(long, value_name = "A,B,C", value_delimiter = ',')]
    only: Vec<String>,
    /// Take longer: more seeds, deeper models, longer training, and how many facts a parameter holds
    #[arg(long)]
    deep: bool,
    /// Steps that each model is trained for [default: those of the default preset]
    #[arg(long, value_name = "N")]
    steps: Option<usize>,
    /// Seed of initial weights and batches; further seeds count up from it
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Threads to compute with [default: all cores]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Write the figures as SVG and PNG to a directory
    #[arg(long, value_name = "DIR")]
    plot: Option<PathBuf>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

impl ClaimsArgs {
    fn entries(&self) -> Result<Vec<&'static Entry>> {
        if self.only.is_empty() {
            return Ok(CLAIMS.iter().collect());
        }
        let entry = |name: &String| {
            CLAIMS.iter().find(|entry| entry.name == name).ok_or_else(|| {
                let known: Vec<&str> = CLAIMS.iter().map(|entry| entry.name).collect();
                input_error!("--only: there is no claim '{name}'; known: {}", known.join(", "))
            })
        };
        self.only.iter().map(entry).collect()
    }

    fn recipe(&self) -> Result<Recipe> {
        let flags = Settings {
            steps: self.steps,
            seed: self.seed,
            threads: self.threads,
            // Their losses at the end are all that is asked of them.
            eval_every: Some(0),
            ..Settings::default()
        };
        Recipe::new(flags.over(&Settings::preset("default")?))
    }
}

pub fn run(args: &ClaimsArgs) -> Result<()> {
    let entries = args.entries()?;
    let recipe = args.recipe()?;
    if matches!(recipe.training.length, Length::Steps(1)) {
        bail_input!("--steps is 1; the claims need at least 2");
    }
    super::set_threads(recipe.threads)?;
    check_place(&args.out)?;
    if matches!((recipe.training.length, Settings::preset("default")?.steps), (Length::Steps(own), Some(usual)) if own < usual)
    {
        note!("warning: models that train for fewer steps than usual know little, and so do the verdicts");
    }
    signals::listen();
    let claims = walk(args, &entries, recipe.clone()).map_err(|error| {
        let saved = "Finished models are saved, and so is the one in progress.";
        if_interrupted(error, || resume_with(saved, &command_line()))
    })?;
    let written = write(args, &recipe, &claims)?;
    if let Some(folder) = &args.plot {
        write_charts(folder, &claims_charts(&claims))?;
        note!("wrote {}", folder.display());
    }
    if args.json {
        say!("{}", json!({ "claims": claims }))?;
    } else {
        note!("with every number and figure: {}", written.display());
    }
    Ok(())
}

/// Measures the claims, and prints each as soon as it is judged.
fn walk(args: &ClaimsArgs, entries: &[&Entry], recipe: Recipe) -> Result<Vec<Claim>> {
    let models = args.out.join("models");
    let mut stages = Stages::new(usual_seconds(entries, &recipe)?);
    let (countdown, has_trained) = (Cell::new(stages.begin(0)), Rc::new(Cell::new(false)));
    let follow = |name: &str| {
        let (countdown, has_trained) = (countdown.get(), Rc::clone(&has_trained));
        let label = format!("[{}/{}] {name}", countdown.stage + 1, entries.len());
        let total_left = move |_| {
            has_trained.set(true);
            countdown.seconds()
        };
        Box::new(Progress::labelled(&label).of_several(total_left)) as Box<dyn Watcher>
    };
    let mut lab = Lab::new(&models, recipe, args.deep, &follow);
    let mut claims = Vec::new();
    for (i, entry) in entries.iter().enumerate() {
        signals::check("between two claims")?;
        countdown.set(stages.begin(i));
        let left = duration(countdown.get().seconds());
        note!("[{}/{}] {}: about {left} left in all", i + 1, entries.len(), entry.name);
        let claim = (entry.measure)(&mut lab)?;
        if !args.json {
            show(&claim, args.lang)?;
        }
        claims.push(claim);
        if entry.training > 0.0 && !has_trained.take() {
            stages.measure_from(i + 1);
        }
    }
    Ok(claims)
}

/// Seconds that each claim usually takes, with so many steps.
fn usual_seconds(entries: &[&Entry], recipe: &Recipe) -> Result<Vec<f64>> {
    let share = match (recipe.training.length, Settings::preset("default")?.steps) {
        (Length::Steps(own), Some(usual)) => own as f64 / usual as f64,
        _ => 1.0,
    };
    Ok(entries.iter().map(|entry| share * entry.training + entry.rest).collect())
}

/// Creates the directory; one that holds other things is refused.
fn check_place(out: &Path) -> Result<()> {
    let shown = out.display();
    std::fs::create_dir_all(out).map_err(|error| input_error!("cannot create {shown}: {error}"))?;
    let is_empty = out.read_dir().is_ok_and(|mut entries| entries.next().is_none());
    if !is_empty && !out.join("models").is_dir() {
        bail_input!("{shown} is not empty and holds no claims; name another --out");
    }
    Ok(())
}

/// Writes claims.html and claims.md, and returns where the page is.
fn write(args: &ClaimsArgs, recipe: &Recipe, claims: &[Claim]) -> Result<PathBuf> {
    let command = command_line();
    let only = [("--only", 1), ("--json", 0), ("--plot", 1)];
    let each = command_of(arguments_without(&only));
    let shown = |value: &serde_json::Value| value.as_str().map_or_else(|| value.to_string(), String::from);
    let settings = recipe.settings().to_map();
    let settings = settings.iter().filter(|(name, _)| !["act", "threads", "keep"].contains(&name.as_str()));
    let mut settings: Vec<(String, String)> =
        settings.map(|(name, value)| (name.clone(), shown(value))).collect();
    settings.push(("version".to_string(), env!("CARGO_PKG_VERSION").to_string()));
    // A look at some claims leaves the report of all of them as it is.
    let stem =
        ["claims"].into_iter().chain(args.only.iter().map(String::as_str)).collect::<Vec<_>>().join("-");
    let page = args.out.join(format!("{stem}.html"));
    replace(&page, claims_page(claims, &settings, &command, args.lang).as_bytes())?;
    replace(
        &args.out.join(format!("{stem}.md")),
        claims_markdown(claims, (&command, &each), args.lang).as_bytes(),
    )?;
    Ok(page)
}

/// The verdict, what is claimed, and what was seen.
fn show(claim: &Claim, language: Language) -> Result<()> {
    let text = |said: &crate::claims::Said| language.pick(said.en.clone(), said.ja.clone());
    prose!("{}: {}", text(&claim.verdict.said()), text(&claim.claim))?;
    prose!("    {}\n", text(&claim.answer))?;
    Ok(())
}
