//! A recipe: settings with every default filled in, checked once, then trusted.

use super::bounds::MOST_STEPS;
use super::{Backbone, ModelConfig, Ops, Settings, TextEncoding};
use crate::activation::Activation;
use crate::support::home;
use crate::{bail_input, input_error};
use anyhow::Result;
use candle_core::Device;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// How long to train.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Length {
    Steps(usize),
    Epochs(f64),
}

/// How text becomes tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenizerKind {
    /// One token per character of the training text, bytes for all others.
    Char,
    /// Byte-level BPE with at most so many tokens, trained on the training text.
    Bpe(usize),
    /// A `tokenizer.json`.
    File(PathBuf),
    /// The `tokenizer.json` of a model on the hub: `owner/name[@revision]`.
    Hub(String),
}

/// A byte-level tokenizer has a token for every byte and one for the end of a text.
const SMALLEST_BPE: usize = 257;
const LARGEST_BPE: usize = 1 << 20;

impl fmt::Display for TokenizerKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TokenizerKind::Char => f.write_str("char"),
            TokenizerKind::Bpe(size) => write!(f, "bpe:{size}"),
            TokenizerKind::File(path) => write!(f, "{}", path.display()),
            TokenizerKind::Hub(repo) => write!(f, "hf:{repo}"),
        }
    }
}

impl FromStr for TokenizerKind {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        if let Some(repo) = text.strip_prefix("hf:") {
            return Ok(TokenizerKind::Hub(repo.to_string()));
        }
        match text.strip_prefix("bpe:").map(str::parse::<usize>) {
            None if text == "char" => Ok(TokenizerKind::Char),
            None if text.ends_with(".json") => Ok(TokenizerKind::File(PathBuf::from(text))),
            Some(Ok(size)) if (SMALLEST_BPE..=LARGEST_BPE).contains(&size) => Ok(TokenizerKind::Bpe(size)),
            Some(_) => bail_input!(
                "'{text}': the vocabulary must have between {SMALLEST_BPE} and {LARGEST_BPE} tokens"
            ),
            None => bail_input!(
                "unknown tokenizer '{text}'; known: char, bpe:<vocabulary>, a tokenizer.json, hf:<owner>/<name>"
            ),
        }
    }
}

serde_by_name!(TokenizerKind);

/// The device that computes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeviceKind {
    Cpu,
    Cuda(usize),
    Metal,
}

impl DeviceKind {
    /// # Errors
    /// If this build or this machine has no such device.
    pub fn open(self) -> Result<Device> {
        let hint = |feature: &str, error: candle_core::Error| {
            input_error!("cannot use --device {self}: {error} (was tinygpt built with --features {feature}?)")
        };
        match self {
            DeviceKind::Cpu => Ok(Device::Cpu),
            DeviceKind::Cuda(index) => Device::new_cuda(index).map_err(|error| hint("cuda", error)),
            DeviceKind::Metal => Device::new_metal(0).map_err(|error| hint("metal", error)),
        }
    }
}

impl fmt::Display for DeviceKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DeviceKind::Cpu => f.write_str("cpu"),
            DeviceKind::Cuda(index) => write!(f, "cuda:{index}"),
            DeviceKind::Metal => f.write_str("metal"),
        }
    }
}

impl FromStr for DeviceKind {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.split_once(':') {
            None if text == "cpu" => Ok(DeviceKind::Cpu),
            None if text == "cuda" => Ok(DeviceKind::Cuda(0)),
            None if text == "metal" => Ok(DeviceKind::Metal),
            Some(("cuda", index)) => match index.parse() {
                Ok(index) => Ok(DeviceKind::Cuda(index)),
                Err(_) => bail_input!("'{text}' is no device; a CUDA device is cuda:0, cuda:1, ..."),
            },
            _ => bail_input!("unknown device '{text}'; known: cpu, cuda, cuda:<number>, metal"),
        }
    }
}

serde_by_name!(DeviceKind);

/// How the parameters are updated, and when the run looks at itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Training {
    pub batch_size: usize,
    pub grad_accum: usize,
    pub length: Length,
    pub lr: f64,
    pub min_lr: f64,
    /// `None`: 5% of the steps, at most 100.
    pub warmup: Option<usize>,
    pub weight_decay: f64,
    pub beta1: f64,
    pub beta2: f64,
    /// 0 turns clipping off.
    pub grad_clip: f64,
    /// Steps with a loss or gradient that is not finite that are skipped, before one ends the run.
    pub skip_bad_steps: usize,
    pub dropout: f64,
    /// Factor of the initial weights of the FFN's output matrices.
    pub ffn_init_scale: f64,
    pub seed: u64,
    pub eval_every: usize,
    pub save_every: usize,
    pub keep: usize,
}

/// A complete, valid description of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct Recipe {
    /// The model, its vocabulary size standing at 1 until the tokenizer is known.
    model: ModelConfig,
    pub training: Training,
    /// Where the text comes from, as `--data` names it.
    pub data: String,
    pub val_data: Option<String>,
    /// Encoding of both; `None`: detected.
    pub encoding: Option<TextEncoding>,
    pub tokenizer: TokenizerKind,
    pub device: DeviceKind,
    pub ops: Ops,
    pub threads: Option<usize>,
    /// What this was made from.
    settings: Settings,
}

/// Takes a value that the preset `default` sets, or says which is missing.
macro_rules! required {
    ($settings:ident . $field:ident) => {
        $settings
            .$field
            .clone()
            .ok_or_else(|| input_error!("--{} is not set", stringify!($field).replace('_', "-")))?
    };
}

impl Recipe {
    /// Fills in derived defaults and checks every value.
    ///
    /// # Errors
    /// A [`Failure::Input`](crate::support::failure::Failure) that names the offending flag.
    pub fn new(settings: Settings) -> Result<Recipe> {
        settings.check()?;
        let settings = without_home(settings);
        let act: Activation = required!(settings.act);
        let dim = required!(settings.dim);
        let heads = required!(settings.heads);
        let model = ModelConfig {
            backbone: settings.backbone.unwrap_or(Backbone::Llama),
            act,
            layers: required!(settings.layers),
            heads,
            kv_heads: settings.kv_heads.unwrap_or(heads),
            dim,
            ffn_dim: settings.ffn_dim.unwrap_or_else(|| act.ffn_dim(dim)),
            context: required!(settings.context),
            vocab_size: 1,
            tied: !settings.untie.unwrap_or(false),
            // Pre-activations of unit-scale inputs then have the same spread at every width, and
            // the usual 0.02 at width 1000. See docs/decisions.md.
            init_std: settings.init_std.unwrap_or_else(|| (2.0 / (5.0 * dim as f64)).sqrt()),
            norm_eps: settings.norm_eps.unwrap_or(1e-5),
            rope_theta: settings.rope_theta.unwrap_or(10_000.0),
        };
        let lr = required!(settings.lr);
        let training = Training {
            batch_size: required!(settings.batch_size),
            grad_accum: required!(settings.grad_accum),
            length: match (settings.steps, settings.epochs) {
                (_, Some(epochs)) => Length::Epochs(epochs),
                (Some(steps), None) => Length::Steps(steps),
                (None, None) => bail_input!("neither --steps nor --epochs is set"),
            },
            lr,
            min_lr: settings.min_lr.unwrap_or(tenth(lr)),
            warmup: settings.warmup,
            weight_decay: required!(settings.weight_decay),
            beta1: required!(settings.beta1),
            beta2: required!(settings.beta2),
            grad_clip: required!(settings.grad_clip),
            skip_bad_steps: settings.skip_bad_steps.unwrap_or(0),
            dropout: required!(settings.dropout),
            ffn_init_scale: settings.ffn_init_scale.unwrap_or(1.0),
            seed: required!(settings.seed),
            eval_every: required!(settings.eval_every),
            save_every: required!(settings.save_every),
            keep: required!(settings.keep),
        };
        training.check()?;
        Ok(Recipe {
            model: model.validated()?,
            training,
            data: required!(settings.data),
            val_data: settings.val_data.clone(),
            encoding: settings.encoding,
            tokenizer: required!(settings.tokenizer),
            device: settings.device.unwrap_or(DeviceKind::Cpu),
            ops: settings.ops.unwrap_or(Ops::Fused),
            threads: settings.threads,
            settings,
        })
    }

    /// The settings it was made from.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Whether both compute the same steps: they may differ in how many, where and how often they
    /// look at themselves.
    pub fn trains_like(&self, other: &Recipe) -> bool {
        let common = |training: &Training| Training {
            length: Length::Steps(1),
            eval_every: 0,
            save_every: 0,
            keep: 0,
            skip_bad_steps: 0,
            ..training.clone()
        };
        self.model == other.model
            && common(&self.training) == common(&other.training)
            && self.tokenizer == other.tokenizer
    }

    /// The recipe with some settings replaced.
    pub fn with(&self, settings: &Settings) -> Result<Recipe> {
        Recipe::new(settings.over(&self.settings))
    }

    /// The model, its vocabulary size standing at 1.
    pub(super) fn shape(&self) -> &ModelConfig {
        &self.model
    }

    pub fn act(&self) -> Activation {
        self.model.act
    }

    pub fn dim(&self) -> usize {
        self.model.dim
    }

    pub fn context(&self) -> usize {
        self.model.context
    }

    /// The model for a tokenizer of `vocab_size` tokens.
    pub fn model(&self, vocab_size: usize) -> Result<ModelConfig> {
        ModelConfig { vocab_size, ..self.model.clone() }.validated()
    }
}

/// A tenth of `x` as it is written: 0.0006 of 0.006, where division gives 0.0006000000000000001.
fn tenth(x: f64) -> f64 {
    format!("{x}e-1").parse().unwrap_or(x / 10.0)
}

/// Settings that can be kept: they name no one's home directory.
fn without_home(settings: Settings) -> Settings {
    let shortened = |path: &String| home::shorten(path);
    Settings {
        data: settings.data.as_ref().map(shortened),
        val_data: settings.val_data.as_ref().map(shortened),
        tokenizer: settings.tokenizer.map(|kind| match kind {
            TokenizerKind::File(path) => TokenizerKind::File(home::shorten(&path.to_string_lossy()).into()),
            kind => kind,
        }),
        ..settings
    }
}

/// Sequences of a whole run at most: with the longest context, tokens can still be counted.
const MOST_SEQUENCES: usize = 1 << 42;

impl Training {
    fn check(&self) -> Result<()> {
        if self.min_lr > self.lr {
            bail_input!("--min-lr is {}, more than --lr, {}", self.min_lr, self.lr);
        }
        // No flag sets it, so that no flag has its bounds.
        if !(0.0..=1e6).contains(&self.ffn_init_scale) {
            bail_input!("ffn-init-scale is {}; it must be a number between 0 and 1e6", self.ffn_init_scale);
        }
        match self.length {
            Length::Steps(steps) => self.check_steps(steps),
            // The text decides how many steps these are.
            Length::Epochs(_) => Ok(()),
        }
    }

    /// Refuses more steps than can be counted, whether they were asked for as steps or as epochs.
    pub fn check_steps(&self, steps: usize) -> Result<()> {
        let asked = match self.length {
            Length::Steps(_) => "--steps".to_string(),
            Length::Epochs(epochs) => format!("--epochs {epochs}"),
        };
        if steps > MOST_STEPS {
            bail_input!("{asked} asks for {steps} steps; the most are {MOST_STEPS}");
        }
        // Batches are numbered over the whole run. Each factor is below 2^31, so that no product of two overflows.
        let sequences = (steps * self.grad_accum).checked_mul(self.batch_size);
        if sequences.is_none_or(|n| n > MOST_SEQUENCES) {
            bail_input!(
                "{steps} steps of --grad-accum {} x --batch-size {} are more than {MOST_SEQUENCES} sequences",
                self.grad_accum,
                self.batch_size
            );
        }
        Ok(())
    }
}
