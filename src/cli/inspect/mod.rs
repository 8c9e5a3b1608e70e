//! `tinygpt inspect`

mod pictures;
mod show;

use super::own_text::TestText;
use super::progress::Counted;
use super::table::Wide;
use super::text::shown;
use crate::activation::Activation;
use crate::checkpoint::{load_model, load_tokenizer};
use crate::data::{Batches, Corpus, Dataset, Tokenizer, check_ids};
use crate::inspect::{Inspection, Lens, Setting, Shapes, fresh_models, inspect, lens};
use crate::memory;
use crate::model::{Model, training_bytes};
use crate::report::{Findings, Language};
use crate::run::{find_checkpoint, newest_checkpoint};
use crate::settings::{
    Backbone, DeviceKind, LARGEST, LARGEST_SEED, LARGEST_VOCABULARY, List, MOST_STEPS, MOST_THREADS, Ops,
    Recipe, Settings, TextEncoding, TokenizerKind, preset_name, within,
};
use crate::{bail_input, input_error, record};
use anyhow::Result;
use clap::{ArgGroup, Args};
use serde::Serialize;
use std::path::{Path, PathBuf};

#[derive(Args)]
#[command(group = ArgGroup::new("without_weights").args(["init_only", "model"]).multiple(true))]
#[command(after_help = "\
Example: tinygpt inspect --checkpoint runs/swiglu --html swiglu.html
         tinygpt inspect --prompt 'a cat is' --top 3
         tinygpt inspect --init-only --acts relu,sigmoid --layers 2,6,24 --no-residual
         tinygpt inspect --model gpt3-175b")]
pub struct InspectArgs {
    /// A run, a checkpoint directory, hf:OWNER/NAME[@REVISION] or a .gguf file [default: the newest run below runs/]
    #[arg(long, value_name = "DIR|hf:REPO|FILE", help_heading = "A trained model")]
    checkpoint: Option<PathBuf>,
    /// Tokens to read, at most [default: 20000]
    #[arg(long, value_name = "N", value_parser = within(1..=MOST_STEPS), help_heading = "A trained model")]
    tokens: Option<usize>,
    /// Units of each layer whose triggers and promoted tokens are shown: the strongest [default: 5]
    #[arg(long, value_name = "N", value_parser = within(0..=LARGEST), help_heading = "A trained model")]
    units: Option<usize>,
    /// What follows each token of this text, and what would after every layer (the logit lens); by itself
    /// no other text is read
    #[arg(long, value_name = "TEXT", help_heading = "A trained model")]
    prompt: Option<String>,
    /// Tokens shown of those that may follow: the most probable [default: 5]
    #[arg(long, value_name = "K", value_parser = within(1..=LARGEST_VOCABULARY), requires = "prompt", help_heading = "A trained model")]
    top: Option<usize>,
    /// Where to compute: cpu, cuda, cuda:1, metal
    #[arg(
        long,
        value_name = "DEVICE",
        default_value = "cpu",
        hide_possible_values = true,
        help_heading = "A trained model"
    )]
    device: DeviceKind,

    /// Look at fresh models instead: how much of the gradient reaches the first layer
    #[arg(long, conflicts_with_all = ["checkpoint", "tokens", "units", "prompt", "device"], help_heading = "Fresh models")]
    init_only: bool,
    /// Activations, separated by commas; `all` for every one with a name
    #[arg(
        long,
        value_name = "A,B,C",
        default_value = "relu,gelu,silu,tanh,sigmoid",
        hide_possible_values = true,
        requires = "init_only",
        conflicts_with = "checkpoint",
        help_heading = "Fresh models"
    )]
    acts: List<Activation>,
    /// Numbers of layers, separated by commas
    #[arg(
        long,
        value_name = "A,B,C",
        default_value = "2,6,24",
        requires = "init_only",
        conflicts_with = "checkpoint",
        help_heading = "Fresh models"
    )]
    layers: List<usize>,
    /// FFNs alone, one after the other: no residual additions, no norms, no attention, and initial
    /// weights that keep the mean square of every value at 1
    #[arg(long, requires = "init_only", conflicts_with = "checkpoint", help_heading = "Fresh models")]
    no_residual: bool,
    /// Seed of the initial weights and the batch
    #[arg(long, value_name = "N", value_parser = within(0..=LARGEST_SEED), requires = "init_only",
        conflicts_with = "checkpoint", help_heading = "Fresh models")]
    seed: Option<u64>,

    /// Preset, or a .toml file: with --init-only what fresh models start from, by itself the model whose
    /// shapes are shown, without any weights
    #[arg(
        long,
        value_name = "NAME|FILE",
        value_parser = preset_name(),
        conflicts_with_all = ["checkpoint", "tokens", "units", "prompt", "device"],
        help_heading = "Shapes, of fresh models too"
    )]
    model: Option<String>,
    /// llama (RMSNorm, RoPE, no biases) or gpt2 (LayerNorm, learned positions, biases)
    #[arg(long, requires = "without_weights", help_heading = "Shapes, of fresh models too")]
    backbone: Option<Backbone>,
    /// Model width
    #[arg(
        long,
        value_name = "N",
        value_parser = within(1..=LARGEST),
        requires = "without_weights",
        help_heading = "Shapes, of fresh models too"
    )]
    dim: Option<usize>,
    /// Attention heads; must divide --dim
    #[arg(
        long,
        value_name = "N",
        value_parser = within(1..=LARGEST),
        requires = "without_weights",
        help_heading = "Shapes, of fresh models too"
    )]
    heads: Option<usize>,
    /// Context length in tokens
    #[arg(
        long,
        value_name = "N",
        value_parser = within(1..=LARGEST),
        requires = "without_weights",
        help_heading = "Shapes, of fresh models too"
    )]
    context: Option<usize>,
    /// Tokens in the vocabulary [default: as many as the preset's tokenizer has]
    #[arg(
        long,
        value_name = "N",
        value_parser = within(1..=LARGEST_VOCABULARY),
        requires = "model",
        conflicts_with_all = ["init_only", "checkpoint"],
        help_heading = "Shapes, of fresh models too"
    )]
    vocab_size: Option<usize>,

    /// Text to read: whatever `train --data` takes; of tales, their validation part [default: the
    /// validation text of the run; of fresh models, the preset's text]
    #[arg(long, value_name = "SOURCE")]
    data: Option<String>,
    /// Encoding of --data, such as windows-1252 or gbk [default: the run's --encoding, or detected]
    #[arg(long, value_name = "LABEL")]
    encoding: Option<TextEncoding>,
    /// Threads to compute with [default: all cores]
    #[arg(long, value_name = "N", value_parser = within(1..=MOST_THREADS))]
    threads: Option<usize>,
    /// Write a page with every chart and table to a file
    #[arg(long, value_name = "FILE", help_heading = "Pages and pictures")]
    html: Option<PathBuf>,
    /// Language of the page: en or ja [default: en]
    #[arg(long, value_name = "LANGUAGE", requires = "html", help_heading = "Pages and pictures")]
    lang: Option<Language>,
    /// Write the charts as SVG to a directory
    #[arg(long, value_name = "DIR", help_heading = "Pages and pictures")]
    plot: Option<PathBuf>,
    /// Replace files in the way that tinygpt didn't write
    #[arg(long, help_heading = "Pages and pictures")]
    force: bool,
    #[command(flatten)]
    wide: Wide,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

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
    super::set_threads(args.threads)?;
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
    super::set_threads(args.threads)?;
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
