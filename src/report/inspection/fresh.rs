//! Untrained models: the gradients that reach the first layer, by activation and depth.

use super::numbers::{fixed, ratio};
use super::over_layers;
use crate::lab::inspect::{FreshModels, InitialGradients};
use crate::report::chart::{Chart, Plot};
use crate::report::document::Block;
use crate::report::lines::{ACROSS, Axis, Lines, Series};
use crate::report::scale::Scale;
use crate::report::table::{Table, label, number};
use crate::support::text::Text;

pub fn blocks(fresh: &FreshModels) -> Vec<Block> {
    let depths = depths(fresh);
    let ratios = (depths.len() > 1).then(|| ratios(fresh, &depths));
    let norms = depths.iter().map(|depth| norms(fresh, *depth));
    // Two decimals are shown: a mean that rounds to 0 is 0.
    let centred = fresh.standard_normal.iter().filter(|normal| normal.moments.mean.abs() < 0.005);
    let centred: Vec<String> = centred.map(|normal| normal.act.name()).collect();
    let meaning = match centred.as_slice() {
        [] => text!("inspect.fresh.none_centred"),
        acts => text!("inspect.fresh.centred", acts = acts.join(", ")),
    };
    let is_finite = fresh.gradients.iter().all(|found| found.first_over_last.is_finite());
    let overflow = if is_finite { Text::default() } else { text!("inspect.fresh.overflow") };
    vec![
        Block::Charts(ratios.into_iter().chain(norms).collect()),
        Block::Meaning(meaning),
        Block::Table(table(fresh, &depths)),
        Block::Note(Text::Sentences(vec![text!("inspect.fresh.table_note"), overflow])),
    ]
}

/// The activations that keep most and least of the gradient in the deepest models.
pub fn headline(fresh: &FreshModels) -> Text {
    depths(fresh).last().map_or(Text::default(), |depth| extremes(fresh, *depth))
}

fn depths(fresh: &FreshModels) -> Vec<usize> {
    let mut depths: Vec<usize> = fresh.gradients.iter().map(|found| found.layers).collect();
    depths.sort_unstable();
    depths.dedup();
    depths
}

/// The models of an activation or of a depth, in the order of the activations.
fn of(fresh: &FreshModels, holds: impl Fn(&InitialGradients) -> bool) -> Vec<&InitialGradients> {
    fresh.gradients.iter().filter(|found| holds(found)).collect()
}

fn extremes(fresh: &FreshModels, depth: usize) -> Text {
    let mut known = of(fresh, |found| found.layers == depth && found.first_over_last.is_finite());
    known.sort_by(|a, b| a.first_over_last.total_cmp(&b.first_over_last));
    match known.as_slice() {
        [] => text!("inspect.fresh.all_overflow", depth = depth),
        [only] => {
            text!("inspect.fresh.only", depth = depth, factor = ratio(only.first_over_last), act = only.act)
        }
        [least, .., most] => text!(
            "inspect.fresh.range",
            depth = depth,
            low = ratio(least.first_over_last),
            least = least.act,
            high = ratio(most.first_over_last),
            most = most.act,
        ),
    }
}

fn ratios(fresh: &FreshModels, depths: &[usize]) -> Chart {
    let (shallow, deep) = (depths[0] as f64, depths[depths.len() - 1] as f64);
    let room = (deep / shallow).powf(0.05);
    let x = Axis {
        label: text!("inspect.fresh.layers_axis"),
        scale: Scale::log((shallow / room, deep * room), ACROSS),
        ticks: depths.iter().map(|depth| (*depth as f64, depth.to_string())).collect(),
    };
    let series: Vec<Series> = fresh
        .standard_normal
        .iter()
        .enumerate()
        .map(|(look, normal)| {
            let found = of(fresh, |found| found.act == normal.act);
            let points = found.iter().map(|found| (found.layers as f64, found.first_over_last)).collect();
            Series { look, name: normal.act.into(), points, marker: 3.5, ..Series::default() }
        })
        .collect();
    let values = fresh.gradients.iter().map(|found| found.first_over_last).filter(|value| value.is_finite());
    let y = Axis::log(text!("inspect.fresh.ratio_axis"), values.chain([1.0]));
    let described = fresh.gradients.iter().map(|found| {
        let factor = ratio(found.first_over_last);
        text!("inspect.fresh.described", act = found.act, layers = found.layers, factor = factor)
    });
    Chart {
        stem: "gradient-ratio".to_string(),
        title: text!("inspect.fresh.ratios"),
        meaning: headline(fresh),
        note: text!("inspect.fresh.ratios_note"),
        description: Text::Sentences(described.collect()),
        plot: Plot::Lines(Lines { reference: Some((1.0, Text::default())), ..Lines::new(x, y, series) }),
    }
}

fn norms(fresh: &FreshModels, depth: usize) -> Chart {
    let found = of(fresh, |found| found.layers == depth);
    let usable = |norm: &f64| (norm.is_finite() && *norm > 0.0).then_some(*norm);
    let series: Vec<(Text, Vec<Option<f64>>)> =
        found.iter().map(|found| (found.act.into(), found.norms.iter().map(usable).collect())).collect();
    let is_complete = series.iter().all(|(_, values)| values.iter().all(Option::is_some));
    let lost = if is_complete { Text::default() } else { text!("inspect.fresh.lost") };
    let values = series.iter().flat_map(|(_, values)| values.iter().flatten().copied());
    let y = Axis::log(text!("inspect.gradient_axis"), values);
    Chart {
        title: text!("inspect.fresh.norms", depth = depth),
        meaning: extremes(fresh, depth),
        note: Text::Sentences(vec![text!("inspect.fresh.norms_note"), lost]),
        ..over_layers(format!("gradient-norm-{depth}"), y, series)
    }
}

/// By activation, its moments on standard normal arguments, and the first layer's gradient over the last's by depth.
fn table(fresh: &FreshModels, depths: &[usize]) -> Table {
    let columns = [
        label(text!("inspect.fresh.activation")),
        number(text!("inspect.hidden.mean", of = "f(z)")),
        number(text!("inspect.hidden.std", of = "f(z)")),
    ];
    let by_depth = depths.iter().map(|depth| number(text!("inspect.fresh.layers", depth = depth)));
    let mut table =
        Table::new(columns.into_iter().chain(by_depth)).with_caption(text!("inspect.fresh.table"));
    for normal in &fresh.standard_normal {
        let mut row = vec![normal.act.name(), fixed(normal.moments.mean, 2), fixed(normal.moments.std, 2)];
        for depth in depths {
            let found = of(fresh, |found| found.act == normal.act && found.layers == *depth);
            row.extend(found.first().map(|found| ratio(found.first_over_last)));
        }
        table.add_row(row);
    }
    table
}
