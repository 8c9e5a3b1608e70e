//! Charts with a row for each arm or pair: final losses, and their differences.

use super::chart::{Drawing, Look, text_width};
use super::picture::{Chart, WIDTH};
use super::scale::{Scale, padded, without_outliers};
use super::words::{fixed, signed, verdict};
use crate::lab::compare::analysis::{Analysis, Pair};
use statrs::distribution::{ContinuousCDF, StudentsT};

const ROW: f64 = 30.0;
const RIGHT: f64 = 464.0;

pub fn final_losses(analysis: &Analysis) -> Option<Chart> {
    let arms = &analysis.arms;
    let mut values: Vec<f64> =
        without_outliers(&arms.iter().flat_map(|arm| arm.losses.clone()).collect::<Vec<_>>());
    let (least, most) = padded(values.iter().copied())?;
    // An interval may be far wider than the losses: of two seeds it often is. It is cut, not obeyed.
    let span = most - least;
    for arm in arms.iter().filter(|arm| (least..=most).contains(&arm.loss.mean)) {
        if let Some((low, high)) = interval(&arm.losses) {
            values.extend([low.max(least - span / 2.0), high.min(most + span / 2.0)]);
        }
    }
    let (top, bottom) = (8.0, 8.0 + ROW * arms.len() as f64);
    let left = 10.0 + arms.iter().map(|arm| name_width(&arm.act.name())).fold(40.0, f64::max);
    let x = Scale::linear(padded(values)?, (left, RIGHT));
    let mut drawing = Drawing::default();
    drawing.x_axis(&x.ticks(), &x, (top, bottom));
    drawing.text(
        "quiet",
        ((left + RIGHT) / 2.0, bottom + 34.0),
        "middle",
        "final validation loss, nats per token",
    );
    for (i, arm) in arms.iter().enumerate() {
        let (y, look) = (top + ROW * (i as f64 + 0.5), Look::of(i));
        drawing.text("", (left - 8.0, y + 4.0), "end", &arm.act.name());
        if arm.losses.is_empty() {
            let why = if arm.diverged.is_empty() { "no run has ended" } else { "diverged" };
            drawing.text("quiet", (left + 6.0, y + 4.0), "start", why);
            continue;
        }
        let both = if arm.losses.len() > 1 { 5.0 } else { 0.0 };
        if let Some(ends) = interval(&arm.losses) {
            drawing.interval(look, "curve", &x, ends, y + both);
        }
        if arm.losses.len() > 1 && x.holds(arm.loss.mean) {
            drawing.dot(look, "", (x.at(arm.loss.mean), y + both), 4.5);
        }
        for loss in arm.losses.iter().filter(|loss| x.holds(**loss)) {
            drawing.dot(look, "seed", (x.at(*loss), y - both), 3.5);
        }
        if arm.losses.iter().all(|loss| !x.holds(*loss)) {
            off_scale(&mut drawing, &x, arm.loss.mean, &fixed(arm.loss.mean, 4), y);
        }
    }
    let note = if arms.iter().any(|arm| arm.losses.len() > 1) {
        "Small: one seed. Large: their mean and its 95% interval. Whether arms differ is judged by the paired \
         differences."
    } else {
        "One seed."
    };
    let means = arms.iter().map(|arm| format!("{} {}", arm.act, fixed(arm.loss.mean, 4)));
    Some(Chart {
        stem: "final-loss".to_string(),
        title: "Final loss by arm".to_string(),
        note: note.to_string(),
        description: format!("Final loss by arm, mean: {}.", means.collect::<Vec<_>>().join(", ")),
        size: (WIDTH, bottom + 44.0),
        drawing,
        ..Chart::default()
    })
}

/// With room to grow: a page makes letters larger where it makes charts smaller.
fn name_width(text: &str) -> f64 {
    1.1 * text_width(text)
}

/// Student's 95% interval of the mean.
fn interval(losses: &[f64]) -> Option<(f64, f64)> {
    let n = losses.len() as f64;
    let quantile = StudentsT::new(0.0, 1.0, n - 1.0).ok()?.inverse_cdf(0.975);
    let mean = losses.iter().sum::<f64>() / n;
    let squares: f64 = losses.iter().map(|loss| (loss - mean).powi(2)).sum();
    let half = quantile * (squares / (n - 1.0) / n).sqrt();
    half.is_finite().then_some((mean - half, mean + half))
}

/// A value beyond the axis, written at the end that it lies behind.
fn off_scale(drawing: &mut Drawing, x: &Scale, value: f64, text: &str, y: f64) {
    if value > x.high {
        drawing.text("quiet", (x.end - 4.0, y + 4.0), "end", &format!("{text} \u{2192}"));
    } else if value < x.low {
        drawing.text("quiet", (x.start + 4.0, y + 4.0), "start", &format!("\u{2190} {text}"));
    }
}

pub fn differences(analysis: &Analysis) -> Option<Chart> {
    let pairs = &analysis.pairs;
    if pairs.is_empty() {
        return None;
    }
    let label = |pair: &Pair| {
        if pair.against == analysis.baseline {
            pair.act.name()
        } else {
            format!("{} \u{2212} {}", pair.act, pair.against)
        }
    };
    let middle = without_outliers(&pairs.iter().map(|pair| pair.difference).collect::<Vec<_>>());
    let mut values = vec![0.0];
    if let Some((low, high)) = padded(middle.iter().copied().chain([0.0])) {
        let span = high - low;
        values.extend([low, high]);
        for (start, end) in
            pairs.iter().filter(|pair| middle.contains(&pair.difference)).filter_map(|p| p.interval)
        {
            values.extend([start.max(low - span), end.min(high + span)]);
        }
    }
    let (top, bottom) = (8.0, 8.0 + ROW * pairs.len() as f64);
    let left = 10.0 + pairs.iter().map(|pair| name_width(&label(pair))).fold(40.0, f64::max).min(190.0);
    let words = pairs.iter().map(|pair| name_width(verdict(pair.verdict))).fold(0.0, f64::max);
    let x = Scale::linear(padded(values)?, (left, WIDTH - words - 8.0));
    let mut drawing = Drawing::default();
    let margin = analysis
        .arms
        .iter()
        .find(|arm| arm.act == analysis.baseline)
        .map(|arm| arm.loss.mean * analysis.matters);
    if let Some(margin) = margin.filter(|margin| margin.is_finite()) {
        let (start, end) = (x.at((-margin).max(x.low)), x.at(margin.min(x.high)));
        drawing.push(format_args!(
            "<rect class=\"small\" x=\"{start:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{:.1}\"/>",
            end - start,
            bottom - top
        ));
    }
    drawing.x_axis(&x.ticks(), &x, (top, bottom));
    drawing.text(
        "quiet",
        ((x.start + x.end) / 2.0, bottom + 34.0),
        "middle",
        "difference of loss; left of zero is better",
    );
    for (i, pair) in pairs.iter().enumerate() {
        let y = top + ROW * (i as f64 + 0.5);
        let arm = analysis.arms.iter().position(|arm| arm.act == pair.act).unwrap_or(0);
        let look = Look::of(arm);
        drawing.text("", (left - 8.0, y + 4.0), "end", &label(pair));
        drawing.text("", (x.end + 8.0, y + 4.0), "start", verdict(pair.verdict));
        if pair.difference.is_finite() && !x.holds(pair.difference) {
            off_scale(&mut drawing, &x, pair.difference, &signed(pair.difference), y);
            continue;
        }
        if let Some(ends) = pair.interval {
            drawing.interval(look, "thick", &x, ends, y);
        }
        if let Some(ends) = pair.text_interval {
            drawing.interval(look, "thin", &x, ends, y + 8.0);
        }
        if pair.difference.is_finite() {
            drawing.dot(look, "", (x.at(pair.difference), y), 5.0);
        }
    }
    let mut note = Vec::new();
    if pairs.iter().any(|pair| pair.interval.is_some()) {
        note.push("Thick: interval over seeds, widened for the number of comparisons.");
    }
    if pairs.iter().any(|pair| pair.text_interval.is_some()) {
        note.push("Thin: 95% over pieces of the validation text.");
    }
    note.push("Grey: too small to matter.");
    let said = pairs
        .iter()
        .map(|pair| format!("{} {} ({})", label(pair), signed(pair.difference), verdict(pair.verdict)));
    Some(Chart {
        stem: "differences".to_string(),
        title: format!("Difference from {}", analysis.baseline),
        note: note.join(" "),
        description: format!(
            "Differences of final loss paired by seed: {}.",
            said.collect::<Vec<_>>().join(", ")
        ),
        size: (WIDTH, bottom + 44.0),
        drawing,
        ..Chart::default()
    })
}
