//! Loss during training, and final loss against the learning rate.

use crate::lab::compare::analysis::{Analysis, Arm, Curve};
use crate::report::chart::{Chart, Plot};
use crate::report::lines::{ACROSS, Axis, Lines, Series};
use crate::report::scale::{Scale, padded, without_outliers};
use crate::support::numbers::scientific;
use crate::support::text::Text;

/// Points per line, at most: more make the file larger and the line no better.
const MOST_POINTS: usize = 300;

/// At most [`MOST_POINTS`] indices of a list, with the first and the last.
fn kept(length: usize) -> Vec<usize> {
    let every = length.div_ceil(MOST_POINTS).max(1);
    (0..length).filter(|i| i % every == 0 || i + 1 == length).collect()
}

/// What the x axis of a training curve counts.
struct Along {
    stem: &'static str,
    title: Text,
    /// As the page's script calls it.
    unit: &'static str,
    values: fn(&Curve) -> &Vec<f64>,
    axis: fn(f64) -> (Text, f64),
}

/// Loss by tokens and by time.
pub fn training(analysis: &Analysis) -> Vec<Chart> {
    let by_tokens = Along {
        stem: "loss-by-tokens",
        title: text!("compare.chart.by_tokens"),
        unit: "tokens",
        values: |curve| &curve.tokens,
        axis: |most| match most {
            most if most >= 2e9 => (text!("chart.billion_tokens"), 1e9),
            most if most >= 2e6 => (text!("chart.million_tokens"), 1e6),
            most if most >= 2e3 => (text!("chart.thousand_tokens"), 1e3),
            _ => (text!("chart.tokens"), 1.0),
        },
    };
    let by_time = Along {
        stem: "loss-by-time",
        title: text!("compare.chart.by_time"),
        unit: "seconds",
        values: |curve| &curve.seconds,
        axis: |most| match most {
            most if most >= 7200.0 => (text!("chart.hours"), 3600.0),
            most if most >= 120.0 => (text!("chart.minutes"), 60.0),
            _ => (text!("chart.seconds"), 1.0),
        },
    };
    [by_tokens, by_time].into_iter().filter_map(|along| curves(analysis, along)).collect()
}

fn curves(analysis: &Analysis, along: Along) -> Option<Chart> {
    let drawn: Vec<(usize, &Arm)> =
        analysis.arms.iter().enumerate().filter(|(_, arm)| arm.curve.mean.len() > 1).collect();
    let ends = drawn.iter().flat_map(|(_, arm)| (along.values)(&arm.curve)).copied();
    let farthest = ends.filter(|x| x.is_finite()).fold(0.0, f64::max);
    if farthest <= 0.0 {
        return None;
    }
    let (label, unit) = (along.axis)(farthest);
    let x = Scale::linear((0.0, farthest), ACROSS);
    // Ticks that are round in the unit.
    let ticks = Scale::linear((0.0, farthest / unit), ACROSS).ticks();
    let ticks = ticks.into_iter().map(|(tick, written)| (tick * unit, written)).collect();
    let loss = match drawn.iter().filter(|(_, arm)| arm.curve.is_validation).count() {
        0 => text!("compare.chart.training_loss"),
        n if n == drawn.len() => text!("compare.chart.validation_loss"),
        _ => text!("compare.chart.loss"),
    };
    let y = Axis::linear(loss, loss_range(analysis));
    let series = drawn.iter().map(|&(look, arm)| {
        let xs = (along.values)(&arm.curve);
        let points = |ys: &[f64]| -> Vec<(f64, f64)> {
            kept(xs.len().min(ys.len())).into_iter().map(|k| (xs[k], ys[k])).collect()
        };
        let band = (arm.seeds.len() > 1).then(|| [points(&arm.curve.low), points(&arm.curve.high)]);
        Series { look, name: arm.variant.into(), points: points(&arm.curve.mean), band, ..Series::default() }
    });
    let above = |(_, arm): &&(usize, &Arm)| arm.curve.mean.last().is_some_and(|last| *last > y.scale.high);
    let above = names(drawn.iter().filter(above).map(|(_, arm)| *arm));
    let mut lines = Lines::new(Axis { label, scale: x, ticks }, y, series.collect());
    lines.reference = analysis.floor.map(|floor| (floor, text!("chart.floor")));
    lines.reading = Some(along.unit);
    let seeds = analysis.arms.iter().any(|arm| arm.seeds.len() > 1);
    Some(Chart {
        stem: along.stem.to_string(),
        note: Text::Sentences(vec![
            if seeds { text!("compare.chart.bands") } else { text!("compare.chart.one_seed") },
            if above.is_empty() { Text::default() } else { text!("compare.chart.above", names = above) },
        ]),
        description: text!(
            "compare.chart.lines",
            title = along.title.clone(),
            names = names(drawn.iter().map(|(_, arm)| *arm))
        ),
        title: along.title,
        plot: Plot::Lines(lines),
        ..Chart::default()
    })
}

fn names<'a>(arms: impl Iterator<Item = &'a Arm>) -> String {
    arms.map(|arm| arm.variant.label()).collect::<Vec<_>>().join(", ")
}

/// The losses to show, the same for tokens and time. The first tenth falls from the loss of chance; if it were shown
/// whole, it would flatten the rest.
fn loss_range(analysis: &Analysis) -> Vec<f64> {
    let curves = || analysis.arms.iter().map(|arm| &arm.curve);
    let farthest = curves().flat_map(|curve| &curve.tokens).copied().fold(0.0, f64::max);
    let points = curves().flat_map(|curve| curve.tokens.iter().zip(&curve.mean));
    let late = points.filter(|(tokens, _)| **tokens >= 0.1 * farthest).map(|(_, loss)| *loss);
    without_outliers(&late.collect::<Vec<f64>>()).into_iter().chain(analysis.floor).collect()
}

/// Final loss by learning rate, for a grid.
pub fn by_rate(analysis: &Analysis) -> Vec<Chart> {
    let has_rates =
        |(_, arm): &(usize, &Arm)| arm.rates.len() > 1 && arm.rates.iter().any(|rate| rate.loss.is_some());
    let arms: Vec<(usize, &Arm)> = analysis.arms.iter().enumerate().filter(has_rates).collect();
    let rates = || arms.iter().flat_map(|(_, arm)| &arm.rates);
    let mut tried: Vec<f64> = rates().map(|rate| rate.lr).filter(|lr| *lr > 0.0).collect();
    tried.sort_by(f64::total_cmp);
    tried.dedup();
    let (Some(&slowest), Some(&fastest)) = (tried.first(), tried.last()) else { return Vec::new() };
    let means: Vec<f64> = rates().filter_map(|rate| Some(rate.loss?.mean)).collect();
    let Some(range) = padded(without_outliers(&means)).filter(|_| slowest < fastest) else {
        return Vec::new();
    };
    // A little beyond the outermost rates, so that their markers are whole.
    let room = (fastest / slowest).powf(0.04);
    let x = Scale::log((slowest / room, fastest * room), ACROSS);
    let ticks =
        if tried.len() <= 7 { tried.iter().map(|lr| (*lr, scientific(*lr))).collect() } else { x.ticks() };
    let x = Axis { label: text!("compare.chart.learning_rate"), scale: x, ticks };
    let y = Axis::new(text!("compare.chart.final_loss"), Scale::linear(range, crate::report::lines::UP));
    let is_cut = means.iter().any(|mean| *mean > y.scale.high);
    let lost = rates().filter(|rate| rate.loss.is_none()).count();
    let series = arms.iter().map(|&(look, arm)| Series {
        look,
        name: arm.variant.into(),
        points: arm.rates.iter().filter_map(|rate| Some((rate.lr, rate.loss?.mean))).collect(),
        marker: 3.0,
        emphasized: Some(arm.lr),
        ..Series::default()
    });
    vec![Chart {
        stem: "loss-by-rate".to_string(),
        title: text!("compare.chart.by_rate"),
        note: Text::Sentences(vec![
            text!("compare.chart.chosen_rate"),
            if lost > 0 { text!("compare.chart.lost", lost = lost) } else { Text::default() },
            if is_cut { text!("compare.chart.cut") } else { Text::default() },
        ]),
        description: text!(
            "compare.chart.lines",
            title = text!("compare.chart.by_rate"),
            names = names(arms.iter().map(|(_, arm)| *arm))
        ),
        plot: Plot::Lines(Lines::new(x, y, series.collect())),
        ..Chart::default()
    }]
}

/// The training curves as numbers, for a script that reads values off them.
pub fn readings(analysis: &Analysis) -> serde_json::Value {
    let arms = analysis.arms.iter().map(|arm| {
        let curve = &arm.curve;
        let picked = |values: &[f64]| -> Vec<Option<f64>> {
            // Nobody reads more digits off a chart.
            let short = |value: f64| format!("{value:.4e}").parse().unwrap_or(value);
            let value = |i: usize| values.get(i).copied().filter(|value| value.is_finite()).map(short);
            kept(curve.mean.len()).into_iter().map(value).collect()
        };
        serde_json::json!({
            "name": arm.variant.label(),
            "tokens": picked(&curve.tokens),
            "seconds": picked(&curve.seconds),
            "mean": picked(&curve.mean),
            "low": picked(&curve.low),
            "high": picked(&curve.high),
        })
    });
    arms.collect()
}
