//! Sigmoid is worse in practice.

use super::lab::Lab;
use super::paired::{compared, losses, table, with_interval};
use super::{Measured, Verdict};
use crate::lab::compare::Tested;
use crate::support::numbers::fixed;
use anyhow::Result;

pub fn measure(lab: &mut Lab) -> Result<Measured> {
    let pairs = [("sigmoid", "relu"), ("sigmoid", "gelu")];
    let tested = compared(lab, &pairs)?;
    let seeds = tested[0].summary.n;
    let relu = losses(lab, "relu")?.iter().sum::<f64>() / seeds as f64;
    let [mean, low, high] = with_interval(&tested[0]);
    Ok(Measured {
        method: text!("claims.worse.method", seeds = seeds),
        verdict: Verdict::of(&[is_worse(&tested[0]), is_worse(&tested[1])]),
        answer: text!(
            "claims.worse.answer",
            mean = mean,
            low = low,
            high = high,
            share = fixed(100.0 * tested[0].summary.mean / relu, 1),
        ),
        tables: vec![table(&pairs, &tested)],
        figures: Vec::new(),
    })
}

/// True if the first of a pair has the higher loss.
fn is_worse(tested: &Tested) -> bool {
    tested.interval.is_some_and(|(low, _)| low > 0.0)
}
