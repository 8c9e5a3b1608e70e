//! A recipe: settings with every default filled in, checked once, then trusted.

use super::bounds::MOST_STEPS;
use super::{Backbone, ModelConfig, Ops, OptimizerKind, Settings, TextEncoding};
use crate::activation::Activation;
use crate::support::home;
use crate::{bail_input, input_error};
use anyhow::Result;
use candle_core::Device;
use serde::Deserialize;
use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

/// How long to train.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "lowercase")]
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
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Training {
    pub batch_size: usize,
    pub grad_accum: usize,
    #[serde(flatten)]
    pub length: Length,
    pub optimizer: OptimizerKind,
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
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct Recipe {
    /// The model, its vocabulary size standing at 1 until the tokenizer is known.
    #[serde(flatten)]
    model: ModelConfig,
    #[serde(flatten)]
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
    #[serde(skip)]
    settings: Settings,
    /// The same with every default filled in.
    #[serde(skip)]
    effective: Settings,
}

impl Recipe {
    /// Fills in derived defaults and checks every value.
    ///
    /// # Errors
    /// A [`Failure::Input`](crate::support::failure::Failure) that names the offending flag.
    pub fn new(settings: Settings) -> Result<Recipe> {
        settings.check()?;
        let settings = without_home(settings);
        let effective = settings.over(&derived_defaults(&settings));
        if (effective.steps, effective.epochs) == (None, None) {
            bail_input!("neither --steps nor --epochs is set");
        }
        let mut values = effective.to_map();
        values.insert("tied".to_string(), (effective.untie != Some(true)).into());
        values.insert("vocab-size".to_string(), 1.into());
        let recipe: Recipe = serde_json::from_value(values.into())
            .map_err(|error| input_error!("the settings are incomplete: {error}"))?;
        recipe.training.check()?;
        Ok(Recipe { model: recipe.model.validated()?, settings, effective, ..recipe })
    }

    /// The settings it was made from.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The settings with every default filled in. As flags they describe this recipe completely; a warmup
    /// that depends on the number of steps stays open.
    pub fn effective(&self) -> Settings {
        self.effective.clone()
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

/// The defaults that depend on other settings, and those of settings that version 0.1 did not save.
fn derived_defaults(settings: &Settings) -> Settings {
    let Settings { act, dim, heads, lr, .. } = settings;
    Settings {
        backbone: Some(Backbone::Llama),
        kv_heads: *heads,
        ffn_dim: act.zip(*dim).map(|(act, dim)| act.ffn_dim(dim)),
        untie: Some(false),
        norm_eps: Some(1e-5),
        rope_theta: Some(10_000.0),
        // Pre-activations of unit-scale inputs then have the same spread at every width, and
        // the usual 0.02 at width 1000. See docs/decisions.md.
        init_std: dim.map(|dim| (2.0 / (5.0 * dim as f64)).sqrt()),
        ffn_init_scale: Some(1.0),
        optimizer: Some(OptimizerKind::Adamw),
        min_lr: lr.map(tenth),
        skip_bad_steps: Some(0),
        ops: Some(Ops::Fused),
        device: Some(DeviceKind::Cpu),
        ..Settings::default()
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::PRESETS;
    use clap::Args;

    #[test]
    fn effective_settings_give_the_same_recipe_and_set_every_flag() {
        // `steps` and `epochs` are one choice; the others have no value until text and machine are known.
        let open = ["warmup", "epochs", "val-data", "encoding", "threads"];
        let command = Settings::augment_args(clap::Command::new("train"));
        for preset in PRESETS {
            let recipe = Recipe::new(Settings::preset(preset.name).unwrap()).unwrap();
            let effective = recipe.effective();
            let again = Recipe::new(effective.clone()).unwrap();
            assert!(again.trains_like(&recipe) && again.effective() == effective, "{}", preset.name);
            let said = effective.to_map();
            for flag in command.get_arguments().filter_map(|arg| arg.get_long()) {
                assert!(said.contains_key(flag) || open.contains(&flag), "{}: {flag}", preset.name);
            }
        }
    }
}
