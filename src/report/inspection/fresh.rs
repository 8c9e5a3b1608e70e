//! Untrained models: the gradients that reach the first layer, by activation and depth.

use super::parts::over_layers;
use crate::lab::inspect::{FreshModels, InitialGradients};
use crate::report::chart::{Chart, Plot};
use crate::report::document::Block;
use crate::report::lines::{ACROSS, Axis, Lines, Series};
use crate::report::scale::Scale;
use crate::support::numbers::{fixed, ratio};
use crate::support::table::{Table, number};
use crate::support::text::Text;

pub fn blocks(fresh: &FreshModels) -> Vec<Block> {
    let depths = depths(fresh);
    let ratios = (depths.len() > 1).then(|| ratios(fresh, &depths));
    let norms = depths.iter().map(|depth| norms(fresh, *depth));
    vec![
        Block::Charts(ratios.into_iter().chain(norms).collect()),
        Block::Table(table(fresh, &depths)),
        Block::Note(text!("inspect.fresh.table_note")),
    ]
}

/// The activations that keep most and least of the gradient in the deepest models.
pub fn headline(fresh: &FreshModels) -> Text {
    extremes(fresh, depths(fresh).last().copied().unwrap_or_default())
}

fn depths(fresh: &FreshModels) -> Vec<usize> {
    let mut depths: Vec<usize> = fresh.gradients.iter().map(|found| found.layers).collect();
    depths.sort_unstable();
    depths.dedup();
    depths
}

fn extremes(fresh: &FreshModels, depth: usize) -> Text {
    let ratio_of = |found: &&InitialGradients| found.first_over_last;
    let known =
        || fresh.gradients.iter().filter(|found| found.layers == depth && ratio_of(found).is_finite());
    let least = known().min_by(|a, b| ratio_of(a).total_cmp(&ratio_of(b)));
    let most = known().max_by(|a, b| ratio_of(a).total_cmp(&ratio_of(b)));
    let (Some(least), Some(most)) = (least, most) else {
        return text!("inspect.fresh.all_overflow", depth = depth);
    };
    text!(
        "inspect.fresh.range",
        depth = depth,
        low = ratio(ratio_of(&least)),
        least = least.act,
        high = ratio(ratio_of(&most)),
        most = most.act,
    )
}

fn ratios(fresh: &FreshModels, depths: &[usize]) -> Chart {
    let (shallow, deep) = (depths[0] as f64, depths[depths.len() - 1] as f64);
    let room = (deep / shallow).powf(0.05);
    let x = Axis {
        label: text!("inspect.fresh.layers_axis"),
        scale: Scale::log((shallow / room, deep * room), ACROSS),
        ticks: depths.iter().map(|depth| (*depth as f64, depth.to_string())).collect(),
    };
    let values = fresh.gradients.iter().map(|found| found.first_over_last).filter(|value| value.is_finite());
    let y = Axis::log(text!("inspect.fresh.ratio_axis"), values.chain([1.0]));
    let models = fresh.gradients.chunks(depths.len()).enumerate();
    let series = models.map(|(look, models)| Series {
        look,
        name: models[0].act.into(),
        points: models.iter().map(|found| (found.layers as f64, found.first_over_last)).collect(),
        marker: 3.5,
        ..Series::default()
    });
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
        plot: Plot::Lines(Lines {
            reference: Some((1.0, Text::default())),
            ..Lines::new(x, y, series.collect())
        }),
    }
}

fn norms(fresh: &FreshModels, depth: usize) -> Chart {
    let usable = |norm: &f64| (norm.is_finite() && *norm > 0.0).then_some(*norm);
    let found = fresh.gradients.iter().filter(|found| found.layers == depth);
    let series: Vec<(Text, Vec<Option<f64>>)> =
        found.map(|found| (found.act.into(), found.norms.iter().map(usable).collect())).collect();
    let values = series.iter().flat_map(|(_, values)| values.iter().flatten().copied());
    let y = Axis::log(text!("inspect.gradient_axis"), values);
    let title = text!("inspect.fresh.norms", depth = depth);
    let texts = [title, extremes(fresh, depth), text!("inspect.fresh.norms_note")];
    over_layers(format!("gradient-norm-{depth}"), texts, y, series)
}

/// By activation, its moments on standard normal inputs, and the first layer's gradient over the last's by depth.
fn table(fresh: &FreshModels, depths: &[usize]) -> Table {
    let mut table = Table::titled("inspect.fresh.columns").with_caption(text!("inspect.fresh.table"));
    table.columns.extend(depths.iter().map(|depth| number(text!("inspect.fresh.layers", depth = depth))));
    for (normal, models) in fresh.standard_normal.iter().zip(fresh.gradients.chunks(depths.len())) {
        let moments = [normal.moments.mean, normal.moments.std].map(|moment| fixed(moment, 2));
        let ratios = models.iter().map(|found| ratio(found.first_over_last));
        table.add_row([normal.act.label().to_string()].into_iter().chain(moments).chain(ratios));
    }
    table
}
