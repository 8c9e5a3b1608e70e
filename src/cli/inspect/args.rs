//! The arguments of `tinygpt inspect`.

use crate::activation::Activation;
use crate::cli::table::Wide;
use crate::report::Language;
use crate::settings::{
    Backbone, DeviceKind, LARGEST, LARGEST_SEED, LARGEST_VOCABULARY, List, MOST_STEPS, MOST_THREADS,
    TextEncoding, preset_name, within,
};
use clap::{ArgGroup, Args};
use std::path::PathBuf;

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
    pub checkpoint: Option<PathBuf>,
    /// Tokens to read, at most [default: 20000]
    #[arg(long, value_name = "N", value_parser = within(1..=MOST_STEPS), help_heading = "A trained model")]
    pub tokens: Option<usize>,
    /// Units of each layer whose triggers and promoted tokens are shown: the strongest [default: 5]
    #[arg(long, value_name = "N", value_parser = within(0..=LARGEST), help_heading = "A trained model")]
    pub units: Option<usize>,
    /// What follows each token of this text, and what would after every layer (the logit lens); by itself
    /// no other text is read
    #[arg(long, value_name = "TEXT", help_heading = "A trained model")]
    pub prompt: Option<String>,
    /// Tokens shown of those that may follow: the most probable [default: 5]
    #[arg(long, value_name = "K", value_parser = within(1..=LARGEST_VOCABULARY), requires = "prompt", help_heading = "A trained model")]
    pub top: Option<usize>,
    /// Where to compute: cpu, cuda, cuda:1, metal
    #[arg(
        long,
        value_name = "DEVICE",
        default_value = "cpu",
        hide_possible_values = true,
        help_heading = "A trained model"
    )]
    pub device: DeviceKind,

    /// Look at fresh models instead: how much of the gradient reaches the first layer
    #[arg(long, conflicts_with_all = ["checkpoint", "tokens", "units", "prompt", "device"], help_heading = "Fresh models")]
    pub init_only: bool,
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
    pub acts: List<Activation>,
    /// Numbers of layers, separated by commas
    #[arg(
        long,
        value_name = "A,B,C",
        default_value = "2,6,24",
        requires = "init_only",
        conflicts_with = "checkpoint",
        help_heading = "Fresh models"
    )]
    pub layers: List<usize>,
    /// FFNs alone, one after the other: no residual additions, no norms, no attention, and initial
    /// weights that keep the mean square of every value at 1
    #[arg(long, requires = "init_only", conflicts_with = "checkpoint", help_heading = "Fresh models")]
    pub no_residual: bool,
    /// Seed of the initial weights and the batch
    #[arg(long, value_name = "N", value_parser = within(0..=LARGEST_SEED), requires = "init_only",
        conflicts_with = "checkpoint", help_heading = "Fresh models")]
    pub seed: Option<u64>,

    /// Preset, or a .toml file: with --init-only what fresh models start from, by itself the model whose
    /// shapes are shown, without any weights
    #[arg(
        long,
        value_name = "NAME|FILE",
        value_parser = preset_name(),
        conflicts_with_all = ["checkpoint", "tokens", "units", "prompt", "device"],
        help_heading = "Shapes, of fresh models too"
    )]
    pub model: Option<String>,
    /// llama (RMSNorm, RoPE, no biases) or gpt2 (LayerNorm, learned positions, biases)
    #[arg(long, requires = "without_weights", help_heading = "Shapes, of fresh models too")]
    pub backbone: Option<Backbone>,
    /// Model width
    #[arg(
        long,
        value_name = "N",
        value_parser = within(1..=LARGEST),
        requires = "without_weights",
        help_heading = "Shapes, of fresh models too"
    )]
    pub dim: Option<usize>,
    /// Attention heads; must divide --dim
    #[arg(
        long,
        value_name = "N",
        value_parser = within(1..=LARGEST),
        requires = "without_weights",
        help_heading = "Shapes, of fresh models too"
    )]
    pub heads: Option<usize>,
    /// Context length in tokens
    #[arg(
        long,
        value_name = "N",
        value_parser = within(1..=LARGEST),
        requires = "without_weights",
        help_heading = "Shapes, of fresh models too"
    )]
    pub context: Option<usize>,
    /// Tokens in the vocabulary [default: as many as the preset's tokenizer has]
    #[arg(
        long,
        value_name = "N",
        value_parser = within(1..=LARGEST_VOCABULARY),
        requires = "model",
        conflicts_with_all = ["init_only", "checkpoint"],
        help_heading = "Shapes, of fresh models too"
    )]
    pub vocab_size: Option<usize>,

    /// Text to read: whatever `train --data` takes; of tales, their validation part [default: the
    /// validation text of the run; of fresh models, the preset's text]
    #[arg(long, value_name = "SOURCE")]
    pub data: Option<String>,
    /// Encoding of --data, such as windows-1252 or gbk [default: the run's --encoding, or detected]
    #[arg(long, value_name = "LABEL")]
    pub encoding: Option<TextEncoding>,
    /// Threads to compute with [default: all cores]
    #[arg(long, value_name = "N", value_parser = within(1..=MOST_THREADS))]
    pub threads: Option<usize>,
    /// Write a page with every chart and table to a file
    #[arg(long, value_name = "FILE", help_heading = "Pages and pictures")]
    pub html: Option<PathBuf>,
    /// Language of the page: en or ja [default: en]
    #[arg(long, value_name = "LANGUAGE", requires = "html", help_heading = "Pages and pictures")]
    pub lang: Option<Language>,
    /// Write the charts as SVG to a directory
    #[arg(long, value_name = "DIR", help_heading = "Pages and pictures")]
    pub plot: Option<PathBuf>,
    /// Replace files in the way that tinygpt didn't write
    #[arg(long, help_heading = "Pages and pictures")]
    pub force: bool,
    #[command(flatten)]
    pub wide: Wide,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}
