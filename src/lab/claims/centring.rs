//! A sigmoid's outputs aren't centered on zero; GELU's are.

use super::lab::{mean_over_layers, with};
use super::{Lab, Measured, Verdict};
use crate::lab::inspect::on_standard_normal;
use crate::support::numbers::{DASH, fixed};
use crate::support::table::Table;
use anyhow::Result;

const ACTS: [&str; 6] = ["sigmoid", "relu", "gelu", "silu", "tanh", "identity"];
/// The ones of these that aren't trained.
const COMPUTED_ONLY: [&str; 1] = ["silu"];
/// A mean within this many standard deviations of 0 is centered.
const CENTRED: f64 = 0.1;

pub fn measure(lab: &mut Lab) -> Result<Measured> {
    let mut table = Table::titled("claims.centring.columns").with_caption(text!("claims.centring.caption"));
    let (mut normal, mut in_model) = (Vec::new(), Vec::new());
    for act in lab.acts(&ACTS)? {
        let moments = on_standard_normal(&act.function());
        let [mean, std] = match COMPUTED_ONLY.contains(&act.name()) {
            true => [DASH, DASH].map(String::from),
            false => {
                let found = lab.inspect(&with(act))?;
                let mean = mean_over_layers(&found, |layer| layer.hidden.output.mean);
                let std = mean_over_layers(&found, |layer| layer.hidden.output.std);
                [mean, std].map(|value| fixed(value, 2))
            }
        };
        table.add_row([act.to_string(), fixed(moments.mean, 2), fixed(moments.std, 2), mean.clone(), std]);
        normal.push(moments);
        in_model.push(mean);
    }
    let (sigmoid, gelu) = (normal[0], normal[2]);
    Ok(Measured {
        method: text!("claims.centring.method"),
        verdict: Verdict::of(&[
            (sigmoid.mean / sigmoid.std).abs() > CENTRED,
            (gelu.mean / gelu.std).abs() <= CENTRED,
        ]),
        answer: text!(
            "claims.centring.answer",
            sigmoid = fixed(sigmoid.mean, 2),
            gelu = fixed(gelu.mean, 2),
            in_model = &in_model[2],
        ),
        tables: vec![table],
        figures: Vec::new(),
    })
}
