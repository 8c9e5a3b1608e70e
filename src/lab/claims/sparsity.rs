//! ReLU makes hidden units exactly sparse, and some of its units die.

use super::lab::{act, mean_over_layers, with};
use super::{Lab, Measured, Verdict};
use crate::lab::inspect::{Inspection, LayerInspection};
use crate::support::numbers::percent;
use crate::support::table::Table;
use anyhow::Result;

const ACTS: [&str; 5] = ["relu", "gelu", "sigmoid", "tanh", "swiglu"];
/// A function is sparse if at least this share of its outputs is 0.
const SPARSE: f64 = 0.1;
/// Units die if training kills at least this share of them.
const DIE: f64 = 0.01;

fn zeros(found: &Inspection) -> f64 {
    mean_over_layers(found, |layer| layer.hidden.zeros)
}

fn sum(found: &Inspection, of: fn(&LayerInspection) -> usize) -> usize {
    found.layers.iter().map(of).sum()
}

fn dead(found: &Inspection) -> usize {
    sum(found, |layer| layer.hidden.dead)
}

pub fn measure(lab: &mut Lab) -> Result<Measured> {
    let mut table = Table::titled("claims.sparsity.columns").with_caption(text!("claims.sparsity.caption"));
    let mut found = Vec::new();
    for act in lab.acts(&ACTS)? {
        let model = lab.inspect(&with(act))?;
        let saturated = sum(&model, |layer| layer.hidden.always_saturated);
        let units = sum(&model, |layer| layer.hidden.units);
        let counts = [dead(&model), saturated, units].map(|count| count.to_string());
        table.add_row([act.to_string(), percent(zeros(&model))].into_iter().chain(counts));
        found.push(model);
    }
    let relu = &found[0];
    let units = sum(relu, |layer| layer.hidden.units);
    let before = dead(&lab.inspect_fresh(&act("relu"))?);
    let died = dead(relu).saturating_sub(before) as f64 / units as f64;
    let only_relu = zeros(relu) >= SPARSE && found[1..ACTS.len()].iter().all(|found| zeros(found) < SPARSE);
    Ok(Measured {
        method: text!("claims.sparsity.method", tokens = relu.tokens),
        verdict: Verdict::of(&[only_relu, died >= DIE]),
        answer: text!(
            "claims.sparsity.answer",
            share = percent(zeros(relu)),
            dead = dead(relu),
            units = units,
            before = before,
        ),
        tables: vec![table],
        figures: Vec::new(),
    })
}
