//! What the runs of a comparison say together: everything that its table, its JSON and its report show.

use super::statistics::Summary;
use super::variant::Variant;
use crate::activation::{Function, Scalar};
use crate::support::text::Text;
use serde::Serialize;
use std::collections::BTreeMap;

/// A comparison, evaluated.
#[derive(Clone, Debug, Serialize)]
pub struct Analysis {
    /// The text, as the user named it.
    pub data: String,
    pub baseline: Variant,
    /// The baseline in words: its value of the first setting in which arms differ.
    pub baseline_name: String,
    /// The outcome in a sentence.
    pub headline: Text,
    pub warnings: Vec<Text>,
    /// The lowest mean final loss first, those of which every run diverged last.
    pub arms: Vec<Arm>,
    /// The pairs that the design tests: see [`Design::contrasts`](super::Design::contrasts).
    pub pairs: Vec<Pair>,
    /// How differences change between the values of a second setting.
    pub interactions: Vec<Interaction>,
    /// Relative differences of loss below this count as none: 0.005 is half a percent.
    pub matters: f64,
    /// The loss of the distribution that the text was drawn from, where known: nats per token.
    pub floor: Option<f64>,
    /// In a grid of learning rates, the one at which arms are also compared: see [`Arm::rates`].
    pub fixed_lr: Option<f64>,
    /// Runs that are done, of those planned.
    pub done: usize,
    pub planned: usize,
}

impl Analysis {
    pub fn arm(&self, variant: Variant) -> Option<&Arm> {
        self.arms.iter().find(|arm| arm.variant == variant)
    }

    /// The comparison of an arm with the baseline.
    pub fn against_baseline(&self, arm: &Arm) -> Option<&Pair> {
        self.pairs.iter().find(|pair| pair.variant == arm.variant && pair.against == arm.baseline)
    }
}

/// A variant at one learning rate: its best of the grid where there is one.
#[derive(Clone, Debug, Serialize)]
pub struct Arm {
    #[serde(rename = "act")]
    pub variant: Variant,
    /// The arm that it is compared with.
    pub baseline: Variant,
    pub lr: f64,
    pub params: usize,
    pub ffn_dim: usize,
    /// Floating-point operations to train on one token.
    pub flops_per_token: f64,
    /// Root mean square of the FFN's outputs before the first step.
    pub ffn_output_rms: f64,
    /// Seeds of the runs that ended, and the loss of each on the whole validation text, nats per token.
    pub seeds: Vec<u64>,
    pub losses: Vec<f64>,
    pub loss: Summary,
    /// The lowest loss of any evaluation, over seeds.
    pub best_loss: Summary,
    /// exp(loss), over seeds.
    pub perplexity: Summary,
    /// NaN if the tokenizer drops some of the text.
    pub bits_per_byte: f64,
    pub tokens_per_second: Spread,
    /// Seconds of training until the baseline's final mean loss was reached, where it was.
    pub seconds_to_baseline: Option<f64>,
    /// Megabytes, at most, while training.
    pub peak_memory: Option<f64>,
    /// Runs that diverged: their seeds.
    pub diverged: Vec<u64>,
    /// Mean final loss at each learning rate of the grid, lowest rate first; one entry without a grid.
    pub rates: Vec<Rate>,
    /// What the arm at its best rate wrote, from the prompt that all arms got.
    pub sample: String,
    /// The activation's learned scalars after training, by `LAYER.NAME`: means over seeds.
    pub scalars: BTreeMap<String, f64>,
    pub curve: Curve,
}

impl Arm {
    /// Each layer's activation after training. Without learned scalars there is none.
    pub fn learned(&self) -> Vec<Function> {
        let scalars = &self.variant.act().program().scalars;
        let of_layer = |layer: usize| {
            let value = |scalar: &Scalar| self.scalars.get(&format!("{layer}.{}", scalar.name)).copied();
            let scalars = scalars.iter().map(value).collect::<Option<_>>()?;
            Some(Function { act: self.variant.act(), scalars })
        };
        if scalars.is_empty() { Vec::new() } else { (0..).map_while(of_layer).collect() }
    }

    /// How much the choice of the learning rate is worth: its highest mean loss over the grid minus its
    /// lowest, infinite where all runs of a rate diverged.
    pub fn sensitivity(&self) -> f64 {
        let means = || self.rates.iter().map(|rate| rate.loss.map_or(f64::INFINITY, |loss| loss.mean));
        means().fold(f64::NEG_INFINITY, f64::max) - means().fold(f64::INFINITY, f64::min)
    }
}

/// An arm's final loss at one learning rate.
#[derive(Clone, Debug, Serialize)]
pub struct Rate {
    pub lr: f64,
    /// None where every run diverged.
    pub loss: Option<Summary>,
    pub diverged: usize,
}

/// A median and the range around it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    pub median: f64,
    pub low: f64,
    pub high: f64,
}

/// Loss on the way, over seeds: validation loss where it was taken often enough, else training loss.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Curve {
    pub is_validation: bool,
    pub tokens: Vec<f64>,
    /// Seconds of training by then, mean over seeds.
    pub seconds: Vec<f64>,
    pub mean: Vec<f64>,
    /// Lowest and highest of the seeds.
    pub low: Vec<f64>,
    pub high: Vec<f64>,
}

/// The difference of two arms' final losses, paired by seed.
#[derive(Clone, Debug, Serialize)]
pub struct Pair {
    #[serde(rename = "act")]
    pub variant: Variant,
    pub against: Variant,
    /// Pairs of runs.
    pub n: usize,
    /// Mean of (act's loss - against's loss).
    pub difference: f64,
    /// Standard deviation of the paired differences; none below two.
    pub std: Option<f64>,
    /// Where the true difference lies, at the confidence that Holm's procedure left this pair; none below
    /// two seeds.
    pub interval: Option<(f64, f64)>,
    /// Holm's adjusted p-value.
    pub p: Option<f64>,
    /// The 95% interval of the bootstrap over pieces of the validation text.
    pub text_interval: Option<(f64, f64)>,
    pub verdict: Verdict,
}

impl Pair {
    /// The seeds that would probably decide an undecided pair.
    pub fn seeds_needed(&self) -> Option<u64> {
        match self.verdict {
            Verdict::Undecided { seeds_needed } => seeds_needed,
            _ => None,
        }
    }
}

/// How the lead of one arm over another differs between two conditions, paired by seed. Leads are shares of the loss of
/// the arm that is led, so that they can be compared where losses differ.
#[derive(Clone, Debug, Serialize)]
pub struct Interaction {
    /// What is compared, and with what, under both conditions: `swiglu`, `relu2`.
    pub name: String,
    pub against: String,
    /// The two conditions: `adamw`, `muon`.
    pub conditions: [String; 2],
    pub leads: [f64; 2],
    /// Pairs of pairs of runs.
    pub n: usize,
    /// The second lead minus the first.
    pub difference: f64,
    /// Where the true difference lies, at the confidence that Holm's procedure left.
    pub interval: Option<(f64, f64)>,
    pub p: Option<f64>,
}

/// What may be said of a pair.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    Better,
    Worse,
    /// The difference is smaller than what matters. The interval of the other two excludes 0.
    Equal,
    EqualSlightlyBetter,
    EqualSlightlyWorse,
    /// About so many seeds would tell, where fewer than a thousand would.
    Undecided {
        seeds_needed: Option<u64>,
    },
    /// Fewer than three seeds: no claim.
    TooFewSeeds,
    /// Runs of one of the two diverged.
    Diverged,
}

impl Verdict {
    pub fn is_equal(self) -> bool {
        matches!(self, Verdict::Equal | Verdict::EqualSlightlyBetter | Verdict::EqualSlightlyWorse)
    }

    /// In one word, for programs.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Better => "better",
            Verdict::Worse => "worse",
            Verdict::Equal => "equal",
            Verdict::EqualSlightlyBetter => "equal_slightly_better",
            Verdict::EqualSlightlyWorse => "equal_slightly_worse",
            Verdict::Undecided { .. } => "undecided",
            Verdict::TooFewSeeds => "too_few_seeds",
            Verdict::Diverged => "diverged",
        }
    }
}
