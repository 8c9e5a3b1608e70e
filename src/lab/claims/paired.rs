//! Activations held against each other by models that differ in nothing else, paired by seed.

use super::lab::{Lab, act};
use super::numbers::fixed;
use super::{Said, Table};
use crate::lab::compare::{Tested, holm};
use crate::settings::Settings;
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

/// The table of such differences.
pub fn table(pairs: &[(&str, &str)], tested: &[Tested]) -> Table {
    let row = |((first, second), tested): (&(&str, &str), &Tested)| {
        let interval = tested.interval.map_or("\u{2013}".to_string(), |(low, high)| {
            format!("{} \u{2026} {}", fixed(low, 4), fixed(high, 4))
        });
        let cells = [
            format!("{first} \u{2212} {second}"),
            tested.summary.n.to_string(),
            fixed(tested.summary.mean, 4),
            interval,
            tested.p.map_or("\u{2013}".to_string(), |p| fixed(p, 3)),
        ];
        cells.map(Said::from).to_vec()
    };
    Table {
        words: false,
        caption: Said::new(
            "Differences of the final validation loss, paired by seed (Holm's procedure over all pairs)",
            "最終検証損失の差(シードごとの対、すべての対にホルムの方法を適用)",
        ),
        head: vec![
            Said::new("pair", "対"),
            Said::new("seeds", "シード"),
            Said::new("mean difference", "平均の差"),
            Said::new("interval", "区間"),
            "p".into(),
        ],
        rows: pairs.iter().zip(tested).map(row).collect(),
    }
}
