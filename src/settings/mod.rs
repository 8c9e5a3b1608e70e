//! Settings: what a preset file and the command line may say, and nothing else.
//!
//! `Settings` is the same list of optional values in a preset, on the command line and in a
//! checkpoint's `trainer.json`; a later one goes over an earlier one, and [`Recipe::new`] turns the
//! result into validated values. Defaults that depend on nothing else stand in `models/default.toml`.

mod arguments;
mod bounds;
mod effective;
mod encoding;
mod model_config;
mod preset;
mod recipe;

pub use arguments::{Item, List};
pub(crate) use arguments::{preset_name, shape_name};
pub(crate) use bounds::within;
pub(crate) use bounds::{LARGEST_SEED, MANY, MOST_STEPS, MOST_THREADS};
pub use encoding::TextEncoding;
pub use model_config::{Backbone, ModelConfig};
pub(crate) use model_config::{LARGEST, LARGEST_VOCABULARY, MOST_LAYERS};
pub(crate) use preset::FINE_TUNE;
pub use preset::{PRESETS, Preset, SHAPES};
pub use recipe::{DeviceKind, Length, Recipe, TokenizerKind, Training};

use crate::activation::Activation;
use clap::{Args, ValueEnum};
use serde::{Deserialize, Serialize};

/// Which implementation of the model's arithmetic runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Ops {
    /// The composition of candle operations in `src/model/`
    Plain,
    /// Kernels in place of the composition, where they can compute: f32 on a CPU
    Fused,
}

/// The only number format of tinygpt 0.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    F32,
}

/// Everything a run can be told. `None` is "not said here".
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Settings {
    /// Architecture around the FFN: llama (RMSNorm, RoPE, no biases) or gpt2 (LayerNorm, learned positions, biases)
    #[arg(long, help_heading = "Model")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub backbone: Option<Backbone>,
    /// FFN activation; `tinygpt acts` lists them
    #[arg(long, value_name = "NAME", hide_possible_values = true, help_heading = "Model")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub act: Option<Activation>,
    /// Transformer blocks
    #[arg(long, value_parser = within(1..=MOST_LAYERS), value_name = "N", help_heading = "Model")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub layers: Option<usize>,
    /// Attention heads; must divide --dim
    #[arg(long, value_parser = within(1..=LARGEST), value_name = "N", help_heading = "Model")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heads: Option<usize>,
    /// Key/value heads, shared by groups of query heads (llama only) [default: --heads]
    #[arg(long, value_parser = within(1..=LARGEST), value_name = "N", help_heading = "Model")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kv_heads: Option<usize>,
    /// Model width
    #[arg(long, value_parser = within(1..=LARGEST), value_name = "N", help_heading = "Model")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dim: Option<usize>,
    /// FFN hidden size [default: 4 dim, or 8/3 dim to the nearest multiple of 8 when gated]
    #[arg(long, value_parser = within(1..=LARGEST), value_name = "N", help_heading = "Model")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ffn_dim: Option<usize>,
    /// Context length in tokens
    #[arg(long, value_parser = within(1..=LARGEST), value_name = "N", help_heading = "Model")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context: Option<usize>,
    /// Give the output head a matrix of its own instead of the token embedding [default: false]
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL", help_heading = "Model")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub untie: Option<bool>,
    /// What the norms add to a mean square before its root [default: 1e-5]
    #[arg(long, value_parser = within(1e-12..=1.0), value_name = "EPS", help_heading = "Model")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub norm_eps: Option<f64>,
    /// Base of the rotary frequencies (llama only) [default: 10000]
    #[arg(long, value_parser = within(1.0..=1e12), value_name = "BASE", help_heading = "Model")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rope_theta: Option<f64>,
    /// Standard deviation of the initial weights [default: sqrt(2 / (5 dim))]
    #[arg(long, value_parser = within(1e-6..=1.0), value_name = "STD", help_heading = "Model")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init_std: Option<f64>,
    /// Factor of the initial weights of the FFN's output. `compare --match-init` chooses it; no flag does.
    #[arg(skip)]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ffn_init_scale: Option<f64>,
    /// Share of values dropped after the embedding, attention and FFN while training
    #[arg(long, value_parser = within(0.0..=0.99), value_name = "P", help_heading = "Model")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dropout: Option<f64>,

    /// Sequences in one forward pass
    #[arg(long, value_parser = within(1..=MANY), value_name = "N", help_heading = "Training")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch_size: Option<usize>,
    /// Forward and backward passes per optimizer update
    #[arg(long, value_parser = within(1..=MANY), value_name = "N", help_heading = "Training")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grad_accum: Option<usize>,
    /// Optimizer updates
    #[arg(long, value_parser = within(1..=MOST_STEPS), value_name = "N", conflicts_with = "epochs", help_heading = "Training")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub steps: Option<usize>,
    /// Passes over the training text, instead of --steps
    #[arg(long, value_parser = within(1e-6..=1e9), value_name = "N", help_heading = "Training")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epochs: Option<f64>,
    /// Peak learning rate
    #[arg(long, value_parser = within(0.0..=10.0), value_name = "RATE", help_heading = "Training")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lr: Option<f64>,
    /// Learning rate at the end of the cosine [default: lr / 10]
    #[arg(long, value_parser = within(0.0..=10.0), value_name = "RATE", help_heading = "Training")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_lr: Option<f64>,
    /// Steps of linear warmup [default: 5% of the steps, at most 100]
    #[arg(long, value_parser = within(0..=MOST_STEPS), value_name = "N", help_heading = "Training")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub warmup: Option<usize>,
    /// Decoupled weight decay, on matrices only
    #[arg(long, value_parser = within(0.0..=10.0), value_name = "RATE", help_heading = "Training")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight_decay: Option<f64>,
    /// AdamW's decay of the gradient's mean
    #[arg(long, value_parser = within(0.0..=0.999_999), value_name = "B", help_heading = "Training")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beta1: Option<f64>,
    /// AdamW's decay of the gradient's square
    #[arg(long, value_parser = within(0.0..=0.999_999), value_name = "B", help_heading = "Training")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub beta2: Option<f64>,
    /// Largest global norm of the gradient; 0 turns clipping off
    #[arg(long, value_parser = within(0.0..=1e9), value_name = "NORM", help_heading = "Training")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grad_clip: Option<f64>,
    /// Skip up to N steps of the run whose loss or gradient isn't finite, instead of ending at the first [default: 0]
    #[arg(long, value_parser = within(0..=MOST_STEPS), value_name = "N", help_heading = "Training")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub skip_bad_steps: Option<usize>,
    /// Seed of the initial weights, the batches and dropout
    #[arg(long, value_parser = within(0..=LARGEST_SEED), value_name = "N", help_heading = "Training")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<u64>,
    /// Score the validation text every N steps; 0: at the end only
    #[arg(long, value_parser = within(0..=MOST_STEPS), value_name = "N", help_heading = "Training")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub eval_every: Option<usize>,
    /// Write a checkpoint every N steps; 0: at evaluations and at the end only
    #[arg(long, value_parser = within(0..=MOST_STEPS), value_name = "N", help_heading = "Training")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub save_every: Option<usize>,
    /// Checkpoints kept besides best and last
    #[arg(long, value_parser = within(0..=MANY), value_name = "N", help_heading = "Training")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub keep: Option<usize>,

    /// Text to train on: a file, a directory, a 'pattern*', a .jsonl with "text", `-` for standard input,
    /// `hf:OWNER/NAME/FILE` of a dataset, or the built-in `tales[:ja][:facts=N]`
    #[arg(long, value_name = "SOURCE", help_heading = "Data")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub data: Option<String>,
    /// Text to validate on [default: the last tenth of --data]
    #[arg(long, value_name = "SOURCE", help_heading = "Data")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub val_data: Option<String>,
    /// Encoding of --data and --val-data, such as windows-1252 or gbk [default: UTF-8, UTF-16 and Japanese
    /// encodings are detected]
    #[arg(long, value_name = "LABEL", help_heading = "Data")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encoding: Option<TextEncoding>,
    /// How text becomes tokens: char, bpe:VOCABULARY, a tokenizer.json, or `hf:OWNER/NAME`
    #[arg(long, value_name = "KIND", hide_possible_values = true, help_heading = "Data")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tokenizer: Option<TokenizerKind>,

    /// Threads to compute with [default: all cores]
    #[arg(long, value_parser = within(1..=MOST_THREADS), value_name = "N", help_heading = "Machine")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub threads: Option<usize>,
    /// Implementation of the model's arithmetic [default: fused]
    #[arg(long, help_heading = "Machine")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ops: Option<Ops>,
    /// Where to compute: cpu, cuda, cuda:1, metal [default: cpu]
    #[arg(long, value_name = "DEVICE", hide_possible_values = true, help_heading = "Machine")]
    #[serde(skip_serializing_if = "Option::is_none")]
    pub device: Option<DeviceKind>,
    /// Runs and presets of tinygpt 0.1 may contain it: read, never written.
    #[arg(skip)]
    #[serde(skip_serializing)]
    pub dtype: Option<Precision>,
}

impl Settings {
    /// These settings, and where they are silent those of `base`.
    pub fn over(&self, base: &Settings) -> Settings {
        let mut merged = base.to_map();
        merged.extend(self.to_map());
        // A length said here replaces the base's, in whichever unit that was.
        if self.steps.is_some() {
            merged.remove("epochs");
        }
        if self.epochs.is_some() {
            merged.remove("steps");
        }
        serde_json::from_value(merged.into()).expect("settings survive a round trip through JSON")
    }

    /// What says that a model is `config`.
    pub fn of_model(config: &ModelConfig) -> Settings {
        Settings {
            backbone: Some(config.backbone),
            act: Some(config.act),
            layers: Some(config.layers),
            heads: Some(config.heads),
            kv_heads: Some(config.kv_heads),
            dim: Some(config.dim),
            ffn_dim: Some(config.ffn_dim),
            context: Some(config.context),
            untie: Some(!config.tied),
            norm_eps: Some(config.norm_eps),
            rope_theta: Some(config.rope_theta),
            init_std: Some(config.init_std),
            ..Settings::default()
        }
    }

    /// The values that are said, by the name of their flag.
    pub fn to_map(&self) -> serde_json::Map<String, serde_json::Value> {
        match serde_json::to_value(self) {
            Ok(serde_json::Value::Object(map)) => map,
            _ => unreachable!("a struct serializes to an object"),
        }
    }
}
