//! Histograms as areas behind curves.

use crate::lab::inspect::Histogram;

/// The value at the lower edge of a bin.
pub fn edge(histogram: &Histogram, bin: usize) -> f64 {
    histogram.low + (histogram.high - histogram.low) * bin as f64 / histogram.counts.len() as f64
}

/// The steps of a histogram: values, and counts as shares of the highest.
pub fn outline(histogram: &Histogram) -> Vec<(f64, f64)> {
    let highest = histogram.counts.iter().copied().max().unwrap_or(0).max(1) as f64;
    let step = |(bin, count): (usize, &u64)| {
        let share = *count as f64 / highest;
        [(edge(histogram, bin), share), (edge(histogram, bin + 1), share)]
    };
    histogram.counts.iter().enumerate().flat_map(step).collect()
}
