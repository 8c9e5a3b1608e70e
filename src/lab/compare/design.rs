//! Which runs a comparison has.

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

/// An activation and what its runs have of their own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ArmDesign {
    pub act: Activation,
    /// Where it is not the activation's default.
    pub ffn_dim: Option<usize>,
    /// Where initial outputs are matched.
    pub ffn_init_scale: Option<f64>,
}

impl ArmDesign {
    pub fn new(act: Activation) -> ArmDesign {
        ArmDesign { act, ffn_dim: None, ffn_init_scale: None }
    }
}

/// What is compared, fixed before the first run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Design {
    pub arms: Vec<ArmDesign>,
    pub baseline: Activation,
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

/// One run.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Run {
    pub act: Activation,
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
                    let ArmDesign { act, ffn_dim, ffn_init_scale } = *arm;
                    runs.push(Run { act, lr, seed, ffn_dim, ffn_init_scale });
                }
            }
        }
        runs
    }

    /// The rates of the grid, or one that is not said.
    pub fn rates_or_none(&self) -> Vec<Option<f64>> {
        if self.rates.is_empty() { vec![None] } else { self.rates.iter().copied().map(Some).collect() }
    }

    /// The pairs of arms that are tested: each arm against the baseline and, with `all_pairs`, against the arms
    /// after it. Results can't change them, or a difference picked for its size would pass as one of a few.
    pub fn contrasts(&self) -> Vec<(Activation, Activation)> {
        let others: Vec<Activation> =
            self.arms.iter().map(|arm| arm.act).filter(|act| *act != self.baseline).collect();
        let mut contrasts: Vec<_> = others.iter().map(|&act| (act, self.baseline)).collect();
        if self.all_pairs {
            for (i, &act) in others.iter().enumerate() {
                contrasts.extend(others[i + 1..].iter().map(|&later| (act, later)));
            }
        }
        contrasts
    }
}

impl Run {
    /// What this run is told beyond what all runs are told.
    pub fn settings(&self) -> Settings {
        Settings {
            act: Some(self.act),
            lr: self.lr,
            seed: Some(self.seed),
            ffn_dim: self.ffn_dim,
            ffn_init_scale: self.ffn_init_scale,
            ..Settings::default()
        }
    }

    /// Whether both are the same run of a comparison.
    pub fn is(&self, other: &Run) -> bool {
        (self.act, self.seed) == (other.act, other.seed) && self.lr == other.lr
    }

    /// `gelu seed 2`, `gelu lr 1e-3 seed 2`
    pub fn label(&self) -> String {
        let lr = self.lr.map_or(String::new(), |lr| format!(" lr {}", setting(lr)));
        format!("{}{lr} seed {}", self.act, self.seed)
    }

    /// The name of its directory: `relu-seed1`, `relu-lr0.001-seed1`. With every digit of the rate, as
    /// directories of earlier versions have it.
    pub fn name(&self) -> String {
        let lr = self.lr.map_or(String::new(), |lr| format!("-lr{lr}"));
        format!("{}{lr}-seed{}", self.act.file_name(), self.seed)
    }

    /// Whether [`Run::name`] gives such names.
    pub fn is_name(name: &str) -> bool {
        let Some((arm, seed)) = name.rsplit_once("-seed") else { return false };
        let act = match arm.rsplit_once("-lr") {
            Some((act, lr)) if lr.parse::<f64>().is_ok() => act,
            _ => arm,
        };
        let is_act = |act: &str| act.parse::<Activation>().is_ok_and(|found| found.file_name() == act);
        let is_formula =
            act.strip_prefix("formula_").is_some_and(|hash| hash.chars().all(|c| c.is_ascii_hexdigit()));
        (is_act(act) || is_act(&act.replacen('-', ":", 1)) || is_formula) && seed.parse::<u64>().is_ok()
    }
}
