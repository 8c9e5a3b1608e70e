//! What the runs of a comparison have in common, and the file that holds it.

use super::design::Design;
use super::variant::Variant;
use crate::bail_input;
use crate::settings::Settings;
use crate::support::files::replace;
use crate::support::record;
use anyhow::Result;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::path::Path;
use std::time::Duration;

pub const COMPARISON: &str = "compare.json";
/// Bytes that it may have: room for a million seeds.
const LARGEST: u64 = 1 << 24;

/// What every run of a comparison has in common, and the comparison's own settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Comparison {
    pub design: Design,
    /// The settings that all runs share.
    pub settings: Settings,
    /// The text and its tokenizer: [`Dataset::fingerprint`](crate::data::Dataset::fingerprint).
    pub text: String,
    /// The command that began it.
    pub command: String,
    /// The `--budget` that chose its steps and seeds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Duration>,
}

impl Comparison {
    /// What must be equal for runs to be compared: all but which runs there are, and how they are shown.
    pub fn identity(&self) -> Value {
        let mut settings = self.settings.to_map();
        // Where the text is may change: `text` says what it is.
        for own in ["act", "seed", "threads", "keep", "data", "val-data"] {
            settings.remove(own);
        }
        let is_grid = !self.design.rates.is_empty();
        if is_grid {
            settings.remove("lr");
        }
        for key in &self.design.keys {
            settings.remove(key);
        }
        let Design { matching, match_init, .. } = self.design;
        serde_json::json!({
            "settings": settings, "text": self.text, "grid": is_grid, "matching": matching, "match_init": match_init,
        })
    }

    /// True if this comparison repeats or extends `saved`: its runs have what must be equal in common, and none
    /// of them is left out.
    pub fn continues(&self, saved: &Comparison) -> bool {
        self.identity() == saved.identity() && self.left_out(saved) == 0
    }

    /// Arms, seeds, learning rates and tested pairs of `saved` that this comparison doesn't have. Which pairs are
    /// tested is fixed before the first run; more of them make every test stricter.
    fn left_out(&self, saved: &Comparison) -> usize {
        let (own, saved) = (&self.design, &saved.design);
        let contrasts = own.contrasts();
        let is_tested = |&(a, b): &(Variant, Variant)| {
            contrasts.iter().any(|&tested| tested == (a, b) || tested == (b, a))
        };
        saved.arms.iter().filter(|arm| !own.arms.contains(arm)).count()
            + saved.seeds.iter().filter(|seed| !own.seeds.contains(seed)).count()
            + saved.rates.iter().filter(|rate| !own.rates.contains(rate)).count()
            + saved.contrasts().iter().filter(|pair| !is_tested(pair)).count()
    }
}

/// The comparison in a directory.
///
/// # Errors
/// If there is none.
pub fn load(path: &Path) -> Result<Comparison> {
    match read(path) {
        Some(comparison) => comparison,
        None => bail_input!("{} holds no comparison: there is no {COMPARISON}", path.display()),
    }
}

/// The comparison in a directory, if there is one.
pub fn read(path: &Path) -> Option<Result<Comparison>> {
    let file = path.join(COMPARISON);
    file.exists().then(|| record::read(&file, LARGEST))
}

/// Writes it to a directory.
pub fn write(path: &Path, comparison: &Comparison) -> Result<()> {
    replace(&path.join(COMPARISON), record::page(comparison)?.as_bytes())
}
