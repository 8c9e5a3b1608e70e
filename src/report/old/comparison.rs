//! Which charts a comparison has.

use super::picture::Chart;
use super::{curves, rows};
use crate::lab::compare::analysis::Analysis;

/// The charts that there is something to show in, in the page's order.
pub fn all(analysis: &Analysis) -> Vec<Chart> {
    let found = [
        curves::by_tokens(analysis),
        curves::by_time(analysis),
        rows::final_losses(analysis),
        rows::differences(analysis),
        curves::by_rate(analysis),
    ];
    found.into_iter().flatten().collect()
}

/// Every chart as an SVG document, with the stem of its file's name.
pub fn charts(analysis: &Analysis) -> Vec<(String, String)> {
    all(analysis).into_iter().map(|chart| (chart.stem.clone(), chart.document())).collect()
}
