//! Sigmoid saturates; ReLU and GELU avoid full saturation for negative inputs.

use super::figures::{Figure, Inputs, Picture, Plotted};
use super::lab::{mean_over_layers, with};
use super::{Lab, Measured, Verdict};
use crate::lab::inspect::Inspection;
use crate::support::numbers::percent;
use crate::support::table::Table;
use anyhow::Result;

const ACTS: [&str; 4] = ["sigmoid", "relu", "gelu", "tanh"];
/// Its curve would hide the others'.
const NOT_DRAWN: &str = "tanh";
/// A function saturates if at least this share of its inputs is saturated.
const SATURATES: f64 = 0.01;
/// A function avoids full saturation if less than this share of its negative inputs is saturated.
const AVOIDS: f64 = 0.5;

/// Shares of the hidden units' inputs that are saturated.
struct Saturated {
    /// Of all inputs, those at x <= 0 and those above.
    negative: f64,
    positive: f64,
    /// Of the inputs at x <= 0.
    of_negative: f64,
}

impl Saturated {
    fn of(inspection: &Inspection) -> Saturated {
        let negative = mean_over_layers(inspection, |layer| layer.hidden.saturated_negative);
        let below_zero = mean_over_layers(inspection, |layer| layer.hidden.histogram.below_zero());
        let positive = mean_over_layers(inspection, |layer| layer.hidden.saturated_positive);
        Saturated { negative, positive, of_negative: negative / below_zero }
    }

    fn of_all(&self) -> f64 {
        self.negative + self.positive
    }
}

pub fn measure(lab: &mut Lab) -> Result<Measured> {
    let mut table =
        Table::titled("claims.saturation.columns").with_caption(text!("claims.saturation.caption"));
    let (mut found, mut inputs) = (Vec::new(), Vec::new());
    for act in lab.acts(&ACTS)? {
        let inspection = lab.inspect(&with(act))?;
        let saturated = Saturated::of(&inspection);
        let shares = [saturated.negative, saturated.positive, saturated.of_negative].map(percent);
        table.add_row([act.to_string()].into_iter().chain(shares));
        found.push(saturated);
        inputs.push(Inputs::of(act.label(), &inspection));
    }
    inputs.retain(|inputs| inputs.name != NOT_DRAWN);
    let (sigmoid, relu, gelu) = (&found[0], &found[1], &found[2]);
    Ok(Measured {
        method: text!("claims.saturation.method"),
        verdict: Verdict::of(&[
            sigmoid.of_all() >= SATURATES,
            relu.of_negative < AVOIDS,
            gelu.of_negative < AVOIDS,
        ]),
        answer: text!(
            "claims.saturation.answer",
            sigmoid = percent(sigmoid.of_all()),
            relu = percent(relu.of_negative),
            gelu = percent(gelu.of_negative),
            gelu_all = percent(gelu.of_all()),
        ),
        tables: vec![table],
        figures: vec![Figure {
            stem: "slopes",
            title: text!("claims.saturation.slopes"),
            meaning: text!(
                "claims.saturation.meaning",
                sigmoid = percent(sigmoid.of_all()),
                relu = percent(relu.of_all()),
                gelu = percent(gelu.of_all()),
            ),
            picture: Picture::Functions { plotted: Plotted::Slope, models: inputs },
        }],
    })
}
