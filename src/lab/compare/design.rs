//! Which runs a comparison has.

use super::variant::Variant;
use crate::activation::Activation;
use crate::settings::Settings;
use crate::support::numbers::setting;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// What makes arms equal that cannot be equal in everything.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Matching {
    /// The number of parameters, to the nearest 8 hidden units
    Params,
    /// Arithmetic per token, the activation's own included, to the nearest 8 hidden units
    Flops,
}

/// A variant and what is made equal for its runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArmDesign {
    #[serde(rename = "act")]
    pub variant: Variant,
    /// Where it is not the activation's default.
    pub ffn_dim: Option<usize>,
    /// Where initial outputs are matched.
    pub ffn_init_scale: Option<f64>,
}

impl ArmDesign {
    pub fn new(variant: impl Into<Variant>) -> ArmDesign {
        ArmDesign { variant: variant.into(), ffn_dim: None, ffn_init_scale: None }
    }

    /// What its runs are told beyond what all runs are told.
    pub fn settings(&self) -> Settings {
        let own = self.variant.settings();
        Settings { ffn_dim: self.ffn_dim, ffn_init_scale: self.ffn_init_scale, ..own }
    }
}

/// What is compared, fixed before the first run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Design {
    pub arms: Vec<ArmDesign>,
    /// The settings in which arms differ, one or two. Arms are compared over the values of the first; the second is a
    /// condition under which they are.
    #[serde(default = "only_act")]
    pub keys: Vec<String>,
    pub baseline: Variant,
    pub seeds: Vec<u64>,
    /// Learning rates of a grid, lowest first; empty where all runs have that of the settings.
    pub rates: Vec<f64>,
    /// Whether every pair of arms is tested, or each arm against the baseline.
    #[serde(default)]
    pub all_pairs: bool,
    /// The least relative difference of loss that matters: 0.005 is half a percent.
    pub matters: f64,
    pub matching: Matching,
    pub match_init: bool,
}

/// Comparisons of tinygpt 0.1 differ in the activation only.
fn only_act() -> Vec<String> {
    vec!["act".to_string()]
}

/// One run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    #[serde(rename = "act")]
    pub variant: Variant,
    /// In a grid of learning rates.
    pub lr: Option<f64>,
    pub seed: u64,
    #[serde(skip)]
    pub ffn_dim: Option<usize>,
    #[serde(skip)]
    pub ffn_init_scale: Option<f64>,
}

impl Design {
    /// Every run. Seeds outside, activations inside: what is done at any time is a comparison.
    pub fn runs(&self) -> Vec<Run> {
        let mut runs = Vec::new();
        for &seed in &self.seeds {
            for lr in self.rates_or_none() {
                for arm in &self.arms {
                    let ArmDesign { variant, ffn_dim, ffn_init_scale } = *arm;
                    runs.push(Run { variant, lr, seed, ffn_dim, ffn_init_scale });
                }
            }
        }
        runs
    }

    /// The rates of the grid, or one that is not said.
    pub fn rates_or_none(&self) -> Vec<Option<f64>> {
        if self.rates.is_empty() { vec![None] } else { self.rates.iter().copied().map(Some).collect() }
    }

    /// The arm that an arm is compared with: the baseline, under the arm's own condition.
    pub fn baseline_of(&self, variant: Variant) -> Variant {
        match self.keys.as_slice() {
            [first, _] => variant.with_value_of(first, self.baseline),
            _ => self.baseline,
        }
    }

    /// The pairs of arms that are tested, under each condition: each arm against the baseline and, with `all_pairs`,
    /// against the arms after it. Results can't change them, or a difference picked for its size would pass as one of
    /// a few.
    pub fn contrasts(&self) -> Vec<(Variant, Variant)> {
        let others: Vec<Variant> = self.arms.iter().map(|arm| arm.variant).collect();
        let others: Vec<Variant> = others.into_iter().filter(|&arm| arm != self.baseline_of(arm)).collect();
        let mut contrasts: Vec<_> = others.iter().map(|&arm| (arm, self.baseline_of(arm))).collect();
        for (i, &arm) in others.iter().enumerate().filter(|_| self.all_pairs) {
            let later = others[i + 1..].iter().filter(|&&later| self.condition(later) == self.condition(arm));
            contrasts.extend(later.map(|&later| (arm, later)));
        }
        contrasts
    }

    /// The pairs whose difference is compared between conditions: that of the first condition, and the same under
    /// each other one.
    pub fn interactions(&self) -> Vec<[(Variant, Variant); 2]> {
        let pairs = self.contrasts();
        let first = self.condition(self.baseline);
        let is_first = |&&(arm, _): &&(Variant, Variant)| self.condition(arm) == first;
        let same = |a: (Variant, Variant), b: (Variant, Variant)| match self.keys.as_slice() {
            [key, _] => (a.0.value(key), a.1.value(key)) == (b.0.value(key), b.1.value(key)),
            _ => false,
        };
        let others = |&pair: &(Variant, Variant)| {
            let others = pairs.iter().filter(move |&&other| other != pair && same(pair, other));
            others.map(move |&other| [pair, other]).collect::<Vec<_>>()
        };
        pairs.iter().filter(is_first).flat_map(others).collect()
    }

    /// An arm's value of the second key.
    pub fn condition(&self, variant: Variant) -> Option<String> {
        self.keys.get(1).map(|key| variant.said(key))
    }

    /// The baseline's value of the first key.
    pub fn baseline_name(&self) -> String {
        self.keys.first().map_or(String::new(), |key| self.baseline.said(key))
    }

    /// How many tests share the error rate.
    pub fn tests(&self) -> usize {
        self.contrasts().len() + self.interactions().len()
    }

    /// The arm of this name: its label, or its activation as `--act` takes it.
    pub fn find(&self, name: &str) -> Option<Variant> {
        let act = name.parse::<Activation>().ok().map(Variant::from);
        self.arms.iter().map(|arm| arm.variant).find(|arm| arm.label() == name.trim() || Some(*arm) == act)
    }
}

impl Run {
    /// What this run is told beyond what all runs are told.
    pub fn settings(&self) -> Settings {
        let own = self.variant.settings();
        Settings {
            lr: self.lr.or(own.lr),
            seed: Some(self.seed),
            ffn_dim: self.ffn_dim,
            ffn_init_scale: self.ffn_init_scale,
            ..own
        }
    }

    /// Whether both are the same run of a comparison.
    pub fn is(&self, other: &Run) -> bool {
        (self.variant, self.seed) == (other.variant, other.seed) && self.lr == other.lr
    }

    /// `gelu seed 2`, `gelu lr 1e-3 seed 2`
    pub fn label(&self) -> String {
        let lr = self.lr.map_or(String::new(), |lr| format!(" lr {}", setting(lr)));
        format!("{}{lr} seed {}", self.variant, self.seed)
    }

    /// The name of its directory: `relu-seed1`, `relu-lr0.001-seed1`. With every digit of the rate, as
    /// directories of earlier versions have it.
    pub fn name(&self) -> String {
        let lr = self.lr.map_or(String::new(), |lr| format!("-lr{lr}"));
        format!("{}{lr}-seed{}", self.variant.file_name(), self.seed)
    }

    /// Whether [`Run::name`] gives such names.
    pub fn is_name(name: &str) -> bool {
        let Some((arm, seed)) = name.rsplit_once("-seed") else { return false };
        let act = match arm.rsplit_once("-lr") {
            Some((act, lr)) if lr.parse::<f64>().is_ok() => act,
            _ => arm,
        };
        let (act, others) = act.split_once('+').unwrap_or((act, ""));
        let is_setting = |word: &str| word.is_empty() || word.contains('=');
        if !others.split('+').all(is_setting) {
            return false;
        }
        let is_act = |act: &str| act.parse::<Activation>().is_ok_and(|found| found.file_name() == act);
        let is_formula =
            act.strip_prefix("formula_").is_some_and(|hash| hash.chars().all(|c| c.is_ascii_hexdigit()));
        (is_act(act) || is_act(&act.replacen('-', ":", 1)) || is_formula) && seed.parse::<u64>().is_ok()
    }
}
