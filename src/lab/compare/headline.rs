//! The outcome of a comparison as messages.

use super::analysis::{Analysis, Arm, Interaction, Pair, Verdict};
use super::statistics::LEAST_SEEDS;
use super::variant::Variant;
use crate::support::numbers::{percent_decimals, setting};
use crate::support::text::Text;
use std::collections::BTreeSet;

/// A final loss this far above the lowest evaluation has risen: half a percent.
const ROSE: f64 = 0.005;

/// The outcome in a sentence or two.
pub fn headline(analysis: &Analysis) -> Text {
    let arms: Vec<&Arm> = analysis.arms.iter().filter(|arm| arm.loss.n > 0).collect();
    let (winner, runner_up) = match arms.as_slice() {
        [] => return text!("compare.headline.nothing"),
        [only] => {
            return text!(
                "compare.headline.only",
                act = only.variant,
                loss = format!("{:.4}", only.loss.mean)
            );
        }
        [winner, runner_up, ..] => (winner.variant, runner_up.variant),
    };
    let baseline = analysis.baseline;
    let seeds = arms.iter().map(|arm| arm.loss.n).min().unwrap_or(0);
    if seeds < LEAST_SEEDS {
        return text!("compare.headline.too_few_seeds", least = LEAST_SEEDS, seeds = seeds, winner = winner);
    }
    if !analysis.interactions.is_empty() {
        return Text::Sentences(analysis.interactions.iter().map(interaction).collect());
    }
    let other = if winner == baseline { runner_up } else { baseline };
    let others = if runner_up == other { vec![other] } else { vec![other, runner_up] };
    let sentence = |other| Some(sentence(analysis, pair(analysis, winner, other)?, winner, other));
    Text::Sentences(others.into_iter().filter_map(sentence).collect())
}

/// The reported pair of two arms.
fn pair(analysis: &Analysis, a: Variant, b: Variant) -> Option<&Pair> {
    let is = |pair: &&Pair| [(a, b), (b, a)].contains(&(pair.variant, pair.against));
    analysis.pairs.iter().find(is)
}

/// How a lead changes from one condition to the other.
fn interaction(interaction: &Interaction) -> Text {
    let percent = |share: f64| 100.0 * share;
    let (low, high) = interaction.interval.unwrap_or((f64::NAN, f64::NAN));
    let [first, second] = interaction.leads.map(percent);
    let numbers = [first, second, percent(interaction.difference), percent(low), percent(high)];
    let decimals = percent_decimals(&numbers);
    let [first, second, difference, low, high] = numbers.map(|number| format!("{number:.decimals$}"));
    text!(
        "compare.headline.interaction",
        name = &interaction.name,
        against = &interaction.against,
        first = first,
        second = second,
        condition = &interaction.conditions[0],
        other = &interaction.conditions[1],
        difference = difference,
        low = low,
        high = high
    )
}

/// The winner against another arm.
fn sentence(analysis: &Analysis, pair: &Pair, winner: Variant, other: Variant) -> Text {
    let loss = analysis.arm(pair.against).map_or(f64::NAN, |arm| arm.loss.mean);
    let sign = if pair.variant == winner { -100.0 } else { 100.0 };
    // As in the table: percent of the loss that the pair is measured against.
    let gain = |difference: f64| sign * difference / loss;
    let (low, high) = pair.interval.map_or((f64::NAN, f64::NAN), |(low, high)| (gain(low), gain(high)));
    let decimals = percent_decimals(&[gain(pair.difference), low, high]);
    let gained = text!(
        "compare.headline.gained",
        percent = format!("{:.decimals$}", gain(pair.difference)),
        against = pair.against,
        low = format!("{:.decimals$}", low.min(high)),
        high = format!("{:.decimals$}", low.max(high)),
        rates = match analysis.fixed_lr {
            None => text!("compare.headline.at_this_rate"),
            Some(_) => text!("compare.headline.at_best_rates"),
        },
    );
    match pair.verdict {
        Verdict::Better | Verdict::Worse => text!(
            "compare.headline.beats",
            winner = winner,
            other = other,
            gained = gained,
            speed = speed(analysis, winner, other)
        ),
        Verdict::Equal | Verdict::EqualSlightlyBetter | Verdict::EqualSlightlyWorse => text!(
            "compare.headline.equal",
            winner = winner,
            other = other,
            gained = gained,
            matters = setting(100.0 * analysis.matters),
            all_the_same = match pair.verdict {
                Verdict::Equal => Text::default(),
                _ => text!("compare.headline.excludes_zero"),
            }
        ),
        Verdict::Undecided { seeds_needed } => text!(
            "compare.headline.undecided",
            winner = winner,
            other = other,
            seeds = pair.n,
            gained = gained,
            needed = match seeds_needed {
                Some(seeds) => text!("compare.headline.about", seeds = seeds),
                None => text!("compare.headline.over_a_thousand"),
            }
        ),
        Verdict::TooFewSeeds => text!("compare.headline.no_verdict", winner = winner, other = other),
        Verdict::Diverged => text!("compare.headline.diverged", winner = winner, other = other),
    }
}

/// How much faster or slower the winner trains, if the speeds of the two arms' runs don't overlap.
fn speed(analysis: &Analysis, winner: Variant, other: Variant) -> Text {
    let (Some(winner), Some(other)) = (analysis.arm(winner), analysis.arm(other)) else {
        return Text::default();
    };
    let (winner, other) = (winner.tokens_per_second, other.tokens_per_second);
    let change = 100.0 * (winner.median / other.median - 1.0);
    let percent = format!("{:.0}", change.abs());
    match change.abs() >= 0.5 {
        true if winner.high < other.low => text!("compare.headline.slower", percent = percent),
        true if winner.low > other.high => text!("compare.headline.faster", percent = percent),
        _ => Text::default(),
    }
}

/// Reasons to doubt the numbers.
pub fn warnings(analysis: &Analysis) -> Vec<Text> {
    let named = |is: &dyn Fn(&Arm) -> bool| {
        let names: Vec<&str> =
            analysis.arms.iter().filter(|arm| is(arm)).map(|arm| arm.variant.label()).collect();
        (!names.is_empty()).then(|| names.join(", "))
    };
    let rose = |arm: &Arm| arm.loss.mean > arm.best_loss.mean * (1.0 + ROSE);
    let at_edge = |arm: &Arm| {
        let mut edges = [arm.rates.first(), arm.rates.last()].into_iter().flatten();
        arm.loss.n > 0 && arm.rates.len() > 1 && edges.any(|rate| rate.lr == arm.lr)
    };
    let diverged = |arm: &Arm| !arm.diverged.is_empty();
    [
        named(&rose).map(|names| text!("compare.warning.rose", names = names)),
        named(&at_edge).map(|names| text!("compare.warning.edge", names = names)),
        named(&diverged).map(|names| text!("compare.warning.diverged", names = names)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// A reason to doubt the numbers of runs that were computed with several instruction sets.
pub fn mixed(instruction_sets: &BTreeSet<&str>) -> Option<Text> {
    let names: Vec<&str> = instruction_sets.iter().copied().collect();
    (names.len() > 1).then(|| text!("compare.warning.mixed", names = names.join(", ")))
}
