//! The arguments of `tinygpt inspect`.

use crate::activation::Activation;
use crate::cli::print::Wide;
use crate::report::Language;
use crate::settings::{
    Backbone, DeviceKind, LARGEST, LARGEST_SEED, List, MOST_STEPS, MOST_THREADS, Settings, TextEncoding,
    shape_name, within,
};
use clap::{ArgGroup, Args};
use std::path::PathBuf;

#[derive(Args)]
#[command(group = ArgGroup::new("without_weights").args(["acts", "model"]).multiple(true))]
#[command(after_help = "\
Example: tinygpt inspect --checkpoint runs/swiglu --html swiglu.html
         tinygpt inspect --prompt 'a cat is'
         tinygpt inspect --acts relu,sigmoid --layers 2,6,24 --no-residual
         tinygpt inspect --model gpt3-175b")]
pub struct InspectArgs {
    #[command(flatten, next_help_heading = "A trained model")]
    pub trained: TrainedArgs,
    #[command(flatten, next_help_heading = "Untrained models")]
    pub fresh: FreshArgs,
    /// Preset or .toml file: the model to describe, or the one that --acts starts from
    #[arg(long, value_name = "NAME|FILE", value_parser = shape_name(), help_heading = "A model without weights")]
    pub model: Option<String>,
    #[command(flatten, next_help_heading = "A model without weights")]
    pub size: SizeArgs,
    /// Text to read, as for `train --data` [default: the run's validation text, or the preset's text]
    #[arg(long, value_name = "SOURCE")]
    pub data: Option<String>,
    /// Encoding of --data, such as windows-1252 or gbk [default: the run's --encoding, or detected]
    #[arg(long, value_name = "LABEL")]
    pub encoding: Option<TextEncoding>,
    /// Threads to compute with [default: all cores]
    #[arg(long, value_name = "N", value_parser = within(1..=MOST_THREADS))]
    pub threads: Option<usize>,
    #[command(flatten, next_help_heading = "Output")]
    pub output: OutputArgs,
}

#[derive(Args)]
#[group(id = "trained", conflicts_with = "without_weights")]
pub struct TrainedArgs {
    /// A run, a checkpoint directory, hf:OWNER/NAME[@REVISION] or a .gguf file [default: the newest run in runs/]
    #[arg(long, value_name = "DIR|hf:REPO|FILE")]
    pub checkpoint: Option<PathBuf>,
    /// The most tokens to read [default: 20000]
    #[arg(long, value_name = "N", value_parser = within(1..=MOST_STEPS))]
    pub max_tokens: Option<usize>,
    /// Show what the model predicts after each token of this text, and after each layer (logit lens). By itself, no
    /// other text is read
    #[arg(long, value_name = "TEXT")]
    pub prompt: Option<String>,
    /// Where to compute: cpu, cuda, cuda:1, metal
    #[arg(long, value_name = "DEVICE", default_value = "cpu", hide_possible_values = true)]
    pub device: DeviceKind,
}

#[derive(Args)]
#[group(id = "fresh", conflicts_with = "trained")]
pub struct FreshArgs {
    /// Measure how much gradient reaches the first layer with these activations, separated by commas, or `all`
    #[arg(long, value_name = "A,B,C", hide_possible_values = true)]
    pub acts: Option<List<Activation>>,
    /// Numbers of layers, separated by commas
    #[arg(long, value_name = "A,B,C", default_value = "2,6,24", requires = "acts")]
    pub layers: List<usize>,
    /// FFNs alone, without residual connections, norms and attention, with initial weights that keep the mean square
    /// of every value at 1
    #[arg(long, requires = "acts")]
    pub no_residual: bool,
    /// Seed of the initial weights and the batch
    #[arg(long, value_name = "N", value_parser = within(0..=LARGEST_SEED), requires = "acts")]
    pub seed: Option<u64>,
}

#[derive(Args)]
pub struct SizeArgs {
    /// llama (RMSNorm, RoPE, no biases) or gpt2 (LayerNorm, learned positions, biases)
    #[arg(long, requires = "without_weights")]
    backbone: Option<Backbone>,
    /// Model width
    #[arg(long, value_name = "N", value_parser = within(1..=LARGEST), requires = "without_weights")]
    dim: Option<usize>,
    /// Attention heads; must divide --dim
    #[arg(long, value_name = "N", value_parser = within(1..=LARGEST), requires = "without_weights")]
    heads: Option<usize>,
    /// Context length in tokens
    #[arg(long, value_name = "N", value_parser = within(1..=LARGEST), requires = "without_weights")]
    context: Option<usize>,
}

#[derive(Args)]
pub struct OutputArgs {
    /// Write a page with all charts and tables to a file
    #[arg(long, value_name = "FILE")]
    pub html: Option<PathBuf>,
    /// Write the charts as SVG to a directory
    #[arg(long, value_name = "DIR")]
    pub plot: Option<PathBuf>,
    /// Replace files that tinygpt didn't write
    #[arg(long)]
    pub force: bool,
    /// Language of the tables and the page: en or ja
    #[arg(long, value_name = "LANGUAGE", default_value = "en", hide_possible_values = true)]
    pub lang: Language,
    #[command(flatten)]
    pub wide: Wide,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
}

impl InspectArgs {
    /// The flags as settings.
    pub fn settings(&self) -> Settings {
        Settings {
            backbone: self.size.backbone,
            dim: self.size.dim,
            heads: self.size.heads,
            context: self.size.context,
            seed: self.fresh.seed,
            data: self.data.clone(),
            encoding: self.encoding,
            ..Settings::default()
        }
    }
}
