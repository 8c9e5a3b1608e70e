//! Smooth and gated activations are more expressive.

use super::figures::{Figure, Inputs, Picture, Plotted};
use super::lab::act;
use super::paired::{compared, table, with_interval};
use super::{Lab, Measured, Verdict};
use crate::support::numbers::percent;
use anyhow::Result;

pub fn measure(lab: &mut Lab) -> Result<Measured> {
    let pairs = [("gelu", "relu"), ("swiglu", "relu")];
    let tested = compared(lab, &pairs)?;
    let is_better = |i: usize| tested[i].interval.is_some_and(|(_, high)| high < 0.0);
    let mut models = Vec::new();
    for name in ["relu", "gelu", "swiglu"] {
        models.push(Inputs::of(name, &*lab.inspect(&act(name))?));
    }
    let near = models[1].histogram.between(-1.0, 1.0);
    let [gelu, gelu_low, gelu_high] = with_interval(&tested[0]);
    let [swiglu, swiglu_low, swiglu_high] = with_interval(&tested[1]);
    Ok(Measured {
        method: text!("claims.expressive.method"),
        verdict: Verdict::of(&[is_better(0), is_better(1)]),
        answer: text!(
            "claims.expressive.answer",
            gelu = gelu,
            gelu_low = gelu_low,
            gelu_high = gelu_high,
            swiglu = swiglu,
            swiglu_low = swiglu_low,
            swiglu_high = swiglu_high,
        ),
        tables: vec![table(&pairs, &tested)],
        figures: vec![Figure {
            stem: "functions",
            title: text!("claims.expressive.title"),
            meaning: text!("claims.expressive.meaning", near = percent(near)),
            picture: Picture::Functions { plotted: Plotted::Value, models },
        }],
    })
}
