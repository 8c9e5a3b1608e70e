//! Charts of lines: loss on the way, and loss against the learning rate.

use super::chart::{Drawing, Look};
use super::frame::{ACROSS, Axis, HEIGHT, LEFT, RIGHT, UP};
use super::picture::{Chart, WIDTH};
use super::scale::{Scale, padded, scientific, without_outliers};
use super::words::count;
use crate::lab::compare::analysis::{Analysis, Arm, Curve};

/// More points than this make a file larger and a line no better.
const MOST_POINTS: usize = 300;
/// More bands than this would hide each other.
const CROWD: usize = 8;

/// At most [`MOST_POINTS`] indices of a list, the first and last among them.
pub fn kept(length: usize) -> Vec<usize> {
    let every = length.div_ceil(MOST_POINTS).max(1);
    (0..length).filter(|i| i % every == 0 || i + 1 == length).collect()
}

/// What a curve lies along: tokens or seconds.
pub fn along<'a>(curve: &'a Curve, axis: &str) -> &'a [f64] {
    if axis == "tokens" { &curve.tokens } else { &curve.seconds }
}

pub fn by_tokens(analysis: &Analysis) -> Option<Chart> {
    curves(analysis, "loss-by-tokens", "tokens")
}

pub fn by_time(analysis: &Analysis) -> Option<Chart> {
    curves(analysis, "loss-by-time", "seconds")
}

fn curves(analysis: &Analysis, stem: &'static str, axis: &'static str) -> Option<Chart> {
    let drawn: Vec<(usize, &Arm)> =
        analysis.arms.iter().enumerate().filter(|(_, arm)| arm.curve.mean.len() > 1).collect();
    let farthest = drawn
        .iter()
        .flat_map(|(_, arm)| along(&arm.curve, axis).iter().copied())
        .filter(|x| x.is_finite())
        .fold(0.0, f64::max);
    if farthest <= 0.0 {
        return None;
    }
    let x = Scale::linear((0.0, farthest), ACROSS);
    let y = Scale::linear(loss_range(analysis)?, UP);
    let mut drawing = Drawing::default();
    let validation = drawn.iter().filter(|(_, arm)| arm.curve.is_validation).count();
    let kind = match validation {
        0 => "training loss",
        n if n == drawn.len() => "validation loss",
        _ => "loss",
    };
    let (unit, ticks) = if axis == "tokens" { token_ticks(&x) } else { time_ticks(&x) };
    let label = format!("{kind}, nats per token");
    drawing.begin_frame(stem, &Axis { scale: x, ticks, label: &unit }, &Axis::new(y, &label));
    if let Some(floor) = analysis.floor {
        drawing.segment("floor", (LEFT, y.at(floor)), (RIGHT, y.at(floor)));
        drawing.text("quiet", (RIGHT, y.at(floor) - 4.0), "end", "floor");
    }
    // The best arm last, on top of the others.
    for (i, arm) in drawn.iter().rev() {
        let xs = along(&arm.curve, axis);
        let points = |ys: &[f64]| -> Vec<(f64, f64)> {
            kept(xs.len().min(ys.len())).into_iter().map(|k| (x.at(xs[k]), y.at(ys[k]))).collect()
        };
        drawing.push(format_args!("<g data-arm=\"{i}\">"));
        if arm.seeds.len() > 1 {
            drawing.band(
                Look::of(*i),
                drawn.len() > CROWD,
                &points(&arm.curve.low),
                &points(&arm.curve.high),
            );
        }
        drawing.line(Look::of(*i), &points(&arm.curve.mean));
        drawing.push("</g>");
    }
    drawing.push("</g>");
    let seeds = analysis.arms.iter().any(|arm| arm.seeds.len() > 1);
    let mut note =
        if seeds { "Line: mean over seeds. Band: lowest to highest seed." } else { "One seed." }.to_string();
    let above = |arm: &Arm| arm.curve.mean.last().is_some_and(|last| *last > y.high);
    let unseen: Vec<(usize, &Arm)> = drawn.iter().copied().filter(|(_, arm)| above(arm)).collect();
    if !unseen.is_empty() {
        note.push_str(&format!(" Above the chart: {}.", names(&unseen)));
    }
    let by = if axis == "tokens" { "tokens" } else { "wall time" };
    Some(Chart {
        stem: stem.to_string(),
        title: format!("Loss by {by}"),
        note,
        description: format!("Lines of {kind} against {by}, one for each of: {}.", names(&drawn)),
        size: (WIDTH, HEIGHT),
        drawing,
        legend: named(&drawn),
        reading: Some((axis, x)),
        ..Chart::default()
    })
}

/// The losses shown, the same by tokens and by time so that the two can be compared. The first tenth falls
/// from the loss of chance; shown whole, it would flatten all that follows.
fn loss_range(analysis: &Analysis) -> Option<(f64, f64)> {
    let curves = || analysis.arms.iter().map(|arm| &arm.curve);
    let farthest = curves().flat_map(|curve| &curve.tokens).copied().fold(0.0, f64::max);
    let late = curves().flat_map(|curve| {
        curve
            .tokens
            .iter()
            .zip(&curve.mean)
            .filter(|(tokens, _)| **tokens >= 0.1 * farthest)
            .map(|(_, loss)| *loss)
    });
    let late = without_outliers(&late.collect::<Vec<f64>>());
    padded(late.into_iter().chain(analysis.floor))
}

fn named(arms: &[(usize, &Arm)]) -> Vec<(usize, String)> {
    arms.iter().map(|(i, arm)| (*i, arm.act.name())).collect()
}

fn names(arms: &[(usize, &Arm)]) -> String {
    arms.iter().map(|(_, arm)| arm.act.name()).collect::<Vec<String>>().join(", ")
}

fn token_ticks(x: &Scale) -> (String, Vec<(f64, String)>) {
    let (unit, prefix) = [(1e9, "billion "), (1e6, "million "), (1e3, "thousand ")]
        .into_iter()
        .find(|(unit, _)| x.high >= 2.0 * unit)
        .unwrap_or((1.0, ""));
    (format!("{prefix}tokens"), in_unit(x, unit))
}

fn time_ticks(x: &Scale) -> (String, Vec<(f64, String)>) {
    let (unit, name) = [(3600.0, "hours"), (60.0, "minutes")]
        .into_iter()
        .find(|(unit, _)| x.high >= 2.0 * unit)
        .unwrap_or((1.0, "seconds"));
    (format!("{name} of training"), in_unit(x, unit))
}

/// Ticks that are round in multiples of `unit`.
fn in_unit(x: &Scale, unit: f64) -> Vec<(f64, String)> {
    let scale = Scale::linear((x.low / unit, x.high / unit), (x.start, x.end));
    scale.ticks().into_iter().map(|(tick, label)| (tick * unit, label)).collect()
}

pub fn by_rate(analysis: &Analysis) -> Option<Chart> {
    let arms: Vec<(usize, &Arm)> = analysis
        .arms
        .iter()
        .enumerate()
        .filter(|(_, arm)| arm.rates.len() > 1 && arm.rates.iter().any(|rate| rate.loss.is_some()))
        .collect();
    let mut tried: Vec<f64> = arms
        .iter()
        .flat_map(|(_, arm)| arm.rates.iter().map(|rate| rate.lr))
        .filter(|lr| *lr > 0.0)
        .collect();
    tried.sort_by(f64::total_cmp);
    tried.dedup();
    let (slowest, fastest) = (*tried.first()?, *tried.last()?);
    if slowest == fastest {
        return None;
    }
    let means: Vec<f64> =
        arms.iter().flat_map(|(_, arm)| arm.rates.iter().filter_map(|rate| Some(rate.loss?.mean))).collect();
    let y = Scale::linear(padded(without_outliers(&means))?, UP);
    // A little beyond the outermost rates, so that their markers are whole.
    let room = (fastest / slowest).powf(0.04);
    let x = Scale::log((slowest / room, fastest * room), ACROSS);
    let ticks =
        if tried.len() <= 7 { tried.iter().map(|lr| (*lr, scientific(*lr))).collect() } else { x.ticks() };
    let mut drawing = Drawing::default();
    let rates = Axis { scale: x, ticks, label: "learning rate" };
    drawing.begin_frame("rates", &rates, &Axis::new(y, "final validation loss, nats per token"));
    for (i, arm) in arms.iter().rev() {
        let look = Look::of(*i);
        let point = |lr: f64, loss: f64| (x.at(lr), y.at(loss));
        let points: Vec<(f64, f64)> =
            arm.rates.iter().filter_map(|rate| Some(point(rate.lr, rate.loss?.mean))).collect();
        drawing.push(format_args!("<g data-arm=\"{i}\">"));
        drawing.line(look, &points);
        for rate in &arm.rates {
            if let Some(loss) = rate.loss.filter(|loss| loss.mean.is_finite()) {
                drawing.dot(look, "", point(rate.lr, loss.mean), if rate.lr == arm.lr { 5.5 } else { 3.0 });
            }
        }
        drawing.push("</g>");
    }
    drawing.push("</g>");
    let lost = arms.iter().flat_map(|(_, arm)| arm.rates.iter().filter(|rate| rate.loss.is_none())).count();
    let mut note = "Mean over seeds; the large marker is the rate that the arm is judged at.".to_string();
    if lost > 0 {
        note.push_str(&format!(" {} diverged and cannot be shown.", count(lost, "point")));
    }
    if means.iter().any(|mean| *mean > y.high) {
        note.push_str(" What lies far above is cut off.");
    }
    Some(Chart {
        stem: "loss-by-rate".to_string(),
        title: "Final loss by learning rate".to_string(),
        note,
        description: format!("Lines of final loss against learning rate, one for each of: {}.", names(&arms)),
        size: (WIDTH, HEIGHT),
        drawing,
        legend: named(&arms),
        ..Chart::default()
    })
}

/// The curves as numbers, for a script that reads values off them.
pub fn readings(analysis: &Analysis) -> serde_json::Value {
    let arms = analysis.arms.iter().map(|arm| {
        let curve = &arm.curve;
        let picked = |values: &[f64]| -> Vec<Option<f64>> {
            let value = |i: usize| values.get(i).copied().filter(|value| value.is_finite()).map(five_digits);
            kept(curve.mean.len()).into_iter().map(value).collect()
        };
        serde_json::json!({
            "name": arm.act.name(),
            "tokens": picked(&curve.tokens),
            "seconds": picked(&curve.seconds),
            "mean": picked(&curve.mean),
            "low": picked(&curve.low),
            "high": picked(&curve.high),
        })
    });
    arms.collect()
}

/// As many digits as anybody reads off a chart: the rest would only make the file larger.
fn five_digits(value: f64) -> f64 {
    format!("{value:.4e}").parse().unwrap_or(value)
}
