//! What several sections of an inspection are made of.

use crate::lab::inspect::{Inspection, LayerInspection};
use crate::report::chart::{Chart, Plot};
use crate::report::document::Block;
use crate::report::lines::{Axis, Lines};
use crate::support::numbers::ratio;
use crate::support::table::Table;
use crate::support::text::Text;

/// The cell of a column for a layer.
pub type ByLayer = fn(&LayerInspection) -> String;

/// The table with a row for each layer, of its number and these cells.
pub fn by_layer(mut table: Table, survey: &Inspection, columns: &[ByLayer]) -> Block {
    for layer in &survey.layers {
        let cells = columns.iter().map(|cell| cell(layer));
        table.add_row([layer.layer.to_string()].into_iter().chain(cells));
    }
    Block::Table(table)
}

/// A chart of lines over layers, one for each name with its values.
pub fn over_layers(
    stem: impl Into<String>,
    [title, meaning, note]: [Text; 3],
    y: Axis,
    series: Vec<(Text, Vec<Option<f64>>)>,
) -> Chart {
    let values = |values: &[Option<f64>]| {
        values.iter().map(|value| value.map_or("\u{2013}".to_string(), ratio)).collect::<Vec<_>>().join(", ")
    };
    let described = series.iter().map(|(name, found)| {
        let name = if name.is_empty() { &y.label } else { name };
        text!("inspect.by_layer", name = name.clone(), values = values(found))
    });
    Chart {
        stem: stem.into(),
        title,
        meaning,
        note,
        description: Text::Sentences(described.collect()),
        plot: Plot::Lines(Lines::over_layers(y, series)),
    }
}

/// The layers with the least and the greatest value, with these values. None if no layer has a value.
pub fn extremes(values: impl IntoIterator<Item = Option<f64>>) -> Option<[(usize, f64); 2]> {
    let known: Vec<(usize, f64)> =
        values.into_iter().enumerate().filter_map(|(layer, value)| Some((layer, value?))).collect();
    let least = known.iter().copied().min_by(|a, b| a.1.total_cmp(&b.1))?;
    let most = known.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1))?;
    Some([least, most])
}

/// A text with visible spaces and line ends.
pub fn quoted(text: &str) -> String {
    format!("{text:?}")
}
