//! Settings of a run, from a preset, the command line or a checkpoint's `trainer.json`.
//!
//! [`Settings`] is one list of optional values for all three. Flags override a preset ([`Settings::over`]), and
//! [`Recipe::new`] validates the result. `models/default.toml` has the defaults that don't depend on other settings.

mod arguments;
mod bounds;
mod encoding;
mod model_config;
mod preset;
mod recipe;

pub use arguments::{Item, List};
pub(crate) use arguments::{arm_name, preset_name, shape_name};
pub(crate) use bounds::within;
pub(crate) use bounds::{LARGEST_SEED, MANY, MOST_STEPS, MOST_THREADS};
pub use encoding::TextEncoding;
pub use model_config::{Backbone, ModelConfig};
pub(crate) use model_config::{LARGEST, LARGEST_VOCABULARY, MOST_LAYERS};
pub(crate) use preset::{FINE_TUNE, define_activations};
pub use preset::{PRESETS, Preset, SHAPES};
pub use recipe::{DeviceKind, Length, Recipe, TokenizerKind, Training};

use crate::activation::Activation;
use clap::{Args, ValueEnum};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The implementation of the model.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Ops {
    /// candle's operations: the reference, on every device
    Plain,
    /// Hand-written kernels for f32 on a CPU
    Fused,
}

/// What updates the parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum OptimizerKind {
    /// Loshchilov & Hutter 2019
    Adamw,
    /// Jordan et al. 2024: orthogonal updates of the matrices in attention and FFN; AdamW for the rest
    Muon,
}

/// The only number format of tinygpt 0.1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    F32,
}

/// The settings of a run. `None` means that this source doesn't set it.
#[derive(Args, Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(remote = "Self", default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Settings {
    /// Architecture around the FFN
    ///
    /// llama: RMSNorm, rotary positions, no biases. gpt2: LayerNorm, learned positions, biases.
    #[arg(long, help_heading = "Model")]
    pub backbone: Option<Backbone>,
    /// FFN activation
    ///
    /// A name that `tinygpt acts` lists, `glu:NAME` for a function in a gate, or a formula: of x, or of the gate g and
    /// the up projection u. After a semicolon come learned scalars: 'x * sigmoid(b * x); b = 1'.
    #[arg(long, value_name = "NAME|FORMULA", hide_possible_values = true, help_heading = "Model")]
    pub act: Option<Activation>,
    /// Transformer blocks
    #[arg(long, value_parser = within(1..=MOST_LAYERS), value_name = "N", help_heading = "Model")]
    pub layers: Option<usize>,
    /// Attention heads
    ///
    /// They must divide --dim.
    #[arg(long, value_parser = within(1..=LARGEST), value_name = "N", help_heading = "Model")]
    pub heads: Option<usize>,
    /// Key/value heads [default: --heads]
    ///
    /// Groups of query heads share them (grouped-query attention, llama only).
    #[arg(long, value_parser = within(1..=LARGEST), value_name = "N", help_heading = "Model")]
    pub kv_heads: Option<usize>,
    /// Model width
    #[arg(long, value_parser = within(1..=LARGEST), value_name = "N", help_heading = "Model")]
    pub dim: Option<usize>,
    /// FFN hidden size [default: 4 dim, or 8/3 dim if gated]
    ///
    /// The default of a gated FFN is rounded to a multiple of 8.
    #[arg(long, value_parser = within(1..=LARGEST), value_name = "N", help_heading = "Model")]
    pub ffn_dim: Option<usize>,
    /// Context length in tokens
    #[arg(long, value_parser = within(1..=LARGEST), value_name = "N", help_heading = "Model")]
    pub context: Option<usize>,
    /// Give the output head its own matrix [default: false]
    ///
    /// By default it shares the matrix of the token embedding.
    #[arg(long, num_args = 0..=1, default_missing_value = "true", value_name = "BOOL", help_heading = "Model")]
    pub untie: Option<bool>,
    /// Epsilon of the norms [default: 1e-5]
    #[arg(long, value_parser = within(1e-12..=1.0), value_name = "EPS", help_heading = "Model")]
    pub norm_eps: Option<f64>,
    /// Base of the rotary frequencies [default: 10000]
    ///
    /// llama only.
    #[arg(long, value_parser = within(1.0..=1e12), value_name = "BASE", help_heading = "Model")]
    pub rope_theta: Option<f64>,
    /// Standard deviation of the initial weights [default: sqrt(2 / (5 dim))]
    #[arg(long, value_parser = within(1e-6..=1.0), value_name = "STD", help_heading = "Model")]
    pub init_std: Option<f64>,
    /// Factor of the initial weights of the FFN's output. `compare --match-init` chooses it. It has no flag.
    #[arg(skip)]
    pub ffn_init_scale: Option<f64>,
    /// Dropout probability
    ///
    /// Dropout follows the embedding, attention and FFN, while training only.
    #[arg(long, value_parser = within(0.0..=0.99), value_name = "P", help_heading = "Model")]
    pub dropout: Option<f64>,

    /// Sequences per forward pass
    #[arg(long, value_parser = within(1..=MANY), value_name = "N", help_heading = "Training")]
    pub batch_size: Option<usize>,
    /// Forward and backward passes per optimizer update
    #[arg(long, value_parser = within(1..=MANY), value_name = "N", help_heading = "Training")]
    pub grad_accum: Option<usize>,
    /// Optimizer updates
    #[arg(long, value_parser = within(1..=MOST_STEPS), value_name = "N", conflicts_with = "epochs", help_heading = "Training")]
    pub steps: Option<usize>,
    /// Passes over the training text, instead of --steps
    #[arg(long, value_parser = within(1e-6..=1e9), value_name = "N", help_heading = "Training")]
    pub epochs: Option<f64>,
    /// What updates the parameters [default: adamw]
    ///
    /// muon makes the updates of the matrices in attention and FFN orthogonal, scaled so that --lr suits both. AdamW updates
    /// the rest.
    #[arg(long, help_heading = "Training")]
    pub optimizer: Option<OptimizerKind>,
    /// Peak learning rate
    #[arg(long, value_parser = within(0.0..=10.0), value_name = "RATE", help_heading = "Training")]
    pub lr: Option<f64>,
    /// Final learning rate [default: lr / 10]
    ///
    /// The learning rate follows a cosine from its peak to this.
    #[arg(long, value_parser = within(0.0..=10.0), value_name = "RATE", help_heading = "Training")]
    pub min_lr: Option<f64>,
    /// Steps of linear warmup [default: 5% of the steps, at most 100]
    #[arg(long, value_parser = within(0..=MOST_STEPS), value_name = "N", help_heading = "Training")]
    pub warmup: Option<usize>,
    /// Weight decay, on matrices only
    ///
    /// Decoupled from the gradient, as in AdamW.
    #[arg(long, value_parser = within(0.0..=10.0), value_name = "RATE", help_heading = "Training")]
    pub weight_decay: Option<f64>,
    /// AdamW's beta1, the decay rate of the gradient's mean
    #[arg(long, value_parser = within(0.0..=0.999_999), value_name = "B", help_heading = "Training")]
    pub beta1: Option<f64>,
    /// AdamW's beta2, the decay rate of the gradient's square
    #[arg(long, value_parser = within(0.0..=0.999_999), value_name = "B", help_heading = "Training")]
    pub beta2: Option<f64>,
    /// Maximum norm of the gradient; 0 disables clipping
    #[arg(long, value_parser = within(0.0..=1e9), value_name = "NORM", help_heading = "Training")]
    pub grad_clip: Option<f64>,
    /// Steps with NaN or infinity to skip before stopping [default: 0]
    #[arg(long, value_parser = within(0..=MOST_STEPS), value_name = "N", help_heading = "Training")]
    pub skip_bad_steps: Option<usize>,
    /// Seed of the initial weights, the batches and dropout
    #[arg(long, value_parser = within(0..=LARGEST_SEED), value_name = "N", help_heading = "Training")]
    pub seed: Option<u64>,
    /// Steps between evaluations; 0: only at the end
    #[arg(long, value_parser = within(0..=MOST_STEPS), value_name = "N", help_heading = "Training")]
    pub eval_every: Option<usize>,
    /// Steps between checkpoints; 0: only at evaluations and the end
    #[arg(long, value_parser = within(0..=MOST_STEPS), value_name = "N", help_heading = "Training")]
    pub save_every: Option<usize>,
    /// Checkpoints to keep besides best and last
    #[arg(long, value_parser = within(0..=MANY), value_name = "N", help_heading = "Training")]
    pub keep: Option<usize>,

    /// Text to train on
    ///
    /// A file, a directory, a quoted 'pattern*', a .jsonl with "text" in each line, `-` for standard input, `hf:OWNER/NAME/FILE`
    /// of a dataset on the hub, or the built-in `tales[:ja][:facts=N]`.
    #[arg(long, value_name = "SOURCE", help_heading = "Data")]
    pub data: Option<String>,
    /// Text to validate on [default: the last tenth of --data]
    #[arg(long, value_name = "SOURCE", help_heading = "Data")]
    pub val_data: Option<String>,
    /// Encoding of the texts, such as windows-1252 or gbk [default: detected]
    ///
    /// A label of the WHATWG Encoding Standard. UTF-8, UTF-16 and Japanese encodings are detected.
    #[arg(long, value_name = "LABEL", help_heading = "Data")]
    pub encoding: Option<TextEncoding>,
    /// Tokenizer: char, bpe:SIZE, a tokenizer.json, or hf:OWNER/NAME
    #[arg(long, value_name = "KIND", hide_possible_values = true, help_heading = "Data")]
    pub tokenizer: Option<TokenizerKind>,

    /// Threads to compute with [default: all cores]
    #[arg(long, value_parser = within(1..=MOST_THREADS), value_name = "N", help_heading = "Machine")]
    pub threads: Option<usize>,
    /// Implementation of the model [default: fused]
    ///
    /// fused: hand-written kernels for f32 on a CPU. plain: candle's operations.
    #[arg(long, help_heading = "Machine")]
    pub ops: Option<Ops>,
    /// Where to compute: cpu, cuda, cuda:1, metal [default: cpu]
    ///
    /// cuda and metal need a build with that feature, and use candle's operations. Their speed hasn't been measured.
    #[arg(long, value_name = "DEVICE", hide_possible_values = true, help_heading = "Machine")]
    pub device: Option<DeviceKind>,
    /// Names of a preset's own formulas. Reading the preset defines them, and they are saved as formulas.
    #[arg(skip)]
    #[serde(skip_serializing)]
    pub activations: BTreeMap<String, String>,
    /// Runs and presets of tinygpt 0.1 may contain it. It's read and never written.
    #[arg(skip)]
    #[serde(skip_serializing)]
    pub dtype: Option<Precision>,
}

impl Settings {
    /// These settings, completed by `base`.
    pub fn over(&self, base: &Settings) -> Settings {
        let mut merged = base.to_map();
        merged.extend(self.to_map());
        // A length replaces one in the other unit.
        if self.steps.is_some() {
            merged.remove("epochs");
        }
        if self.epochs.is_some() {
            merged.remove("steps");
        }
        serde_json::from_value(merged.into()).expect("settings survive a round trip through JSON")
    }

    /// The settings of a model.
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

    /// The values that are set, by the name of their flag.
    pub fn to_map(&self) -> Map<String, Value> {
        let Ok(Value::Object(mut map)) = Settings::serialize(self, serde_json::value::Serializer) else {
            unreachable!("a struct serializes to an object")
        };
        map.retain(|_, value| !value.is_null());
        map
    }
}

/// Leaves out what isn't set.
impl Serialize for Settings {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.to_map().serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Settings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Settings, D::Error> {
        Settings::deserialize(deserializer)
    }
}
