//! FFN layers are key-value memories.

use super::lab::act;
use super::{Lab, Measured, Verdict};
use crate::lab::inspect::{Inspection, Promoted, UnitMemories, UnitMemory};
use crate::support::failure::escape_controls;
use crate::support::numbers::{fixed, percent};
use crate::support::table::Table;
use crate::support::text::Text;
use anyhow::Result;

/// Agreement must be this many times chance, and this many standard errors above it.
const ABOVE: f64 = 2.0;

pub fn measure(lab: &mut Lab) -> Result<Measured> {
    let (relu, swiglu) = (lab.inspect(&act("relu"))?, lab.inspect(&act("swiglu"))?);
    let upper = relu.layers.len() / 2;
    let agrees =
        |found: &Inspection| found.layers[upper..].iter().any(|layer| is_above_chance(&layer.memories));
    // The layer of the upper half where agreement is highest, its agreement, and chance.
    let best = |found: &Inspection| {
        let layers = found.layers[upper..].iter();
        let best = layers.max_by(|a, b| a.memories.agreement.total_cmp(&b.memories.agreement));
        best.map_or((0, f64::NAN, f64::NAN), |layer| {
            (layer.layer, layer.memories.agreement, layer.memories.chance)
        })
    };
    let (layer, share, chance) = best(&relu);
    let (gated_layer, gated_share, gated_chance) = best(&swiglu);
    Ok(Measured {
        method: text!("claims.memories.method"),
        verdict: Verdict::of(&[agrees(&relu), agrees(&swiglu)]),
        answer: text!(
            "claims.memories.answer",
            share = percent(share),
            layer = layer,
            chance = percent(chance),
            gated_share = percent(gated_share),
            gated_layer = gated_layer,
            gated_chance = percent(gated_chance),
        ),
        tables: vec![
            agreement(&relu, &swiglu),
            strongest(&relu, text!("claims.memories.relu")),
            strongest(&swiglu, text!("claims.memories.swiglu")),
        ],
        figures: Vec::new(),
    })
}

/// True if a layer agrees clearly more often than by chance.
fn is_above_chance(memories: &UnitMemories) -> bool {
    let error = (memories.chance * (1.0 - memories.chance) / memories.fired as f64).sqrt();
    memories.agreement >= ABOVE * memories.chance
        && memories.agreement >= memories.chance + ABOVE * error
        && memories.agreement > 0.0
}

fn agreement(relu: &Inspection, swiglu: &Inspection) -> Table {
    let mut table =
        Table::titled("claims.memories.agreement_columns").with_caption(text!("claims.memories.agreement"));
    for (relu, swiglu) in relu.layers.iter().zip(&swiglu.layers) {
        let shares = [&relu.memories, &swiglu.memories].map(|memories| [memories.agreement, memories.chance]);
        let cells = shares.iter().flatten().map(|share| percent(*share));
        table.add_row(std::iter::once(relu.layer.to_string()).chain(cells));
    }
    table
}

/// The strongest units of every layer: the context that fires each most, and the tokens that it then promotes.
fn strongest(found: &Inspection, caption: Text) -> Table {
    let mut table = Table::titled("claims.memories.columns").with_words(3..6).with_caption(caption);
    for layer in &found.layers {
        for unit in &layer.memories.units {
            table.add_row(unit_cells(layer.layer, unit));
        }
    }
    table
}

fn unit_cells(layer: usize, unit: &UnitMemory) -> Vec<String> {
    let quoted = |text: &str| format!("\u{201c}{}\u{201d}", escape_controls(&text.replace('\n', "\u{21b5}")));
    let trigger = unit.triggers.first();
    let is_negative = trigger.is_some_and(|trigger| trigger.coefficient < 0.0);
    let promoted = unit.promoted_when_negative.as_ref().filter(|_| is_negative).unwrap_or(&unit.promoted);
    let tokens = promoted.iter().take(3).map(|promoted: &Promoted| quoted(&promoted.token));
    let [coefficient, context, next] = trigger.map_or(Default::default(), |trigger| {
        [fixed(trigger.coefficient, 2), quoted(&trigger.context), quoted(&trigger.next)]
    });
    let tokens = tokens.collect::<Vec<_>>().join(" ");
    vec![layer.to_string(), unit.unit.to_string(), coefficient, context, next, tokens]
}
