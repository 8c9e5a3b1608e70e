//! Outputs that aren't centered on zero bias the updates, which then zigzag.

use super::lab::act;
use super::{Lab, Measured, Verdict};
use crate::lab::inspect::movement;
use crate::settings::Settings;
use crate::support::numbers::fixed;
use crate::support::table::Table;
use crate::support::waiting::waiting;
use anyhow::Result;

const ACTS: [&str; 4] = ["sigmoid", "relu", "gelu", "tanh"];
/// By how much sigmoid must differ from tanh, which is centered on zero.
const DIFFERS: f64 = 0.05;

pub fn measure(lab: &mut Lab) -> Result<Measured> {
    let steps = if lab.deep { 200 } else { 60 };
    let dataset = lab.dataset(&Settings::default())?;
    let mut table = Table::titled("claims.zigzag.columns").with_caption(text!("claims.zigzag.caption"));
    let mut found = Vec::new();
    let waiting = waiting("watching models train, models");
    for name in ACTS {
        waiting.reached(found.len(), ACTS.len());
        let movement = movement(&lab.recipe(&act(name))?, &dataset, steps)?;
        let shares = [movement.one_sign_of_a_token, movement.one_sign_of_a_batch];
        let numbers = shares.into_iter().chain([movement.gradient_cosine, movement.update_cosine]);
        table.add_row([name.to_string()].into_iter().chain(numbers.map(|number| fixed(number, 2))));
        found.push(movement);
    }
    let (sigmoid, relu, tanh) = (&found[0], &found[1], &found[3]);
    let whole = |share: f64| fixed(100.0 * share, 0);
    Ok(Measured {
        method: text!("claims.zigzag.method", steps = steps),
        verdict: Verdict::of(&[
            sigmoid.one_sign_of_a_batch >= tanh.one_sign_of_a_batch + DIFFERS,
            sigmoid.gradient_cosine <= tanh.gradient_cosine - DIFFERS,
        ]),
        answer: text!(
            "claims.zigzag.answer",
            token = whole(sigmoid.one_sign_of_a_token),
            relu = whole(relu.one_sign_of_a_token),
            batch = whole(sigmoid.one_sign_of_a_batch),
            tanh = whole(tanh.one_sign_of_a_batch),
            cosine = fixed(sigmoid.gradient_cosine, 2),
            tanh_cosine = fixed(tanh.gradient_cosine, 2),
            way = match sigmoid.gradient_cosine > tanh.gradient_cosine {
                true => text!("claims.zigzag.straight"),
                false => text!("claims.zigzag.back"),
            },
        ),
        tables: vec![table],
        figures: Vec::new(),
    })
}
