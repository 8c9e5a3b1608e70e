//! Numbers and verdicts as a report writes them. What is no number is a dash.

use crate::lab::compare::analysis::{Analysis, Arm, Pair, Verdict};
use crate::support::output::percent_decimals;

pub const DASH: &str = "\u{2013}";

/// The sign that is as wide as a plus.
pub fn minus(text: &str) -> String {
    text.replace('-', "\u{2212}")
}

pub fn fixed(value: f64, decimals: usize) -> String {
    if value.is_finite() { minus(&format!("{value:.decimals$}")) } else { DASH.to_string() }
}

/// With its sign.
pub fn signed(value: f64) -> String {
    if !value.is_finite() {
        return DASH.to_string();
    }
    let text = format!("{value:+.4}");
    // Nothing is neither more nor less.
    if text == "-0.0000" { "+0.0000".to_string() } else { minus(&text) }
}

/// 0.03457, 3.457, 345.7: four significant digits.
pub fn four_digits(value: f64) -> String {
    let decimals = if value == 0.0 { 3.0 } else { 3.0 - value.abs().log10().floor() };
    fixed(value, decimals.clamp(0.0, 12.0) as usize)
}

/// A difference as a share of the loss: -1.9%, or with its interval -1.9% [-2.5, -1.2].
pub fn relative(difference: f64, interval: Option<(f64, f64)>, loss: f64) -> String {
    let percentages: Vec<f64> = [Some(difference), interval.map(|ends| ends.0), interval.map(|ends| ends.1)]
        .into_iter()
        .flatten()
        .map(|value| 100.0 * value / loss)
        .collect();
    let decimals = percent_decimals(&percentages);
    let text = |percentage: &f64| match percentage.is_finite() {
        true => minus(&format!("{percentage:+.decimals$}")),
        false => DASH.to_string(),
    };
    match percentages.as_slice() {
        [value, low, high] => format!("{}% [{}, {}]", text(value), text(low), text(high)),
        _ => format!("{}%", text(&percentages[0])),
    }
}

pub fn p_value(p: f64) -> String {
    if p < 0.001 { "<0.001".to_string() } else { fixed(p, 3) }
}

pub fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Better => "better",
        Verdict::Worse => "worse",
        Verdict::BetterButSmall => "better, but small",
        Verdict::WorseButSmall => "worse, but small",
        Verdict::Indistinguishable { .. } => "indistinguishable",
        Verdict::TooFewSeeds => "too few seeds",
        Verdict::Diverged => "diverged",
    }
}

/// The arm's comparison with the baseline, where there is one.
pub fn against_baseline<'a>(analysis: &'a Analysis, arm: &Arm) -> Option<&'a Pair> {
    analysis.pairs.iter().find(|pair| pair.act == arm.act && pair.against == analysis.baseline)
}

/// What the table says of an arm.
pub fn standing(analysis: &Analysis, arm: &Arm) -> String {
    let all = arm.losses.is_empty() && !arm.diverged.is_empty();
    let some = |word: &str| {
        if arm.diverged.is_empty() {
            word.to_string()
        } else {
            format!("{word}, {} diverged", arm.diverged.len())
        }
    };
    if all {
        return "diverged".to_string();
    }
    if arm.act == analysis.baseline {
        return some("baseline");
    }
    match against_baseline(analysis, arm) {
        Some(Pair { verdict: Verdict::Diverged, .. }) if !arm.diverged.is_empty() => {
            format!("{} of {} diverged", arm.diverged.len(), arm.diverged.len() + arm.losses.len())
        }
        Some(Pair { verdict: Verdict::Diverged, .. }) => "baseline diverged".to_string(),
        Some(pair) => some(verdict(pair.verdict)),
        None => some(DASH),
    }
}

/// `word`, or its plural in s.
pub fn count(n: usize, word: &str) -> String {
    if n == 1 { format!("1 {word}") } else { format!("{n} {word}s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_as_many_digits_as_they_deserve() {
        assert_eq!(
            [0.0345678, 3.45678, 345.678, 34567.8].map(four_digits),
            ["0.03457", "3.457", "345.7", "34568"]
        );
        assert_eq!([0.0, f64::NAN].map(four_digits), ["0.000", DASH]);
        assert_eq!([0.01234, -0.00001, f64::NAN].map(signed), ["+0.0123", "+0.0000", DASH]);
        assert_eq!([0.0004, 0.0321].map(p_value), ["<0.001", "0.032"]);
        assert_eq!(relative(0.01, None, 2.0), "+0.5%");
        assert_eq!(
            relative(-0.0623, Some((-0.0702, -0.0544)), 0.76),
            "\u{2212}8.2% [\u{2212}9.2, \u{2212}7.2]"
        );
        // A bound that isn't zero doesn't look like it.
        assert_eq!(relative(0.004, Some((0.0004, 0.0076)), 2.0), "+0.20% [+0.02, +0.38]");
    }
}
