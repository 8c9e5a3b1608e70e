//! The outcome of a comparison in words.

use super::analysis::{Analysis, Arm, Pair, Verdict};
use super::statistics::LEAST_SEEDS;
use crate::activation::Activation;
use crate::support::output::{percent_decimals, setting};
use std::collections::BTreeSet;

/// A final loss this far above the lowest evaluation has risen: half a percent.
const ROSE: f64 = 0.005;

/// The outcome in a sentence or two.
pub fn headline(analysis: &Analysis) -> String {
    let arms: Vec<&Arm> = analysis.arms.iter().filter(|arm| arm.loss.n > 0).collect();
    let (winner, runner_up) = match arms.as_slice() {
        [] => return "No run is finished yet.".to_string(),
        [only] => {
            return format!(
                "Only {} has finished runs, with a final loss of {:.4}.",
                only.act, only.loss.mean
            );
        }
        [winner, runner_up, ..] => (winner.act, runner_up.act),
    };
    let baseline = analysis.baseline;
    let seeds = arms.iter().map(|arm| arm.loss.n).min().unwrap_or(0);
    if seeds < LEAST_SEEDS {
        let have = if seeds == 1 { "is 1" } else { "are 2" };
        return format!(
            "Verdicts need at least {LEAST_SEEDS} seeds; there {have}. {winner} has the lowest loss so far."
        );
    }
    let other = if winner == baseline { runner_up } else { baseline };
    let Some(pair) = pair(analysis, winner, other) else { return String::new() };
    let first = sentence(analysis, pair, winner, other);
    if winner == baseline || runner_up == baseline {
        return first;
    }
    match self::pair(analysis, winner, runner_up) {
        Some(pair) => format!("{first} {}", sentence(analysis, pair, winner, runner_up)),
        None => first,
    }
}

/// The reported pair of two arms.
fn pair(analysis: &Analysis, a: Activation, b: Activation) -> Option<&Pair> {
    let is = |pair: &&Pair| (pair.act, pair.against) == (a, b) || (pair.act, pair.against) == (b, a);
    // The last one: two arms may be compared as winner and runner-up and each with the baseline.
    analysis.pairs.iter().rfind(is)
}

/// The winner against another arm, in words.
fn sentence(analysis: &Analysis, pair: &Pair, winner: Activation, other: Activation) -> String {
    let loss = analysis.arm(pair.against).map_or(f64::NAN, |arm| arm.loss.mean);
    let sign = if pair.act == winner { -100.0 } else { 100.0 };
    // As in the table: percent of the loss that the pair is measured against.
    let gain = |difference: f64| sign * difference / loss;
    let (low, high) = pair.interval.map_or((f64::NAN, f64::NAN), |(low, high)| (gain(low), gain(high)));
    let decimals = percent_decimals(&[gain(pair.difference), low, high]);
    let range = pair.interval.map_or(String::new(), |_| {
        format!(" (95% CI [{:.decimals$}, {:.decimals$}])", low.min(high), low.max(high))
    });
    let gained = format!("{:.decimals$}% of {}'s loss{range}", gain(pair.difference), pair.against);
    let rates = match analysis.fixed_lr {
        None => "at this learning rate",
        Some(_) => "each at its best learning rate of the grid",
    };
    match pair.verdict {
        Verdict::Better | Verdict::Worse => {
            format!("{winner} beats {other} by {gained} {rates}{}.", speed(analysis, winner, other))
        }
        Verdict::BetterButSmall | Verdict::WorseButSmall => format!(
            "{winner} beats {other} by {gained} {rates}, less than the {}% that matter.",
            setting(100.0 * analysis.matters)
        ),
        Verdict::Indistinguishable { seeds_needed } => {
            let needed = match seeds_needed {
                Some(seeds) => format!("about {seeds}"),
                None => "more than 1,000".to_string(),
            };
            format!(
                "{winner} and {other} are indistinguishable with {} seeds {rates}: {winner} is ahead by {gained}, and a verdict would need {needed} seeds.",
                pair.n
            )
        }
        Verdict::TooFewSeeds => format!("{winner} is ahead of {other}, with too few seeds for a verdict."),
        Verdict::Diverged => format!("{winner} is ahead of {other}, but runs of one of them diverged."),
    }
}

/// ` and trains 4% slower`, if the speeds of the two arms' runs don't overlap.
fn speed(analysis: &Analysis, winner: Activation, other: Activation) -> String {
    let (Some(winner), Some(other)) = (analysis.arm(winner), analysis.arm(other)) else {
        return String::new();
    };
    let (winner, other) = (winner.tokens_per_second, other.tokens_per_second);
    let change = 100.0 * (winner.median / other.median - 1.0);
    match change.abs() >= 0.5 {
        true if winner.high < other.low => format!(" and trains {:.0}% slower", -change),
        true if winner.low > other.high => format!(" and trains {change:.0}% faster"),
        _ => String::new(),
    }
}

/// Reasons to doubt the numbers.
pub fn warnings(analysis: &Analysis) -> Vec<String> {
    let mut warnings = Vec::new();
    let names = |arms: Vec<&Arm>| arms.iter().map(|arm| arm.act.name()).collect::<Vec<_>>().join(", ");
    let arms = || analysis.arms.iter();
    let rose = |arm: &&Arm| arm.loss.mean > arm.best_loss.mean * (1.0 + ROSE);
    let risen: Vec<&Arm> = arms().filter(rose).collect();
    if !risen.is_empty() {
        warnings.push(format!(
            "the validation loss of {} rose before the end: compare the best losses too, or train for fewer steps",
            names(risen)
        ));
    }
    let at_edge = |arm: &&Arm| {
        let edges = [arm.rates.first(), arm.rates.last()];
        arm.rates.len() > 1 && edges.into_iter().flatten().any(|rate| rate.lr == arm.lr)
    };
    let edge: Vec<&Arm> = arms().filter(|arm| arm.loss.n > 0).filter(at_edge).collect();
    if !edge.is_empty() {
        warnings.push(format!(
            "the best learning rate of {} is at the edge of the grid: add rates beyond it",
            names(edge)
        ));
    }
    let diverged: Vec<&Arm> = arms().filter(|arm| !arm.diverged.is_empty()).collect();
    if !diverged.is_empty() {
        warnings.push(format!("runs of {} diverged", names(diverged)));
    }
    warnings
}

/// A reason to doubt the numbers of runs that were computed with several instruction sets.
pub fn mixed(instruction_sets: &BTreeSet<&str>) -> Option<String> {
    let names: Vec<&str> = instruction_sets.iter().copied().collect();
    (names.len() > 1).then(|| {
        format!(
            "runs with {} are mixed: the same run differs between them by rounding; train all on one kind of machine to rule that out",
            names.join(" and ")
        )
    })
}
