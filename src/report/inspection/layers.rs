//! The layers of a trained model: charts and tables with a value for each layer.

use super::parts::{ByLayer, by_layer, extremes, over_layers};
use crate::activation::Function;
use crate::lab::inspect::{HiddenUnits, Inspection, LayerInspection, MeanStd, ParameterCounts};
use crate::report::chart::{Chart, Plot};
use crate::report::document::Block;
use crate::report::lines::{Axis, UP};
use crate::report::panels::{Curve, Panel, Panels, outline};
use crate::report::scale::{Scale, padded};
use crate::support::numbers::{fixed, grouped, percent, ratio};
use crate::support::table::{Table, number};
use crate::support::text::Text;

/// The most panels of a chart.
const MOST_PANELS: usize = 12;

pub fn headline(survey: &Inspection, counts: &ParameterCounts) -> Text {
    let units: usize = survey.layers.iter().map(|layer| layer.hidden.units).sum();
    let linear = extremes(survey.layers.iter().map(|layer| layer.linear.r2));
    let linear = linear.map_or(Text::default(), |[(_, least), (_, most)]| {
        text!("inspect.layers.linear_range", least = percent(least), most = percent(most))
    });
    let rest = text!(
        "inspect.layers.headline",
        act = survey.act,
        dead = grouped(dead(survey)),
        units = grouped(units),
        blocks = percent(counts.ffn_share_of_blocks),
    );
    Text::Sentences(vec![rest, linear])
}

fn dead(survey: &Inspection) -> usize {
    survey.layers.iter().map(|layer| layer.hidden.dead).sum()
}

/// What the activation does with its arguments.
pub fn hidden(survey: &Inspection) -> Vec<Block> {
    let mut cells: Vec<ByLayer> = vec![
        |layer| grouped(layer.hidden.units),
        |layer| grouped(layer.hidden.dead),
        |layer| percent(layer.hidden.zeros),
        |layer| percent(layer.hidden.saturated_negative),
        |layer| percent(layer.hidden.saturated_positive),
        |layer| grouped(layer.hidden.always_saturated),
        |layer| fixed(layer.hidden.argument.mean, 3),
        |layer| fixed(layer.hidden.argument.std, 3),
        |layer| fixed(layer.hidden.output.mean, 3),
        |layer| fixed(layer.hidden.output.std, 3),
    ];
    let mut table = Table::titled("inspect.hidden.columns").with_caption(text!("inspect.hidden.table"));
    if !survey.act.program().scalars.is_empty() {
        table.columns.insert(1, number(text!("inspect.hidden.scalars")));
        cells.insert(0, shown_scalars);
    }
    vec![
        Block::Charts(vec![pre_activations(survey), shares(survey)]),
        by_layer(table, survey, &cells),
        Block::Note(text!("inspect.hidden.note")),
    ]
}

/// What each FFN adds to the residual stream, how linear it is, and the gradient that it gets.
pub fn outputs(survey: &Inspection) -> Vec<Block> {
    let columns: &[ByLayer] = &[
        |layer| fixed(layer.output.rms, 3),
        |layer| fixed(layer.output.residual_rms, 3),
        |layer| fixed(layer.output.relative, 3),
        |layer| fixed(layer.linear.r2.unwrap_or(f64::NAN), 4),
        |layer| format!("{:.2e}", layer.grad_norm),
    ];
    let table = Table::titled("inspect.layers.columns").with_caption(text!("inspect.layers.table"));
    let fit = survey.layers[0].linear;
    let (fitted, scored) = (grouped(fit.fitted), grouped(fit.scored));
    let note = match fit.r2 {
        Some(_) => text!("inspect.layers.fitted", fitted = fitted, scored = scored),
        None => text!("inspect.layers.too_few", fitted = fitted),
    };
    vec![
        Block::Charts(vec![linear(survey), loudness(survey), gradients(survey)]),
        by_layer(table, survey, columns),
        Block::Note(note),
    ]
}

fn shown_scalars(layer: &LayerInspection) -> String {
    let scalars = layer.learned_scalars.iter().map(|(name, value)| format!("{name} = {}", fixed(*value, 3)));
    scalars.collect::<Vec<_>>().join(", ")
}

fn values(survey: &Inspection, of: impl Fn(&LayerInspection) -> f64) -> Vec<Option<f64>> {
    survey.layers.iter().map(|layer| Some(of(layer))).collect()
}

/// Each layer's histogram of x under f(x) and f'(x).
fn pre_activations(survey: &Inspection) -> Chart {
    let (all, shown) = (survey.layers.len(), survey.layers.len().min(MOST_PANELS));
    // All layers, or some that are as far apart as possible.
    let layers: Vec<&LayerInspection> =
        (0..shown).map(|i| &survey.layers[i * (all - 1) / (shown - 1).max(1)]).collect();
    // 99% of normally distributed values, as far as the histogram goes.
    let x_range = layers.iter().fold((-2.0, 2.0), |(low, high): (f64, f64), layer| {
        let MeanStd { mean, std } = layer.hidden.argument;
        (low.min(mean - 2.6 * std).max(-8.0), high.max(mean + 2.6 * std).min(8.0))
    });
    let curve = |name: &str, is_dashed, f: &dyn Fn(f64) -> f64| {
        let x = (0..=240).map(|i| x_range.0 + (x_range.1 - x_range.0) * f64::from(i) / 240.0);
        Curve { name: name.into(), points: x.map(|x| (x, f(x))).collect(), is_dashed }
    };
    let curves = |function: &Function| {
        vec![curve("f(x)", false, &|x| function.value(x)), curve("f'(x)", true, &|x| function.derivative(x))]
    };
    let initial = survey.act.function();
    let all_curves: Vec<Curve> = layers.iter().flat_map(|layer| curves(&layer.function)).collect();
    let y = all_curves.iter().flat_map(|curve| &curve.points).map(|(_, y)| *y);
    let y_range = padded(y).unwrap_or((-1.0, 1.0));
    // What training made of a function with learned scalars, beside what it was.
    let with_initial = |function: &Function| {
        let mut curves = curves(function);
        if !function.scalars.is_empty() {
            let before = curve("", false, &|x| initial.value(x));
            curves.push(Curve { name: text!("inspect.hidden.before"), ..before });
        }
        curves
    };
    let moments = |layer: &LayerInspection| {
        let argument = layer.hidden.argument;
        text!("inspect.hidden.moments", mean = fixed(argument.mean, 2), std = fixed(argument.std, 2))
    };
    let name = |layer: &LayerInspection| text!("inspect.layer", layer = layer.layer);
    let panel = |layer: &&LayerInspection| Panel {
        title: name(layer),
        subtitle: moments(layer),
        x_range,
        y_range,
        curves: with_initial(&layer.function),
        area: outline(&layer.hidden.histogram),
    };
    let described =
        layers.iter().map(|layer| text!("inspect.by_layer", name = name(layer), values = moments(layer)));
    let note = text!("inspect.hidden.pre_activations_note", f = survey.act.gate_label());
    let before =
        if initial.scalars.is_empty() { Text::default() } else { text!("inspect.hidden.before_note") };
    let omitted = if shown < all { text!("inspect.hidden.omitted") } else { Text::default() };
    Chart {
        stem: "pre-activations".to_string(),
        title: text!("inspect.hidden.pre_activations"),
        meaning: saturation(survey),
        note: Text::Sentences(vec![note, before, omitted]),
        description: Text::Sentences(described.collect()),
        plot: Plot::Panels(Panels(layers.iter().map(panel).collect())),
    }
}

fn saturation(survey: &Inspection) -> Text {
    let [_, (layer, share)] =
        extremes(values(survey, |layer| layer.hidden.saturated_negative + layer.hidden.saturated_positive))
            .unwrap_or_default();
    let hidden = &survey.layers[layer].hidden;
    text!(
        "inspect.hidden.flat",
        f = survey.act.gate_label(),
        share = percent(share),
        layer = layer,
        negative = percent(hidden.saturated_negative),
        positive = percent(hidden.saturated_positive),
    )
}

/// How often the function is flat or 0.
fn shares(survey: &Inspection) -> Chart {
    let percentages = |of: fn(&HiddenUnits) -> f64| values(survey, |layer| 100.0 * of(&layer.hidden));
    let series = vec![
        (text!("inspect.hidden.saturated_negative"), percentages(|hidden| hidden.saturated_negative)),
        (text!("inspect.hidden.saturated_positive"), percentages(|hidden| hidden.saturated_positive)),
        ("f(x) = 0".into(), percentages(|hidden| hidden.zeros)),
        (text!("inspect.hidden.dead_units"), percentages(|hidden| hidden.dead as f64 / hidden.units as f64)),
    ];
    let most = series.iter().flat_map(|(_, values)| values.iter().flatten()).copied().fold(1.0, f64::max);
    let y = Axis::new("%", Scale::linear((0.0, (1.05 * most).min(102.0)), UP));
    let [_, (layer, zeros)] = extremes(values(survey, |layer| layer.hidden.zeros)).unwrap_or_default();
    let (zeros, dead) = (percent(zeros), grouped(dead(survey)));
    let meaning = text!("inspect.hidden.zeros", zeros = zeros, layer = layer, dead = dead);
    let texts = [text!("inspect.hidden.shares"), meaning, text!("inspect.hidden.shares_note")];
    over_layers("shares", texts, y, series)
}

fn linear(survey: &Inspection) -> Chart {
    let found: Vec<Option<f64>> = survey.layers.iter().map(|layer| layer.linear.r2).collect();
    let meaning = match extremes(found.clone()) {
        None => text!("inspect.layers.unknown"),
        Some([(_, least), _]) if least > 0.999 => text!("inspect.layers.all_linear"),
        Some([(bent, least), (straight, most)]) => {
            let (least, most) = (percent(least), percent(most));
            text!("inspect.layers.linear", bent = bent, least = least, straight = straight, most = most)
        }
    };
    // A map that predicts worse than the mean is below 0.
    let low = found.iter().flatten().copied().fold(0.0, f64::min);
    let y = Axis::new(text!("inspect.layers.linear_axis"), Scale::linear((low, 1.02), UP));
    let texts = [text!("inspect.layers.linear_title"), meaning, text!("inspect.layers.linear_note")];
    over_layers("linear-r2", texts, y, vec![(Text::default(), found)])
}

fn loudness(survey: &Inspection) -> Chart {
    let output = values(survey, |layer| layer.output.rms);
    let residual = values(survey, |layer| layer.output.residual_rms);
    let y = Axis::log(text!("inspect.layers.rms_axis"), output.iter().chain(&residual).flatten().copied());
    let [(quiet, least), (loud, most)] =
        extremes(values(survey, |layer| layer.output.relative)).unwrap_or_default();
    let (least, most) = (ratio(least), ratio(most));
    let meaning = text!("inspect.layers.loudest", loud = loud, most = most, quiet = quiet, least = least);
    let texts = [text!("inspect.layers.loudness"), meaning, text!("inspect.layers.loudness_note")];
    let names = [text!("inspect.layers.ffn_output"), text!("inspect.layers.residual_stream")];
    over_layers("ffn-output", texts, y, names.into_iter().zip([output, residual]).collect())
}

fn gradients(survey: &Inspection) -> Chart {
    let norms: Vec<f64> = survey.layers.iter().map(|layer| layer.grad_norm).collect();
    let y = Axis::log(text!("inspect.gradient_axis"), norms.iter().copied());
    let texts = [
        text!("inspect.layers.gradients"),
        text!("inspect.layers.first_over_last", factor = ratio(norms[0] / norms[norms.len() - 1])),
        text!("inspect.layers.gradients_note", tokens = grouped(survey.gradient_tokens)),
    ];
    over_layers("gradient-norm", texts, y, vec![(Text::default(), norms.into_iter().map(Some).collect())])
}
