//! The report of the claims.

use super::chart::{Chart, Plot};
use super::document::{Answered, Block, Document};
use super::ffn_path::FfnPath;
use super::lines::{ACROSS, Axis, Lines, Series};
use super::panels::{Curve, Panel, Panels, outline};
use super::scale::{Scale, padded};
use crate::activation::Function;
use crate::lab::claims::{Claim, Figure, Inputs, Line, Picture, Plotted, SOURCES, Verdict};
use crate::lab::inspect::flat_below;
use crate::support::numbers::{fixed, four_digits};
use crate::support::text::Text;

/// The commands that make the report again: all of it, and one claim by its name.
pub struct Commands<'a> {
    pub all: &'a str,
    pub one: &'a dyn Fn(&str) -> String,
}

/// Every claim with its verdict and numbers. `settings` and `commands` reproduce it.
pub fn claims_document(claims: &[Claim], settings: &[(String, String)], commands: &Commands) -> Document {
    let count = |verdict| claims.iter().filter(|claim| claim.measured.verdict == verdict).count();
    let mut document = Document {
        title: text!("claims.title"),
        headline: text!(
            "claims.headline",
            all = claims.len(),
            held = count(Verdict::Held),
            failed = count(Verdict::Failed),
            depend = count(Verdict::Depends),
        ),
        ..Document::default()
    };
    let overview = claims.iter().map(|claim| Answered {
        name: claim.name,
        class: claim.measured.verdict.name(),
        verdict: claim.measured.verdict.text(),
        claim: claim.claim.clone(),
    });
    document.section(text!("claims.overview"), [Block::Overview(overview.collect())]);
    for claim in claims {
        document.section(claim.claim.clone(), blocks(claim, &(commands.one)(claim.name)));
    }
    let sources = SOURCES.iter().map(|source| Text::from(*source)).collect();
    document.section(text!("claims.sources"), [Block::List(sources)]);
    let settings = settings.iter().map(|(name, value)| (name.into(), value.into())).collect();
    let command = Block::Command(text!("claims.command"), commands.all.to_string());
    document.section(text!("claims.made"), [Block::Facts(settings), command]);
    document
}

/// A claim's verdict, charts and tables.
fn blocks(claim: &Claim, command: &str) -> Vec<Block> {
    let mut blocks = vec![Block::Answer {
        name: claim.name,
        class: claim.measured.verdict.name(),
        verdict: claim.measured.verdict.text(),
        answer: claim.measured.answer.clone(),
    }];
    if !claim.measured.figures.is_empty() {
        blocks.push(Block::Charts(claim.measured.figures.iter().map(chart).collect()));
    }
    blocks.extend(claim.measured.tables.iter().cloned().map(Block::Table));
    blocks.push(Block::Note(text!("claims.measured", method = claim.measured.method.clone())));
    blocks.push(Block::Note(text!("claims.source", source = claim.source.clone())));
    blocks.push(Block::Command(Text::default(), command.to_string()));
    blocks
}

/// A claim's figure as a chart.
fn chart(figure: &Figure) -> Chart {
    let (plot, note, description) = match &figure.picture {
        Picture::Lines { x, y, is_log, series } => {
            (lines(x, y, *is_log, series), Text::default(), described(series))
        }
        Picture::Functions { plotted, models } => {
            let note = match plotted {
                Plotted::Value => text!("claims.figure.value"),
                Plotted::Slope => text!("claims.figure.slope"),
            };
            let below = models.iter().map(|model| {
                let share = fixed(100.0 * model.histogram.below_zero(), 0);
                text!("claims.figure.below_zero", act = &model.name, share = share)
            });
            (functions(*plotted, models), note, Text::Sentences(below.collect()))
        }
        Picture::Path { input, hidden, act } => {
            let path =
                FfnPath { input: *input, hidden: *hidden, gated: act.is_gated(), act: act.gate_label() };
            let chart = Chart::ffn_path(path);
            (chart.plot, chart.note, chart.description)
        }
    };
    Chart {
        stem: figure.stem.to_string(),
        title: figure.title.clone(),
        meaning: figure.meaning.clone(),
        note,
        description,
        plot,
    }
}

fn described(series: &[Line]) -> Text {
    let series = series.iter().map(|(name, points)| {
        let values = points.iter().map(|(x, y)| format!("{x}: {}", four_digits(*y)));
        format!("{name} {}", values.collect::<Vec<_>>().join(", "))
    });
    series.collect::<Vec<_>>().join("; ").into()
}

fn lines(x: &Text, y: &Text, is_log: bool, series: &[Line]) -> Plot {
    let points = || series.iter().flat_map(|(_, points)| points.iter().copied());
    let scale = Scale::linear(padded(points().map(|point| point.0)).unwrap_or((0.0, 1.0)), ACROSS);
    // Layers are counted: ticks are whole numbers.
    let ticks = scale.ticks().into_iter().filter(|(tick, _)| tick.fract() == 0.0);
    let ticks = ticks.map(|(tick, _)| (tick, tick.to_string())).collect();
    let values = points().map(|point| point.1);
    let y = if is_log { Axis::log(y.clone(), values) } else { Axis::linear(y.clone(), values) };
    let series = series.iter().enumerate().map(|(look, (name, points))| Series {
        look,
        name: name.into(),
        points: points.clone(),
        marker: 3.0,
        ..Series::default()
    });
    Plot::Lines(Lines::new(Axis { label: x.clone(), scale, ticks }, y, series.collect()))
}

fn functions(plotted: Plotted, models: &[Inputs]) -> Plot {
    let range = (-6.0, 6.0);
    let panel = |model: &Inputs| {
        let value = |x: f64| match plotted {
            Plotted::Value => model.function.value(x),
            Plotted::Slope => model.function.derivative(x).abs() / steepest(&model.function),
        };
        let xs = (0..=240).map(|i| range.0 + (range.1 - range.0) * f64::from(i) / 240.0);
        Panel {
            title: model.name.as_str().into(),
            subtitle: model.function.act.formula().into(),
            x_range: range,
            y_range: if plotted == Plotted::Value { (-1.0, 4.0) } else { (0.0, 1.08) },
            curves: vec![Curve::new(&model.name, xs.map(|x| (x, value(x))).collect())],
            area: outline(&model.histogram),
        }
    };
    Plot::Panels(Panels(models.iter().map(panel).collect()))
}

/// The maximum of |f'|. The flat part of a function is below a hundredth of it.
fn steepest(function: &Function) -> f64 {
    100.0 * flat_below(function)
}
