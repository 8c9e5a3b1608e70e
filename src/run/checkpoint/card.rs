//! The model card of a checkpoint: a `README.md` that opens with what the hub reads
//! (<https://huggingface.co/docs/hub/model-cards>). It is for all to see: of paths it has the last part.

use super::config::loads_in;
use super::manifest::CARD;
use super::trainer::TrainerState;
use crate::settings::{ModelConfig, Settings};
use crate::support::files::replace;
use crate::support::numbers::grouped;
use crate::support::output::shell_word;
use anyhow::Result;
use serde_json::{Value, json};
use std::path::Path;

/// How well the checkpoint predicts the validation text.
pub struct Metrics {
    /// Nats per token.
    pub loss: f64,
    pub perplexity: f64,
    /// None if the tokenizer drops some of the text.
    pub bits_per_byte: Option<f64>,
}

impl Metrics {
    fn named(&self) -> impl Iterator<Item = (&'static str, f64)> {
        let bits = self.bits_per_byte.map(|bits| ("bits_per_byte", bits));
        [("loss", self.loss), ("perplexity", self.perplexity)].into_iter().chain(bits)
    }
}

/// Flags that say where and how often something happens, and not what is computed.
const NO_MATTER: [&str; 5] = ["threads", "device", "ops", "save-every", "keep"];

/// Writes the card, or replaces it once the checkpoint has metrics.
pub fn write_card(
    directory: &Path,
    config: &ModelConfig,
    trainer: &TrainerState,
    metrics: Option<&Metrics>,
) -> Result<()> {
    let text = front_matter(config, trainer, metrics) + &body(config, trainer, metrics)?;
    replace(&directory.join(CARD), text.as_bytes())
}

/// JSON strings are YAML strings.
fn front_matter(config: &ModelConfig, trainer: &TrainerState, metrics: Option<&Metrics>) -> String {
    let act = config.act.name();
    let library = if loads_in(config.backbone, config.act).is_ok() { "transformers" } else { "tinygpt" };
    let mut yaml = format!(
        "---\nlibrary_name: {library}\npipeline_tag: text-generation\ntags:\n- tinygpt\n- {}\n",
        json!(act)
    );
    if let Some(base) = trainer.init.as_deref().and_then(hub_repository) {
        yaml += &format!("base_model: {}\n", json!(base));
    }
    let data = trainer.settings.data.as_deref().unwrap_or_default();
    if let Some(dataset) = hub_repository(data) {
        yaml += &format!("datasets:\n- {}\n", json!(dataset));
    }
    if let Some(metrics) = metrics {
        let scored = json!(public(trainer.settings.val_data.as_deref().unwrap_or(data)));
        yaml += &format!(
            "model-index:\n- name: {}\n  results:\n  - task:\n      type: text-generation\n    dataset:\n      name: {scored}\n      type: {scored}\n      split: validation\n    metrics:\n",
            json!(act)
        );
        for (name, value) in metrics.named() {
            yaml += &format!("    - type: {name}\n      value: {value}\n");
        }
    }
    yaml + "---\n"
}

fn body(config: &ModelConfig, trainer: &TrainerState, metrics: Option<&Metrics>) -> Result<String> {
    let data = trainer.settings.data.as_deref().unwrap_or_default();
    let mut text = format!(
        "\n# {act}, {params} parameters\n\nA GPT whose FFNs compute {formula}, trained by tinygpt on {data}: {step} of {steps} steps, {tokens} tokens.\n",
        act = config.act,
        params = grouped(trainer.params),
        formula = config.act.formula(),
        data = public(data),
        step = grouped(trainer.step),
        steps = grouped(trainer.steps),
        tokens = grouped(trainer.tokens as usize),
    );
    if let Some(metrics) = metrics {
        text += "\n| on the validation text | |\n|---|---:|\n";
        for (name, value) in metrics.named() {
            text += &format!("| {} | {value:.4} |\n", name.replace('_', " "));
        }
    }
    text += &format!("\nMade by\n\n    {}\n\nIt goes on from a text by\n\n", command(config, trainer)?);
    text += "    tinygpt generate --checkpoint hf:OWNER/NAME --prompt Once\n";
    if let Ok(class) = loads_in(config.backbone, config.act) {
        text += &format!(
            "\nand is a `{class}` of transformers: `AutoModelForCausalLM.from_pretrained(\"OWNER/NAME\")`.\n"
        );
    }
    text += "\nNo license is given: whoever publishes this chooses one, as `license:` between the dashes above.\n";
    Ok(text)
}

/// The command that makes this checkpoint: flags that differ from their defaults.
fn command(config: &ModelConfig, trainer: &TrainerState) -> Result<String> {
    let (base, decided) = match trainer.init {
        Some(_) => (Settings::fine_tuning()?, Settings::of_model(config).to_map()),
        None => (Settings::preset("default")?, Settings::default().to_map()),
    };
    let base = base.to_map();
    let mut words = vec!["tinygpt".to_string(), "train".to_string()];
    if let Some(init) = &trainer.init {
        words.extend(["--init".to_string(), public(init)]);
        if trainer.settings.context.is_some() {
            words.extend(["--context".to_string(), config.context.to_string()]);
        }
    }
    for (flag, value) in trainer.settings.to_map() {
        let from_origin = decided.contains_key(&flag) || trainer.init.is_some() && flag == "tokenizer";
        if from_origin || NO_MATTER.contains(&flag.as_str()) || base.get(&flag) == Some(&value) {
            continue;
        }
        words.push(format!("--{flag}"));
        words.push(match value {
            Value::String(text) if ["data", "val-data", "tokenizer"].contains(&flag.as_str()) => {
                public(&text)
            }
            Value::String(text) => text,
            other => other.to_string(),
        });
    }
    let words: Vec<String> = words.iter().map(|word| shell_word(word)).collect();
    Ok(words.join(" "))
}

/// `owner/name` of what is on the hub.
fn hub_repository(name: &str) -> Option<String> {
    let path = name.strip_prefix("hf:")?.split('@').next()?;
    Some(path.splitn(3, '/').take(2).collect::<Vec<_>>().join("/"))
}

/// A source or a file by its name alone.
fn public(name: &str) -> String {
    if name.starts_with("hf:") {
        return name.to_string();
    }
    Path::new(name).file_name().map_or(name.to_string(), |last| last.to_string_lossy().into_owned())
}
