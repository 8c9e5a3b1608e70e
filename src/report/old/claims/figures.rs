//! A claim's figure as a chart.

use crate::activation::Function;
use crate::lab::claims::{Arguments, Figure, Line, Picture, Shown};
use crate::lab::inspect::flat_below;
use crate::report::old::chart::{Drawing, Look};
use crate::report::old::frame::{ACROSS, Axis, HEIGHT, UP};
use crate::report::old::inspection::{log_axis, outline};
use crate::report::old::language::Language;
use crate::report::old::panels::{Curve, Panel, lay_out};
use crate::report::old::picture::{Chart, WIDTH};
use crate::report::old::scale::{Scale, padded};
use crate::report::old::words::four_digits;

pub fn chart(figure: &Figure, language: Language) -> Chart {
    let drawn = match &figure.picture {
        Picture::Lines { x, y, y_log, series } => lines(figure.stem, (x, y), *y_log, series),
        Picture::Functions { what, models } => functions(figure.stem, *what, models, language),
        Picture::Flow { input, hidden, gated } => flow(*input, *hidden, *gated),
    };
    Chart {
        stem: figure.stem.to_string(),
        title: language.pick(&figure.title.en, &figure.title.ja).clone(),
        meaning: language.pick(&figure.meaning.en, &figure.meaning.ja).clone(),
        ..drawn
    }
}

fn lines(stem: &str, (x_label, y_label): (&str, &str), y_log: bool, series: &[Line]) -> Chart {
    let points = || series.iter().flat_map(|(_, points)| points.iter().copied());
    let drawable = |y: f64| y.is_finite() && (!y_log || y > 0.0);
    let x = Scale::linear(padded(points().map(|point| point.0)).unwrap_or((0.0, 1.0)), ACROSS);
    let values = points().map(|point| point.1).filter(|y| drawable(*y));
    let y = match y_log {
        true => log_axis(y_label, values),
        false => Axis::new(Scale::linear(padded(values).unwrap_or((0.0, 1.0)), UP), y_label),
    };
    // What is counted has ticks at whole numbers.
    let ticks = x.ticks().into_iter().filter(|(tick, _)| tick.fract() == 0.0);
    let ticks = ticks.map(|(tick, _)| (tick, tick.to_string())).collect();
    let mut drawing = Drawing::default();
    drawing.begin_frame(stem, &Axis { scale: x, ticks, label: x_label }, &y);
    for (i, (_, points)) in series.iter().enumerate().rev() {
        let shown = points.iter().filter(|(_, value)| drawable(*value));
        let shown: Vec<(f64, f64)> = shown.map(|(a, b)| (x.at(*a), y.scale.at(*b))).collect();
        drawing.line(Look::of(i), &shown);
        shown.into_iter().for_each(|point| drawing.dot(Look::of(i), "", point, 3.0));
    }
    drawing.push("</g>");
    let described = series.iter().map(|(name, points)| {
        let values = points.iter().map(|(x, y)| format!("{x}: {}", four_digits(*y)));
        format!("{name} {}", values.collect::<Vec<_>>().join(", "))
    });
    Chart {
        description: described.collect::<Vec<_>>().join("; "),
        size: (WIDTH, HEIGHT),
        drawing,
        legend: series.iter().enumerate().map(|(i, (name, _))| (i, name.clone())).collect(),
        ..Chart::default()
    }
}

const COLUMNS: usize = 2;
const PANEL_HEIGHT: f64 = 170.0;

fn functions(stem: &str, what: Shown, models: &[Arguments], language: Language) -> Chart {
    let low_high = (-6.0, 6.0);
    let panel = |model: &Arguments| {
        let value = |x: f64| match what {
            Shown::Value => model.function.value(x),
            Shown::Slope => model.function.derivative(x).abs() / steepest(model.function),
        };
        let points = (0..=240).map(|i| low_high.0 + (low_high.1 - low_high.0) * f64::from(i) / 240.0);
        Panel {
            title: model.name.clone(),
            subtitle: model.function.facts().formula.to_string(),
            x_range: low_high,
            y_range: if what == Shown::Value { (-1.0, 4.0) } else { (0.0, 1.08) },
            curves: vec![Curve::new(&model.name, points.map(|x| (x, value(x))).collect())],
            area: outline(&model.histogram),
        }
    };
    let panels: Vec<Panel> = models.iter().map(panel).collect();
    let rows = panels.len().div_ceil(COLUMNS);
    let note = match what {
        Shown::Value => language.pick(
            "Line: f(x). Area: how often a trained model's pre-activations lie there, each as high as its panel.",
            "線: f(x)。面: 学習済みモデルの活性化前の値の頻度(各図で高さをそろえた)。",
        ),
        Shown::Slope => language.pick(
            "Line: |f\u{2019}(x)| over its maximum. Area: how often a trained model's pre-activations lie there.",
            "線: |f\u{2019}(x)|をその最大値で割ったもの。面: 学習済みモデルの活性化前の値の頻度。",
        ),
    };
    let described = models.iter().map(|model| {
        let below = 100.0 * model.histogram.below_zero();
        format!("{}: {below:.0}% of the arguments are below 0", model.name)
    });
    Chart {
        note: note.to_string(),
        description: described.collect::<Vec<_>>().join("; "),
        size: (WIDTH, PANEL_HEIGHT * rows as f64),
        drawing: lay_out(stem, &panels, COLUMNS, (WIDTH / COLUMNS as f64, PANEL_HEIGHT)),
        ..Chart::default()
    }
}

/// The maximum of |f'|: what counts as flat is a hundredth of it.
fn steepest(function: Function) -> f64 {
    100.0 * flat_below(function)
}

/// Boxes as tall as what they hold is wide: a token's vector, its hidden units, and the vector again.
fn flow(input: usize, hidden: usize, gated: bool) -> Chart {
    const TALL: f64 = 170.0;
    const MIDDLE: f64 = 110.0;
    let height = |width: usize| TALL * width as f64 / hidden.max(input) as f64;
    let mut drawing = Drawing::default();
    let mut boxed = |x: f64, width: usize, look: usize, label: &str| {
        let height = height(width);
        drawing.push(format_args!(
            "<rect class=\"{}\" x=\"{x:.1}\" y=\"{:.1}\" width=\"26\" height=\"{height:.1}\" rx=\"3\"/>",
            Look::of(look).fill(),
            MIDDLE - height / 2.0
        ));
        drawing.text("title", (x + 13.0, MIDDLE + TALL / 2.0 + 18.0), "middle", &width.to_string());
        drawing.text("quiet", (x + 13.0, MIDDLE + TALL / 2.0 + 34.0), "middle", label);
    };
    boxed(20.0, input, 0, "x");
    boxed(170.0, hidden, 1, if gated { "gate, up" } else { "up" });
    boxed(290.0, hidden, 2, if gated { "f(gate) \u{b7} up" } else { "f(up)" });
    boxed(430.0, input, 0, "out");
    let way = |drawing: &mut Drawing, (from, to): (f64, f64), above: &str, below: &str| {
        drawing.segment("axis", (from, MIDDLE), (to - 6.0, MIDDLE));
        drawing.push(format_args!(
            "<path class=\"axis\" d=\"M{to:.1} {MIDDLE:.1} l-7 -4 v8 z\" fill=\"#888\"/>"
        ));
        drawing.text("", ((from + to) / 2.0, MIDDLE - 8.0), "middle", above);
        drawing.text("quiet", ((from + to) / 2.0, MIDDLE + 18.0), "middle", below);
    };
    let matrix = |rows: usize, columns: usize| format!("{rows} \u{d7} {columns}");
    let first = if gated { "expand, twice" } else { "expand" };
    way(&mut drawing, (50.0, 166.0), first, &matrix(hidden, input));
    way(&mut drawing, (200.0, 286.0), "activate", "");
    way(&mut drawing, (320.0, 426.0), "compress", &matrix(input, hidden));
    Chart {
        description: format!("{input} values, {hidden} hidden units, {input} values"),
        size: (WIDTH, MIDDLE + TALL / 2.0 + 44.0),
        drawing,
        ..Chart::default()
    }
}
