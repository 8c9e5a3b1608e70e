//! Which run a run is: a hash of everything that decides its result. Its directory's name is only a label.

use super::comparison::Comparison;
use super::design::Run;
use crate::settings::Recipe;
use anyhow::Result;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};

/// Settings that don't change a result: what a run keeps and computes with, and where its text is. The text's
/// fingerprint stands for text and tokenizer.
const NO_MATTER: [&str; 7] = ["threads", "keep", "save-every", "data", "val-data", "encoding", "tokenizer"];

/// Settings that came after version 0.1, with the value that means the same as none.
const LATER: [(&str, &str); 1] = [("optimizer", "adamw")];

/// The identity of a run with these settings on the text with this fingerprint. It lasts over versions: a setting
/// that is added later goes into it only where it differs from its default.
pub fn identity(recipe: &Recipe, text: &str) -> String {
    let mut settings = recipe.effective().to_map();
    let is_new_default =
        |name: &str, value: &Value| LATER.contains(&(name, value.as_str().unwrap_or_default()));
    settings.retain(|name, value| !NO_MATTER.contains(&name.as_str()) && !is_new_default(name, value));
    // In an order of their own, since that of the flags may change.
    let settings: BTreeMap<_, _> = settings.into_iter().collect();
    let said = serde_json::json!([settings, text]).to_string();
    Sha256::digest(said).iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// The identities of a comparison's runs, by their names.
///
/// # Errors
/// If the comparison's settings describe no run.
pub fn identities(comparison: &Comparison) -> Result<HashMap<String, String>> {
    let recipe = Recipe::new(comparison.settings.clone())?;
    let identity = |run: Run| Ok((run.name(), identity(&recipe.with(&run.settings())?, &comparison.text)));
    comparison.design.runs().into_iter().map(identity).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    /// The settings of a comparison by tinygpt 0.1.
    fn comparison() -> Comparison {
        serde_json::from_str(include_str!("../../../tests/fixtures/0.1/comparison/compare.json")).unwrap()
    }

    fn id(change: &Settings) -> String {
        identity(&Recipe::new(change.over(&comparison().settings)).unwrap(), "a text")
    }

    /// With other values, every finished run of earlier versions would be refused.
    #[test]
    fn run_identity_is_stable_across_versions() {
        let identities = identities(&comparison()).unwrap();
        assert_eq!(identities["relu-seed1"], "df37fa3fbf4ed827a6067ad51b50b4c1");
    }

    #[test]
    fn run_identity_depends_on_everything_that_affects_results() {
        let own = id(&Settings::default());
        let changes = [
            Settings { seed: Some(7), ..Settings::default() },
            Settings { act: "relu".parse().ok(), ..Settings::default() },
            Settings { lr: Some(2e-3), ..Settings::default() },
            Settings { ffn_dim: Some(24), ..Settings::default() },
            Settings { ffn_init_scale: Some(1.5), ..Settings::default() },
        ];
        assert!(changes.iter().all(|change| id(change) != own));
        let elsewhere = Settings {
            data: Some("copy.txt".to_string()),
            threads: Some(3),
            keep: Some(9),
            ..Settings::default()
        };
        assert_eq!(id(&elsewhere), own);
    }
}
