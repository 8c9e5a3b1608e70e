//! Activations compared by models that differ in nothing else, paired by seed.

use super::lab::{Lab, act};
use crate::lab::compare::{Tested, holm};
use crate::settings::Settings;
use crate::support::numbers::{DASH, fixed};
use crate::support::table::Table;
use anyhow::Result;

/// Final losses of an activation's models, one per seed.
pub fn losses(lab: &mut Lab, name: &str) -> Result<Vec<f64>> {
    let first = lab.recipe(&Settings::default())?.training.seed;
    let seeds = if lab.deep { 5 } else { 3 };
    let mut losses = vec![lab.train(&act(name))?.loss];
    for seed in 1..seeds {
        let changes = Settings { seed: Some(first.wrapping_add(seed)), ..act(name) };
        losses.push(lab.train(&changes)?.loss);
    }
    Ok(losses)
}

/// Differences paired by seed, first minus second, tested together.
pub fn compared(lab: &mut Lab, pairs: &[(&str, &str)]) -> Result<Vec<Tested>> {
    let mut families = Vec::new();
    for (first, second) in pairs {
        let (first, second) = (losses(lab, first)?, losses(lab, second)?);
        families.push(first.iter().zip(second).map(|(a, b)| a - b).collect());
    }
    Ok(holm(&families))
}

/// The mean difference, and the lower and upper end of its interval, with three decimals.
pub fn with_interval(tested: &Tested) -> [String; 3] {
    let (low, high) = tested.interval.unwrap_or((f64::NAN, f64::NAN));
    [tested.summary.mean, low, high].map(|value| fixed(value, 3))
}

/// The table of differences.
pub fn table(pairs: &[(&str, &str)], tested: &[Tested]) -> Table {
    let mut table = Table::titled("claims.paired.columns").with_caption(text!("claims.paired.caption"));
    for ((first, second), tested) in pairs.iter().zip(tested) {
        let interval = tested
            .interval
            .map_or(DASH.to_string(), |(low, high)| format!("{} \u{2026} {}", fixed(low, 4), fixed(high, 4)));
        table.add_row([
            format!("{first} \u{2212} {second}"),
            tested.summary.n.to_string(),
            fixed(tested.summary.mean, 4),
            interval,
            tested.p.map_or(DASH.to_string(), |p| fixed(p, 3)),
        ]);
    }
    table
}
