//! `tinygpt inspect`

mod args;
mod pictures;
mod show;

use super::own_text::TestText;
use super::progress::Counted;
use super::text::shown;
use super::threads::set_threads;
use crate::data::{Batches, Corpus, Dataset, Tokenizer, check_ids};
use crate::lab::inspect::{Inspection, Lens, Setting, Shapes, fresh_models, inspect, lens};
use crate::model::{Model, training_bytes};
use crate::report::Findings;
use crate::run::checkpoint::{load_model, load_tokenizer};
use crate::run::{find_checkpoint, newest_checkpoint};
use crate::settings::{Ops, Recipe, Settings, TokenizerKind};
use crate::support::memory;
use crate::support::record;
use crate::{bail_input, input_error};
use anyhow::Result;
pub use args::InspectArgs;
use serde::Serialize;
use std::path::Path;

const TOKENS: usize = 20_000;
const UNITS: usize = 5;
const TOP: usize = 5;
/// Tokens whose loss is differentiated, about: the norms of its gradients need no more.
const GRADIENT_TOKENS: usize = 512;

pub fn run(args: &InspectArgs) -> Result<()> {
    pictures::check(args)?;
    match (&args.model, args.init_only) {
        (_, true) => fresh(args),
        (Some(model), false) => shapes(args, model),
        (None, false) => trained(args),
    }
}

fn shapes(args: &InspectArgs, model: &str) -> Result<()> {
    if args.data.is_some() {
        bail_input!(
            "--data names a text, and shapes are counted without one; leave it out, or add --init-only"
        );
    }
    let recipe = args.recipe(None)?;
    let (vocabulary, whose) = vocabulary(args.vocab_size, &recipe)?;
    let found = Shapes::of(&recipe.model(vocabulary)?);
    pictures::write(args, &Findings { subject: model, shapes: Some(&found), ..Findings::default() })?;
    if args.json {
        return say_json(Described { model, vocabulary: &whose }, &found);
    }
    show::shapes(model, &whose, &found, &args.wide)
}

/// How many tokens a model of this recipe knows, and by which tokenizer.
fn vocabulary(said: Option<usize>, recipe: &Recipe) -> Result<(usize, String)> {
    match (said, &recipe.tokenizer) {
        (Some(size), _) => Ok((size, "by --vocab-size".to_string())),
        (None, TokenizerKind::Bpe(size)) => {
            Ok((*size, format!("of the preset's tokenizer, {}", recipe.tokenizer)))
        }
        (None, kind) => {
            let hint =
                |error| input_error!("the vocabulary is unknown: {error:#}; name its size by --vocab-size");
            let corpus = Corpus::load(&recipe.data, None, recipe.encoding).map_err(hint)?;
            let tokenizer = Tokenizer::train(kind, &corpus.train).map_err(hint)?;
            let whose = format!("of the preset's tokenizer, {kind}, on its text, {}", corpus.name);
            Ok((tokenizer.vocab_size(), whose))
        }
    }
}

fn trained(args: &InspectArgs) -> Result<()> {
    set_threads(args.threads)?;
    let checkpoint = match &args.checkpoint {
        Some(path) => find_checkpoint(path)?,
        None => newest_checkpoint()?,
    };
    // The composition can be watched, the kernels cannot.
    let model = load_model(&checkpoint, &args.device.open()?, Ops::Plain)?;
    let tokenizer = load_tokenizer(&checkpoint)?;
    let lens = args.prompt.as_ref().map(|prompt| look(args, &model, &tokenizer, prompt)).transpose()?;
    // A prompt by itself is answered at once.
    let asked = args.data.is_some() || args.tokens.is_some() || args.units.is_some();
    let (name, survey) = if lens.is_none() || asked || args.html.is_some() || args.plot.is_some() {
        let (name, survey) = survey(args, &checkpoint, &model, &tokenizer)?;
        (Some(name), Some(survey))
    } else {
        (None, None)
    };
    let shapes = Shapes::of(&model.config);
    let subject = checkpoint.display().to_string();
    let findings = Findings {
        subject: &subject,
        data: name.as_deref(),
        shapes: Some(&shapes),
        survey: survey.as_ref(),
        lens: lens.as_ref(),
        ..Findings::default()
    };
    pictures::write(args, &findings)?;
    if args.json {
        let place = Place { checkpoint: &checkpoint, data: name.as_deref(), prompt: lens.as_ref() };
        return match &survey {
            Some(survey) => say_json(place, survey),
            None => say_json(place, &shapes),
        };
    }
    prose!("checkpoint     {}", shown(&checkpoint))?;
    if let (Some(name), Some(survey)) = (&name, &survey) {
        show::trained(name, survey, &args.wide)?;
    }
    if let Some(lens) = &lens {
        show::prompt(lens, &args.wide)?;
    }
    Ok(())
}

fn look(args: &InspectArgs, model: &Model, tokenizer: &Tokenizer, prompt: &str) -> Result<Lens> {
    let ids = tokenizer.encode_prompt(prompt)?;
    check_ids(&ids, model.config.vocab_size)?;
    lens(model, tokenizer, &ids, args.top.unwrap_or(TOP))
}

/// Reads the text that is named, or the checkpoint's own; answers with its name, too.
fn survey(
    args: &InspectArgs,
    checkpoint: &Path,
    model: &Model,
    tokenizer: &Tokenizer,
) -> Result<(String, Inspection)> {
    let text = TestText::read(args.data.as_deref(), args.encoding, checkpoint, tokenizer)?;
    check_ids(&text.tokens, model.config.vocab_size)?;
    let most = (args.tokens.unwrap_or(TOKENS), args.units.unwrap_or(UNITS));
    let mut progress = Counted::new("inspecting, tokens");
    let found = inspect(model, tokenizer, &text.tokens, most, &mut |done, all| progress.follow(done, all))?;
    Ok((text.name, found))
}

impl InspectArgs {
    fn depths(&self) -> Vec<usize> {
        let mut depths = self.layers.to_vec();
        depths.sort_unstable();
        depths
    }

    /// The preset with the flags over it, as many layers deep, or as the preset says.
    fn recipe(&self, layers: Option<usize>) -> Result<Recipe> {
        let flags = Settings {
            backbone: self.backbone,
            dim: self.dim,
            heads: self.heads,
            context: self.context,
            seed: self.seed,
            data: self.data.clone(),
            encoding: self.encoding,
            layers,
            ops: Some(Ops::Plain),
            ..Settings::default()
        };
        let preset = Settings::preset(self.model.as_deref().unwrap_or("default"))?;
        Recipe::new(flags.over(&preset))
    }
}

fn fresh(args: &InspectArgs) -> Result<()> {
    let recipe = args.recipe(args.depths().last().copied())?;
    // The first sequences of the first batch are the same in a batch of any size.
    let batch_size = Some(GRADIENT_TOKENS.div_ceil(recipe.context()));
    let recipe = recipe.with(&Settings { batch_size, ..Settings::default() })?;
    let mut variants = Vec::new();
    for &act in args.acts.iter() {
        for layers in args.depths() {
            let flags = Settings { act: Some(act), layers: Some(layers), ..Settings::default() };
            variants.push(recipe.with(&flags)?);
        }
    }
    set_threads(args.threads)?;
    let dataset = Dataset::load(&recipe)?;
    memory::check(training_bytes(
        &recipe.model(dataset.tokenizer.vocab_size())?,
        recipe.training.batch_size,
        recipe.ops,
    ))?;
    let training = &recipe.training;
    let batch = Batches::new(&dataset.train, recipe.context(), training.batch_size, training.seed)?.get(0);
    let vocabulary = dataset.tokenizer.vocab_size();
    let configs = variants.iter().map(|variant| variant.model(vocabulary)).collect::<Result<Vec<_>>>()?;
    let setting = if args.no_residual { Setting::Stack } else { Setting::Model };
    let mut progress = Counted::new("differentiating, layers");
    let found =
        fresh_models(&configs, &batch, training.seed, setting, &mut |done, all| progress.follow(done, all))?;
    drop(progress);
    let findings = Findings { data: Some(&dataset.name), fresh: Some(&found), ..Findings::default() };
    pictures::write(args, &findings)?;
    if args.json {
        return say_json(Text { data: &dataset.name }, &found);
    }
    show::fresh(&dataset.name, &found, &args.wide)
}

/// What `--json` prints: what was found, behind what it was found in.
#[derive(Serialize)]
struct Found<Subject, Findings> {
    #[serde(flatten)]
    subject: Subject,
    #[serde(flatten)]
    found: Findings,
}

/// A model that isn't built.
#[derive(Serialize)]
struct Described<'a> {
    model: &'a str,
    vocabulary: &'a str,
}

#[derive(Serialize)]
struct Place<'a> {
    checkpoint: &'a Path,
    /// The text that the survey is of.
    data: Option<&'a str>,
    prompt: Option<&'a Lens>,
}

#[derive(Serialize)]
struct Text<'a> {
    data: &'a str,
}

fn say_json(subject: impl Serialize, found: &impl Serialize) -> Result<()> {
    say!("{}", record::line(&Found { subject, found })?)?;
    Ok(())
}
