//! `tinygpt claims`

use super::failures::{if_interrupted, resume_with};
use super::outputs::{Inputs, check_folder, write_files};
use super::progress::Progress;
use super::report::{chart_files, common_settings};
use super::text::{arguments_without, command_line, command_of};
use super::threads::set_threads;
use crate::activation::Activation;
use crate::cli::signals;
use crate::lab::claims::{ABOUT_FUNCTIONS, CLAIMS, Claim, Entry, Lab};
use crate::report::claims::{Commands, claims_document};
use crate::report::document::Document;
use crate::report::html::page;
use crate::report::markdown::markdown;
use crate::run::RunDir;
use crate::settings::{LARGEST_SEED, Length, List, MOST_STEPS, MOST_THREADS, Recipe, Settings, within};
use crate::support::files::replace;
use crate::support::mark::is_marked;
use crate::support::owned::{Kind, Owned, Role, entries, lock};
use crate::support::record;
use crate::support::table::typed;
use crate::support::text::{Language, Text};
use crate::train::Watcher;
use crate::{bail_input, input_error};
use anyhow::Result;
use clap::Args;
use serde::Serialize;
use std::cell::Cell;
use std::collections::BTreeSet;
use std::fs::File;
use std::path::{Path, PathBuf};

#[derive(Args)]
#[command(after_help = "\
Example: tinygpt claims --lang ja
         tinygpt claims --only saturation,knowledge")]
pub struct ClaimsArgs {
    /// Directory for the models, claims.html and claims.md
    ///
    /// Models that are in it aren't trained again.
    #[arg(long, value_name = "DIR", default_value = "runs/claims")]
    out: PathBuf,
    /// Language of the output
    #[arg(long, value_name = "LANG", default_value = "en")]
    lang: Language,
    /// Claims to measure, separated by commas [default: all]
    ///
    /// Their report gets files of its own.
    #[arg(long, value_name = "A,B,C")]
    only: Option<List<String>>,
    /// More activations, names or formulas, in the tables of saturation, vanishing, centring and sparsity
    ///
    /// They don't change the verdicts.
    #[arg(long, value_name = "A,B,C", hide_possible_values = true)]
    acts: Option<List<Activation>>,
    /// Use more seeds, deeper models and longer training
    #[arg(long)]
    deep: bool,
    /// Training steps of each model
    #[arg(long, value_name = "N", value_parser = within(2..=MOST_STEPS / 10))]
    steps: Option<usize>,
    /// Seed of the initial weights and batches
    ///
    /// Claims that need several seeds count up from it.
    #[arg(long, value_name = "N", value_parser = within(0..=LARGEST_SEED - 10))]
    seed: Option<u64>,
    /// Threads to compute with [default: all cores]
    #[arg(long, value_name = "N", value_parser = within(1..=MOST_THREADS))]
    threads: Option<usize>,
    /// Also write the figures as SVG to this directory
    #[arg(long, value_name = "DIR")]
    plot: Option<PathBuf>,
    /// Replace files even if tinygpt didn't write them
    #[arg(long, requires = "plot")]
    force: bool,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

/// What the names of pages begin with.
const STEM: &str = "claims";

impl ClaimsArgs {
    fn entries(&self) -> Result<Vec<&'static Entry>> {
        let Some(only) = &self.only else { return Ok(CLAIMS.iter().collect()) };
        let entry = |name: &String| {
            CLAIMS.iter().find(|entry| entry.name == name).ok_or_else(|| {
                let known: Vec<&str> = CLAIMS.iter().map(|entry| entry.name).collect();
                input_error!("--only: there is no claim '{name}'; known: {}", known.join(", "))
            })
        };
        let entries = only.iter().map(entry).collect::<Result<Vec<_>>>()?;
        if self.acts.is_some() && !entries.iter().any(|entry| ABOUT_FUNCTIONS.contains(&entry.name)) {
            bail_input!("--acts: of the claims, only {} take more activations", ABOUT_FUNCTIONS.join(", "));
        }
        Ok(entries)
    }

    /// The name of what is written, without its ending. A look at some claims leaves the report of all of them
    /// as it is.
    fn stem(&self) -> String {
        [STEM]
            .into_iter()
            .chain(self.only.iter().flat_map(|only| only.iter()).map(String::as_str))
            .collect::<Vec<_>>()
            .join("-")
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

/// What `--json` prints.
#[derive(Serialize)]
struct Judged {
    claims: Vec<Claim>,
}

pub fn run(args: &ClaimsArgs) -> Result<()> {
    let entries = args.entries()?;
    let recipe = args.recipe()?;
    set_threads(recipe.threads)?;
    args.plot.as_deref().map_or(Ok(()), |folder| check_folder("--plot", folder))?;
    let _lock = take_place(args)?;
    if matches!((recipe.training.length, Settings::preset("default")?.steps), (Length::Steps(own), Some(usual)) if own < usual)
    {
        note!("warning: models that train for fewer steps than usual know little, and so do the verdicts");
    }
    signals::listen();
    let claims = walk(args, &entries, recipe.clone()).map_err(|error| {
        let saved = "Finished models are saved, and so is the one in progress.";
        if_interrupted(error, || resume_with(saved, &command_line()))
    })?;
    let report = report(&recipe, &claims);
    let written = write(args, &report)?;
    if let Some(folder) = &args.plot {
        let charts = chart_files(report.svgs());
        write_files("--plot", folder, &charts, &Inputs::default(), args.force)?;
        note!("wrote {}", folder.display());
    }
    if args.json {
        say!("{}", record::line(&Judged { claims })?)?;
    } else {
        note!("with every number and figure: {}", written.display());
    }
    Ok(())
}

/// Measures the claims, and prints each as soon as it is judged.
fn walk(args: &ClaimsArgs, entries: &[&Entry], recipe: Recipe) -> Result<Vec<Claim>> {
    let models = args.out.join(MODELS);
    let place = Cell::new(0);
    let follow = |name: &str| {
        Box::new(Progress::labelled(&format!("[{}/{}] {name}", place.get(), entries.len())))
            as Box<dyn Watcher>
    };
    let poll = || signals::check("in the middle of a claim");
    let more = args.acts.as_deref().unwrap_or_default();
    let mut lab = Lab::new(&models, recipe, args.deep, more, &follow, &poll);
    let mut claims = Vec::new();
    for entry in entries {
        signals::check("between two claims")?;
        place.set(place.get() + 1);
        note!("[{}/{}] {}", place.get(), entries.len(), entry.name);
        let claim = entry.measure(&mut lab)?;
        if !args.json {
            show(&claim, args.lang)?;
        }
        claims.push(claim);
    }
    Ok(claims)
}

/// Where the models are.
const MODELS: &str = "models";

const ROLE: Role = Role { kind: Kind::Claims, legacy, writes: is_page };

/// The files of claims by tinygpt 0.1, which wrote no manifest.
fn legacy(path: &Path) -> Option<BTreeSet<String>> {
    let models = path.join(MODELS);
    if !entries(&models).any(|name| RunDir::at(&models.join(name)).is_recognised()) {
        return None;
    }
    // A page of theirs has the Markdown of the same name beside it.
    let is_own = |name: &String| is_page(name) && is_marked(&path.join(name).with_extension("html"));
    Some(entries(path).filter(is_own).chain([MODELS.to_string()]).collect())
}

/// True for the names that claims are written under.
fn is_page(name: &str) -> bool {
    name == MODELS || name.starts_with(STEM) && [".html", ".md"].iter().any(|end| name.ends_with(end))
}

/// Creates the directory and locks it. One that holds other things is refused.
fn take_place(args: &ClaimsArgs) -> Result<File> {
    let (mut owned, lock) = Owned::take(&args.out, &ROLE, false, lock)?;
    let stem = args.stem();
    owned.claim([MODELS.to_string(), format!("{stem}.html"), format!("{stem}.md")], false)?;
    Ok(lock)
}

/// The report, with what reproduces it.
fn report(recipe: &Recipe, claims: &[Claim]) -> Document {
    let settings = common_settings(recipe.settings(), &["act", "threads", "keep"]);
    let one = |name: &str| {
        let mut without = vec![("--only", 1), ("--json", 0), ("--plot", 1)];
        if !ABOUT_FUNCTIONS.contains(&name) {
            without.push(("--acts", 1));
        }
        format!("{} --only {name}", command_of(arguments_without(&without)))
    };
    claims_document(claims, &settings, &Commands { all: &command_line(), one: &one })
}

/// Writes claims.html and claims.md, and returns where the page is.
fn write(args: &ClaimsArgs, report: &Document) -> Result<PathBuf> {
    let stem = args.stem();
    let path = args.out.join(format!("{stem}.html"));
    replace(&path, page(report, args.lang, None).as_bytes())?;
    replace(&args.out.join(format!("{stem}.md")), markdown(report, args.lang).as_bytes())?;
    Ok(path)
}

/// Prints the verdict, the claim, and what was seen.
fn show(claim: &Claim, language: Language) -> Result<()> {
    let text = |text: &Text| typed(&text.to(language));
    prose!("{}: {}", text(&claim.measured.verdict.text()), text(&claim.claim))?;
    prose!("    {}\n", text(&claim.measured.answer))?;
    Ok(())
}
