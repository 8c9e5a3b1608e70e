//! `tinygpt inspect`

mod show;

use super::compare::named_acts;
use crate::activation::Activation;
use crate::checkpoint::{load_model, load_tokenizer, load_trainer};
use crate::data::{Batches, Corpus, Dataset, Source, Tokens, check_ids};
use crate::inspect::{Setting, fresh_models, inspect};
use crate::run::{find_checkpoint, newest_checkpoint};
use crate::settings::{Backbone, DeviceKind, Ops, Recipe, Settings};
use crate::{bail_input, input_error};
use anyhow::Result;
use clap::Args;
use serde::Serialize;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

#[derive(Args)]
#[command(after_help = "\
Example: tinygpt inspect --checkpoint runs/swiglu
         tinygpt inspect --init-only --acts relu,sigmoid --layers 2,6,24 --no-residual")]
pub struct InspectArgs {
    /// A run or a checkpoint directory [default: the newest run below runs/]
    #[arg(long, value_name = "DIR", help_heading = "A trained model")]
    checkpoint: Option<PathBuf>,
    /// Tokens to read, at most [default: 20000]
    #[arg(long, value_name = "N", help_heading = "A trained model")]
    tokens: Option<usize>,
    /// Units of each layer whose triggers and promoted tokens are shown: the strongest [default: 5]
    #[arg(long, value_name = "N", help_heading = "A trained model")]
    units: Option<usize>,
    /// Where to compute: cpu, cuda, cuda:1, metal
    #[arg(long, value_name = "DEVICE", default_value = "cpu", help_heading = "A trained model")]
    device: DeviceKind,

    /// Look at fresh models instead: how much of the gradient reaches the first layer
    #[arg(long, conflicts_with_all = ["checkpoint", "tokens", "units", "device"], help_heading = "Fresh models")]
    init_only: bool,
    /// Activations, separated by commas; `all` for every one with a name [default: relu,gelu,silu,tanh,sigmoid]
    #[arg(
        long,
        value_name = "A,B,C",
        value_delimiter = ',',
        requires = "init_only",
        help_heading = "Fresh models"
    )]
    acts: Option<Vec<String>>,
    /// Numbers of layers, separated by commas [default: 2,6,24]
    #[arg(
        long,
        value_name = "A,B,C",
        value_delimiter = ',',
        requires = "init_only",
        help_heading = "Fresh models"
    )]
    layers: Option<Vec<usize>>,
    /// FFNs alone, one after the other: no residual additions, no norms, no attention, and initial
    /// weights that keep the mean square of every value at 1
    #[arg(long, requires = "init_only", help_heading = "Fresh models")]
    no_residual: bool,
    /// Preset to start from: default, shakespeare-char, small-10m, stories260k, gpt2, or a .toml file
    #[arg(long, value_name = "NAME|FILE", requires = "init_only", help_heading = "Fresh models")]
    model: Option<String>,
    /// llama (RMSNorm, RoPE, no biases) or gpt2 (LayerNorm, learned positions, biases)
    #[arg(long, requires = "init_only", help_heading = "Fresh models")]
    backbone: Option<Backbone>,
    /// Model width
    #[arg(long, value_name = "N", requires = "init_only", help_heading = "Fresh models")]
    dim: Option<usize>,
    /// Attention heads; must divide --dim
    #[arg(long, value_name = "N", requires = "init_only", help_heading = "Fresh models")]
    heads: Option<usize>,
    /// Context length in tokens
    #[arg(long, value_name = "N", requires = "init_only", help_heading = "Fresh models")]
    context: Option<usize>,
    /// Seed of the initial weights and the batch
    #[arg(long, value_name = "N", requires = "init_only", help_heading = "Fresh models")]
    seed: Option<u64>,

    /// Text to read: whatever `train --data` takes; of tales, their validation part [default: the
    /// validation text of the run; of fresh models, the preset's text]
    #[arg(long, value_name = "SOURCE")]
    data: Option<String>,
    /// Threads to compute with [default: all cores]
    #[arg(long, value_name = "N")]
    threads: Option<usize>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

const TOKENS: usize = 20_000;
const UNITS: usize = 5;
/// Tokens whose loss is differentiated, about: the norms of its gradients need no more.
const GRADIENT_TOKENS: usize = 512;

pub fn run(args: &InspectArgs) -> Result<()> {
    if args.init_only { fresh(args) } else { trained(args) }
}

fn trained(args: &InspectArgs) -> Result<()> {
    let (most, units) = (args.tokens.unwrap_or(TOKENS), args.units.unwrap_or(UNITS));
    if most == 0 {
        bail_input!("--tokens is 0; it must be at least 1");
    }
    super::set_threads(args.threads)?;
    let checkpoint = match &args.checkpoint {
        Some(path) => find_checkpoint(path)?,
        None => newest_checkpoint()?,
    };
    // The composition can be watched, the kernels cannot.
    let model = load_model(&checkpoint, &args.device.open()?, Ops::Plain)?;
    let tokenizer = load_tokenizer(&checkpoint)?;
    let corpus = match &args.data {
        Some(source) => Corpus::validation(&source.parse()?)?,
        None => own_validation_text(&checkpoint)?,
    };
    for note in &corpus.notes {
        note!("{}: {note}", corpus.name);
    }
    let tokens = Tokens::encode(&corpus.val, &tokenizer)?;
    check_ids(&tokens, model.config.vocab_size)?;
    if tokens.len() < 2 {
        bail_input!("{} has {} token; inspecting needs at least 2", corpus.name, tokens.len());
    }
    let found = inspect(&model, &tokenizer, &tokens, most, units)?;
    if args.json {
        return say_json(&json!({ "checkpoint": checkpoint, "data": corpus.name }), &found);
    }
    show::trained(&checkpoint, &corpus.name, &found)
}

/// The text that the run of this checkpoint was validated on.
fn own_validation_text(checkpoint: &Path) -> Result<Corpus> {
    let settings = load_trainer(checkpoint)
        .map_err(|error| input_error!("which text is the checkpoint's own? {error}; name one by --data"))?
        .settings;
    let (data, val_data) = (settings.data.unwrap_or_default(), settings.val_data);
    let source: Source = val_data.as_ref().unwrap_or(&data).parse()?;
    if source == Source::Stdin {
        bail_input!("{} read its text from standard input; name a text by --data", checkpoint.display());
    }
    let corpus = if val_data.is_some() { Corpus::validation(&source) } else { Corpus::load(&data, None) };
    corpus.map_err(|error| {
        input_error!("the text of {} cannot be read: {error:#}; name one by --data", checkpoint.display())
    })
}

impl InspectArgs {
    fn acts(&self) -> Result<Vec<Activation>> {
        let default = || ["relu", "gelu", "silu", "tanh", "sigmoid"].map(String::from).to_vec();
        named_acts(&self.acts.clone().unwrap_or_else(default))
    }

    fn depths(&self) -> Vec<usize> {
        let mut depths = self.layers.clone().unwrap_or_else(|| vec![2, 6, 24]);
        depths.sort_unstable();
        depths.dedup();
        depths
    }

    /// The preset with the flags over it, at the largest depth.
    fn recipe(&self) -> Result<Recipe> {
        let flags = Settings {
            backbone: self.backbone,
            dim: self.dim,
            heads: self.heads,
            context: self.context,
            seed: self.seed,
            data: self.data.clone(),
            layers: self.depths().last().copied(),
            ops: Some(Ops::Plain),
            ..Settings::default()
        };
        let preset = Settings::preset(self.model.as_deref().unwrap_or("default"))?;
        let recipe = Recipe::new(flags.over(&preset))?;
        // The first sequences of the first batch are the same in a batch of any size.
        let batch_size = Some(GRADIENT_TOKENS.div_ceil(recipe.context()));
        recipe.with(&Settings { batch_size, ..Settings::default() })
    }
}

fn fresh(args: &InspectArgs) -> Result<()> {
    let recipe = args.recipe()?;
    let mut variants = Vec::new();
    for act in args.acts()? {
        for layers in args.depths() {
            let flags = Settings { act: Some(act), layers: Some(layers), ..Settings::default() };
            variants.push(recipe.with(&flags)?);
        }
    }
    super::set_threads(args.threads)?;
    let dataset = Dataset::load(&recipe)?;
    super::train::check_memory(&recipe, &dataset)?;
    let training = &recipe.training;
    let batch = Batches::new(&dataset.train, recipe.context(), training.batch_size, training.seed)?.get(0);
    let vocabulary = dataset.tokenizer.vocab_size();
    let configs = variants.iter().map(|variant| variant.model(vocabulary)).collect::<Result<Vec<_>>>()?;
    let setting = if args.no_residual { Setting::Stack } else { Setting::Model };
    let found = fresh_models(&configs, &batch, training.seed, setting)?;
    if args.json {
        return say_json(&json!({ "data": dataset.name }), &found);
    }
    show::fresh(&dataset.name, &found)
}

/// Prints what was found behind what it was found in, as one object.
fn say_json(place: &Value, found: &impl Serialize) -> Result<()> {
    let mut object = place.clone();
    if let (Value::Object(object), Value::Object(found)) = (&mut object, serde_json::to_value(found)?) {
        object.extend(found);
    }
    say!("{object}")?;
    Ok(())
}
