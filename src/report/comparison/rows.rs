//! Final losses, and their differences, with a row for each arm or pair.

use super::arms::verdict;
use crate::lab::compare::analysis::{Analysis, Arm, Pair};
use crate::report::chart::{Chart, Plot};
use crate::report::rows::{Mark, Row, Rows};
use crate::report::scale::{padded, without_outliers};
use crate::support::numbers::{fixed, signed};
use crate::support::text::{Language, Text};

/// Final losses and differences, if there are any.
pub fn all(analysis: &Analysis) -> Vec<Chart> {
    final_losses(analysis).into_iter().chain(differences(analysis)).collect()
}

fn final_losses(analysis: &Analysis) -> Option<Chart> {
    let arms = &analysis.arms;
    let losses: Vec<f64> = arms.iter().flat_map(|arm| arm.losses.clone()).collect();
    let mut values = without_outliers(&losses);
    let (least, most) = padded(values.iter().copied())?;
    // An interval can be far wider than the losses, for example with two seeds. Then it's cut.
    let span = most - least;
    for arm in arms.iter().filter(|arm| (least..=most).contains(&arm.loss.mean)) {
        if let Some((low, high)) = arm.loss.interval95() {
            values.extend([low.max(least - span / 2.0), high.min(most + span / 2.0)]);
        }
    }
    let range = padded(values)?;
    let is_off = |arm: &Arm| arm.losses.iter().all(|loss| !(range.0..=range.1).contains(loss));
    let row = |(look, arm): (usize, &Arm)| Row {
        look,
        name: arm.variant.into(),
        marks: marks(arm),
        value: is_off(arm).then(|| (arm.loss.mean, fixed(arm.loss.mean, 4).into())),
        instead: match (arm.losses.is_empty(), arm.diverged.is_empty()) {
            (false, _) => Text::default(),
            (true, true) => text!("compare.chart.no_run"),
            (true, false) => text!("compare.verdict.diverged"),
        },
        ..Row::default()
    };
    let means = arms.iter().map(|arm| format!("{} {}", arm.variant, fixed(arm.loss.mean, 4)));
    let seeds = arms.iter().any(|arm| arm.losses.len() > 1);
    Some(Chart {
        stem: "final-loss".to_string(),
        title: text!("compare.chart.by_arm"),
        note: if seeds { text!("compare.chart.dots") } else { text!("compare.chart.one_seed") },
        description: text!("compare.chart.means", means = means.collect::<Vec<_>>().join(", ")),
        plot: Plot::Rows(Rows {
            label: text!("compare.chart.final_loss"),
            range,
            rows: arms.iter().enumerate().map(row).collect(),
            shaded: None,
        }),
        ..Chart::default()
    })
}

/// The seeds above, and their mean with its interval below.
fn marks(arm: &Arm) -> Vec<Mark> {
    let below = if arm.losses.len() > 1 { 5.0 } else { 0.0 };
    let mut marks = Vec::new();
    if let Some(ends) = arm.loss.interval95() {
        marks.push(Mark::Interval { class: "curve", ends, below });
    }
    if arm.losses.len() > 1 {
        marks.push(Mark::Dot { class: "", at: arm.loss.mean, radius: 4.5, below });
    }
    marks.extend(arm.losses.iter().map(|&at| Mark::Dot { class: "seed", at, radius: 3.5, below: -below }));
    marks
}

fn differences(analysis: &Analysis) -> Option<Chart> {
    let pairs = &analysis.pairs;
    let middle = without_outliers(&pairs.iter().map(|pair| pair.difference).collect::<Vec<_>>());
    let mut values = vec![0.0];
    if let Some((low, high)) = padded(middle.iter().copied().chain([0.0])) {
        let span = high - low;
        values.extend([low, high]);
        let shown = pairs.iter().filter(|pair| middle.contains(&pair.difference));
        for (start, end) in shown.filter_map(|pair| pair.interval) {
            values.extend([start.max(low - span), end.min(high + span)]);
        }
    }
    let range = padded(values).filter(|_| !pairs.is_empty())?;
    let name = |pair: &Pair| match analysis.arm(pair.variant).is_none_or(|arm| arm.baseline == pair.against) {
        true => pair.variant.label().to_string(),
        false => format!("{} \u{2212} {}", pair.variant, pair.against),
    };
    let row = |pair: &Pair| Row {
        look: analysis.arms.iter().position(|arm| arm.variant == pair.variant).unwrap_or(0),
        name: name(pair).into(),
        verdict: verdict(pair.verdict),
        marks: if (range.0..=range.1).contains(&pair.difference) { pair_marks(pair) } else { Vec::new() },
        value: pair.difference.is_finite().then(|| (pair.difference, signed(pair.difference, 4).into())),
        ..Row::default()
    };
    let margin = analysis.arm(analysis.baseline).map(|arm| arm.loss.mean * analysis.matters);
    let said = pairs.iter().map(|pair| {
        format!("{} {} ({})", name(pair), signed(pair.difference, 4), verdict(pair.verdict).to(Language::En))
    });
    let by_seeds = pairs.iter().any(|pair| pair.interval.is_some());
    let by_text = pairs.iter().any(|pair| pair.text_interval.is_some());
    Some(Chart {
        stem: "differences".to_string(),
        title: text!("compare.chart.differences", baseline = &analysis.baseline_name),
        note: Text::Sentences(vec![
            if by_seeds { text!("compare.chart.thick") } else { Text::default() },
            if by_text { text!("compare.chart.thin") } else { Text::default() },
            text!("compare.chart.gray"),
        ]),
        description: text!("compare.chart.paired", differences = said.collect::<Vec<_>>().join(", ")),
        plot: Plot::Rows(Rows {
            label: text!("compare.chart.difference"),
            range,
            rows: pairs.iter().map(row).collect(),
            shaded: margin.filter(|margin| margin.is_finite()).map(|margin| (-margin, margin)),
        }),
        ..Chart::default()
    })
}

fn pair_marks(pair: &Pair) -> Vec<Mark> {
    let mut marks = Vec::new();
    if let Some(ends) = pair.interval {
        marks.push(Mark::Interval { class: "thick", ends, below: 0.0 });
    }
    if let Some(ends) = pair.text_interval {
        marks.push(Mark::Interval { class: "thin", ends, below: 8.0 });
    }
    marks.push(Mark::Dot { class: "", at: pair.difference, radius: 5.0, below: 0.0 });
    marks
}
