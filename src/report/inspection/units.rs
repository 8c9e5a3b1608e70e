//! Units as memories: how often their keys and values agree, and the strongest units.

use super::parts::{by_layer, extremes, quoted};
use crate::lab::inspect::{Inspection, Promoted, UnitMemory};
use crate::report::document::Block;
use crate::support::numbers::{fixed, grouped, percent};
use crate::support::table::{Table, label, number, tail, words};

pub fn blocks(survey: &Inspection) -> Vec<Block> {
    let [_, (layer, most)] =
        extremes(survey.layers.iter().map(|layer| Some(layer.memories.agreement))).unwrap_or_default();
    let chance = percent(survey.layers[layer].memories.chance);
    let agreement = by_layer(
        Table::titled("inspect.units.columns").with_caption(text!("inspect.units.table")),
        survey,
        &[
            |layer| percent(layer.memories.agreement),
            |layer| percent(layer.memories.chance),
            |layer| grouped(layer.memories.fired),
        ],
    );
    let mut blocks = vec![
        Block::Meaning(text!("inspect.units.most", layer = layer, share = percent(most), chance = chance)),
        agreement,
        Block::Note(text!("inspect.units.agreement_note")),
    ];
    let units: Vec<(usize, &UnitMemory)> = survey
        .layers
        .iter()
        .flat_map(|layer| layer.memories.units.iter().map(|unit| (layer.layer, unit)))
        .collect();
    if !units.is_empty() {
        blocks.extend([Block::Table(table(&units)), Block::Note(text!("inspect.units.strength_note"))]);
    }
    blocks
}

/// A row for each trigger of each unit.
fn table(units: &[(usize, &UnitMemory)]) -> Table {
    let mut table = Table::new([
        label(text!("inspect.units.unit")),
        number(text!("inspect.units.coefficient")),
        tail(text!("inspect.units.context")),
        words(text!("inspect.units.next")).at_least(4),
        words(text!("inspect.units.promotes")),
        words(text!("inspect.units.promotes_negative")),
    ])
    .with_caption(text!("inspect.units.units_table"));
    for (layer, unit) in units {
        let mut unit_cells = [
            format!("{layer}, {}", unit.unit),
            tokens(&unit.promoted),
            unit.promoted_when_negative.as_deref().map_or(String::new(), tokens),
        ];
        for trigger in &unit.triggers {
            // Only in the first row of the unit.
            let [name, promoted, negative] = std::mem::take(&mut unit_cells);
            let (context, next) = (quoted(&trigger.context), quoted(&trigger.next));
            table.add_row([name, fixed(trigger.coefficient, 2), context, next, promoted, negative]);
        }
    }
    table
}

fn tokens(promoted: &[Promoted]) -> String {
    promoted.iter().map(|promoted| quoted(&promoted.token)).collect::<Vec<_>>().join(" ")
}
