//! The outcome of a comparison in words.

use super::analysis::{Analysis, Arm, Pair, Verdict};
use super::evaluate::find;
use super::statistics::LEAST_SEEDS;
use crate::activation::Activation;

/// A final loss this far above the lowest on the way has turned up: a half per cent.
const TURNED_UP: f64 = 0.005;

/// The outcome in a sentence or two.
pub fn headline(analysis: &Analysis) -> String {
    let arms: Vec<&Arm> = analysis.arms.iter().filter(|arm| arm.loss.n > 0).collect();
    let (winner, runner_up) = match arms.as_slice() {
        [] => return "No run is finished yet.".to_string(),
        [only] => return format!("{} alone: a final loss of {:.4}.", only.act, only.loss.mean),
        [winner, runner_up, ..] => (winner.act, runner_up.act),
    };
    let baseline = analysis.baseline;
    let seeds = arms.iter().map(|arm| arm.loss.n).min().unwrap_or(0);
    if seeds < LEAST_SEEDS {
        return format!(
            "Too few seeds to tell: {seeds}, of at least {LEAST_SEEDS}. {winner} is ahead so far."
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

/// What a pair says of the winner against another arm.
fn sentence(analysis: &Analysis, pair: &Pair, winner: Activation, other: Activation) -> String {
    let loss = find(analysis, other).map_or(f64::NAN, |arm| arm.loss.mean);
    let sign = if pair.act == winner { -100.0 } else { 100.0 };
    // Per cent of the other's loss by which the winner's is lower.
    let gain = |difference: f64| sign * difference / loss;
    let range = pair.interval.map_or(String::new(), |(low, high)| {
        let (a, b) = (gain(low), gain(high));
        format!(" ({:.1} to {:.1} %)", a.min(b), a.max(b))
    });
    let gained = format!("{:.1} %{range}", gain(pair.difference));
    let rates = match analysis.fixed_lr {
        None => "at this learning rate",
        Some(_) => "each at its best learning rate of the grid",
    };
    match pair.verdict {
        Verdict::Better | Verdict::Worse => {
            format!(
                "{winner} beats {other} by {gained} of its loss, {rates}{}.",
                speed(analysis, winner, other)
            )
        }
        Verdict::BetterButSmall | Verdict::WorseButSmall => format!(
            "{winner} beats {other} by {gained} of its loss, {rates}: less than the {} % that matter.",
            100.0 * analysis.matters
        ),
        Verdict::Indistinguishable { seeds_needed } => {
            let needed = match seeds_needed {
                Some(seeds) => format!("about {seeds} seeds would be needed"),
                None => "more than 1,000 seeds would be needed".to_string(),
            };
            format!(
                "{winner} and {other} cannot be told apart with {} seeds, {rates}: {winner} is ahead by {gained}; {needed}.",
                pair.n
            )
        }
        Verdict::TooFewSeeds => format!("{winner} is ahead of {other}, with too few seeds to tell."),
        Verdict::Diverged => format!("{winner} is ahead of {other}; runs of one of them diverged."),
    }
}

/// `, at 4 % less speed`, where the runs of both arms differ in it without overlapping.
fn speed(analysis: &Analysis, winner: Activation, other: Activation) -> String {
    let (Some(winner), Some(other)) = (find(analysis, winner), find(analysis, other)) else {
        return String::new();
    };
    let (winner, other) = (winner.tokens_per_second, other.tokens_per_second);
    let change = 100.0 * (winner.median / other.median - 1.0);
    match change.abs() >= 0.5 {
        true if winner.high < other.low => format!(", at {:.0} % less speed", -change),
        true if winner.low > other.high => format!(", at {change:.0} % more speed"),
        _ => String::new(),
    }
}

/// What makes the numbers less than they seem.
pub fn warnings(analysis: &Analysis) -> Vec<String> {
    let mut warnings = Vec::new();
    let names = |arms: Vec<&Arm>| arms.iter().map(|arm| arm.act.name()).collect::<Vec<_>>().join(", ");
    let arms = || analysis.arms.iter();
    let turned_up = |arm: &&Arm| arm.loss.mean > arm.best_loss.mean * (1.0 + TURNED_UP);
    let turned: Vec<&Arm> = arms().filter(turned_up).collect();
    if !turned.is_empty() {
        warnings.push(format!(
            "the validation loss of {} turned up before the end: compare the best losses too, or train for fewer steps",
            names(turned)
        ));
    }
    let at_edge = |arm: &&Arm| {
        let edges = [arm.rates.first(), arm.rates.last()];
        arm.rates.len() > 1 && edges.into_iter().flatten().any(|rate| rate.lr == arm.lr)
    };
    let edge: Vec<&Arm> = arms().filter(|arm| arm.loss.n > 0).filter(at_edge).collect();
    if !edge.is_empty() {
        warnings.push(format!(
            "the best learning rate of {} lies at the edge of the grid: widen it",
            names(edge)
        ));
    }
    let diverged: Vec<&Arm> = arms().filter(|arm| !arm.diverged.is_empty()).collect();
    if !diverged.is_empty() {
        warnings.push(format!("runs of {} diverged", names(diverged)));
    }
    warnings
}
