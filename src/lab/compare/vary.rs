//! `--vary`: a setting and the values that arms have of it.

use crate::activation::{self, Activation};
use crate::bail_input;
use crate::input_error;
use crate::settings::Settings;
use anyhow::Result;
use serde_json::Value;
use std::str::FromStr;

/// Settings that arms can differ in.
const KEYS: [&str; 9] =
    ["act", "optimizer", "lr", "dim", "layers", "dropout", "init-std", "backbone", "batch-size"];

/// A setting and its values, each as the settings that it stands for.
#[derive(Clone, Debug, PartialEq)]
pub struct Vary {
    pub key: String,
    pub values: Vec<Settings>,
}

impl Vary {
    pub fn acts(acts: &[Activation]) -> Vary {
        let value = |&act: &Activation| Settings { act: Some(act), ..Settings::default() };
        Vary { key: "act".to_string(), values: acts.iter().map(value).collect() }
    }
}

impl FromStr for Vary {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Vary> {
        let Some((key, list)) = text.split_once('=') else {
            bail_input!("write it as KEY=A,B, such as optimizer=adamw,muon or dim=64,128");
        };
        if !KEYS.contains(&key) {
            bail_input!("arms can't differ in '{key}'; they can in {}", KEYS.join(", "));
        }
        let words = match key {
            "act" => activation::in_list(list),
            _ => list.split(',').map(str::trim).collect(),
        };
        let mut values = Vec::new();
        for word in words {
            // A number where it reads as one, like a value in a preset.
            let value = word.parse::<u64>().map(Value::from);
            let value =
                value.or_else(|_| word.parse::<f64>().map(Value::from)).unwrap_or_else(|_| word.into());
            let settings = serde_json::from_value::<Settings>(serde_json::json!({ key: value }))
                .map_err(|error| input_error!("'{word}' is no value of {key}: {error}"))?;
            if !values.contains(&settings) {
                values.push(settings);
            }
        }
        if values.len() < 2 {
            bail_input!("{key} needs two different values or more");
        }
        Ok(Vary { key: key.to_string(), values })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_setting_and_its_values_are_read() {
        let vary: Vary = "dim=64, 128,64".parse().unwrap();
        assert_eq!(vary.values.iter().map(|value| value.dim).collect::<Vec<_>>(), [Some(64), Some(128)]);
        assert_eq!("act=max(0, x),gelu".parse::<Vary>().unwrap().values.len(), 2);
        for (text, part) in [
            ("dim", "KEY=A,B"),
            ("seed=1,2", "can't differ in 'seed'"),
            ("dim=64", "two different values"),
            ("dim=64,wide", "'wide' is no value of dim"),
            ("backbone=llama,bert", "'bert' is no value of backbone"),
        ] {
            let error = text.parse::<Vary>().unwrap_err().to_string();
            assert!(error.contains(part), "{text}: {error}");
        }
    }
}
