//! `tinygpt inspect`

mod args;

use super::outputs::{Inputs, check_file, check_folder, write_files};
use super::report::chart_files;
use super::signals::following;
use super::test_text::TestText;
use super::text::command_line;
use super::threads::set_threads;
use crate::activation::Activation;
use crate::data::{Corpus, Dataset, Tokenizer, check_ids};
use crate::lab::inspect::{Architecture, Findings, ModelShape, fresh_models, inspect, lens};
use crate::model::training_bytes;
use crate::report::{html, inspection};
use crate::run::checkpoint::{load_model, load_tokenizer, load_trainer};
use crate::run::{find_checkpoint, newest_checkpoint};
use crate::settings::{Ops, Recipe, Settings, TokenizerKind};
use crate::support::files::replace;
use crate::support::waiting::waiting;
use crate::support::{memory, record};
use crate::{bail_input, input_error};
use anyhow::Result;
pub use args::InspectArgs;

const MAX_TOKENS: usize = 20_000;
/// Units of each layer that are shown.
const UNITS: usize = 5;
/// Next tokens that are shown.
const TOP: usize = 5;
/// Approximate number of tokens for gradients of untrained models. Their norms need no more.
const GRADIENT_TOKENS: usize = 512;

pub fn run(args: &InspectArgs) -> Result<()> {
    let (output, inputs) = (&args.output, inputs(args));
    output.html.as_deref().map_or(Ok(()), |path| check_file("--html", path, &inputs, output.force))?;
    output.plot.as_deref().map_or(Ok(()), |folder| check_folder("--plot", folder))?;
    let findings = match (&args.fresh.acts, &args.model) {
        (Some(acts), _) => fresh(args, acts)?,
        (None, Some(model)) => shape(args, model)?,
        (None, None) => trained(args)?,
    };
    let document = inspection::document(&findings, &command_line());
    if let Some(folder) = &output.plot {
        write_files("--plot", folder, &chart_files(document.svgs()), &inputs, output.force)?;
        note!("wrote {}", folder.display());
    }
    if let Some(path) = &output.html {
        replace(path, html::page(&document, output.lang, None).as_bytes())?;
        note!("wrote {}", path.display());
    }
    if output.json {
        say!("{}", record::line(&findings)?)?;
        return Ok(());
    }
    output.wide.print_document(&document, output.lang)
}

/// The files that are read: a checkpoint and the text of its run, unless flags name others.
fn inputs(args: &InspectArgs) -> Inputs {
    let is_trained = args.model.is_none() && args.fresh.acts.is_none();
    let checkpoint = match &args.trained.checkpoint {
        Some(name) if name.to_string_lossy().starts_with("hf:") => None,
        Some(name) => find_checkpoint(name).ok(),
        None => newest_checkpoint().ok().filter(|_| is_trained),
    };
    let run = checkpoint.as_deref().and_then(|checkpoint| load_trainer(checkpoint).ok());
    let text = run.and_then(|run| run.settings.val_data.or(run.settings.data));
    Inputs::default()
        .path("--checkpoint", checkpoint)
        .path("--model", args.model.as_ref())
        .text("--data", args.data.as_deref().or(text.as_deref()))
}

/// The preset with the flags applied.
fn recipe(args: &InspectArgs, layers: Option<usize>) -> Result<Recipe> {
    let flags = Settings { layers, ops: Some(Ops::Plain), ..args.settings() };
    Recipe::new(flags.over(&Settings::shape(args.model.as_deref().unwrap_or("default"))?))
}

fn shape(args: &InspectArgs, model: &str) -> Result<Findings> {
    if args.data.is_some() {
        bail_input!("--data needs a model that reads a text; leave it out, or add --acts");
    }
    let recipe = recipe(args, None)?;
    let (size, vocabulary) = vocabulary(&recipe)?;
    let shape = ModelShape::of(&recipe.model(size)?);
    Ok(Findings::Shape { model: model.to_string(), vocabulary, shape })
}

/// The size of a recipe's vocabulary, and its tokenizer.
fn vocabulary(recipe: &Recipe) -> Result<(usize, String)> {
    let kind = &recipe.tokenizer;
    if let TokenizerKind::Bpe(size) = kind {
        return Ok((*size, kind.to_string()));
    }
    let hint = |error| {
        input_error!(
            "the vocabulary is unknown: {error:#}; use a preset with tokenizer = \"bpe:N\" for N tokens"
        )
    };
    let corpus = Corpus::load(&recipe.data, None, recipe.encoding).map_err(hint)?;
    let tokenizer = Tokenizer::train(kind, &corpus.train).map_err(hint)?;
    Ok((tokenizer.vocab_size(), format!("{kind}, {}", corpus.name)))
}

fn trained(args: &InspectArgs) -> Result<Findings> {
    set_threads(args.threads)?;
    let flags = &args.trained;
    let checkpoint = match &flags.checkpoint {
        Some(path) => find_checkpoint(path)?,
        None => newest_checkpoint()?,
    };
    // Only the reference model can be observed.
    let model = load_model(&checkpoint, &flags.device.open()?, Ops::Plain)?;
    let tokenizer = load_tokenizer(&checkpoint)?;
    let look = |prompt: &String| {
        let ids = tokenizer.encode_prompt(prompt)?;
        check_ids(&ids, model.config.vocab_size)?;
        lens(&model, &tokenizer, &ids, TOP)
    };
    let prompt = flags.prompt.as_ref().map(look).transpose()?;
    let is_asked = args.data.is_some() || flags.max_tokens.is_some();
    let (mut data, mut survey) = (None, None);
    // A prompt by itself is answered at once.
    if prompt.is_none() || is_asked || args.output.html.is_some() || args.output.plot.is_some() {
        let text = TestText::read(args.data.as_deref(), args.encoding, &checkpoint, &tokenizer)?;
        check_ids(&text.tokens, model.config.vocab_size)?;
        let most = (flags.max_tokens.unwrap_or(MAX_TOKENS), UNITS);
        let waiting = waiting("inspecting, tokens");
        survey = Some(inspect(&model, &tokenizer, &text.tokens, most, &mut following(&waiting))?);
        data = Some(text.name);
    }
    let shape = ModelShape::of(&model.config);
    Ok(Findings::Trained { checkpoint, data, prompt, shape, survey })
}

fn fresh(args: &InspectArgs, acts: &[Activation]) -> Result<Findings> {
    let mut depths = args.fresh.layers.to_vec();
    depths.sort_unstable();
    let recipe = recipe(args, depths.last().copied())?;
    set_threads(args.threads)?;
    let dataset = Dataset::load(&recipe)?;
    let deepest = recipe.model(dataset.tokenizer.vocab_size())?;
    memory::check(training_bytes(&deepest, GRADIENT_TOKENS.div_ceil(recipe.context()), recipe.ops))?;
    let setting = if args.fresh.no_residual { Architecture::Stack } else { Architecture::Model };
    let waiting = waiting("differentiating, layers");
    let mut follow = following(&waiting);
    let found = fresh_models(&recipe, &dataset, (acts, &depths), GRADIENT_TOKENS, setting, &mut follow)?;
    Ok(Findings::Fresh { data: dataset.name, found })
}
