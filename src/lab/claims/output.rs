//! A sigmoid at the output gives no distribution over tokens; softmax does.

use super::{Lab, Measured, Verdict};
use crate::lab::inspect::{Output, train_output};
use crate::settings::Settings;
use crate::support::numbers::{fixed, percent};
use crate::support::table::Table;
use crate::support::waiting::waiting;
use anyhow::Result;

/// Validation tokens read.
const READ: usize = 8192;
/// The share of tokens at which a distribution's sum may be off by rounding.
const OFF: f64 = 0.01;

pub fn measure(lab: &mut Lab) -> Result<Measured> {
    let steps = lab.output_steps()?;
    let dataset = lab.dataset(&Settings::default())?;
    let recipe = lab.recipe(&Settings::default())?;
    let train = |output| {
        let waiting = waiting(format!("training with {output:?} as the output, steps"));
        train_output(&recipe, &dataset, output, steps, READ, &mut lab.following(&waiting))
    };
    let (softmax, sigmoid) = (train(Output::Softmax)?, train(Output::Sigmoid)?);
    let mut table = Table::titled("claims.output.columns").with_caption(text!("claims.output.caption"));
    for (name, found) in [("softmax", &softmax), ("sigmoid", &sigmoid)] {
        table.add_row([
            name.to_string(),
            fixed(found.sum, 3),
            format!("{} \u{2026} {}", fixed(found.sum_low, 3), fixed(found.sum_high, 3)),
            percent(found.off),
            fixed(found.loss, 4),
            fixed(found.loss.exp(), 2),
        ]);
    }
    Ok(Measured {
        method: text!("claims.output.method", steps = steps, tokens = softmax.tokens),
        verdict: Verdict::of(&[sigmoid.off > OFF, softmax.off <= OFF]),
        answer: text!(
            "claims.output.answer",
            mean = fixed(sigmoid.sum, 2),
            off = percent(sigmoid.off),
            low = fixed(sigmoid.sum_low, 2),
            high = fixed(sigmoid.sum_high, 2),
            sigmoid = fixed(sigmoid.loss.exp(), 2),
            softmax = fixed(softmax.loss.exp(), 2),
        ),
        tables: vec![table],
        figures: Vec::new(),
    })
}
