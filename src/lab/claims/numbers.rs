//! Numbers as the claims write them.

use crate::lab::inspect::Inspection;

pub fn percent(share: f64) -> String {
    let percent = 100.0 * share;
    if percent.abs() < 0.995 && percent != 0.0 { format!("{percent:.2}%") } else { format!("{percent:.1}%") }
}

/// With as many decimals as asked for, and a true minus.
pub fn fixed(value: f64, decimals: usize) -> String {
    let text = format!("{value:.decimals$}");
    // Nothing is neither more nor less.
    let text = if text.trim_start_matches('-').chars().all(|c| c == '0' || c == '.') {
        text.trim_start_matches('-').to_string()
    } else {
        text
    };
    text.replace('-', "\u{2212}")
}

/// With its sign and three decimals.
pub fn signed(value: f64) -> String {
    let sign = if value > 0.0 { "+" } else { "" };
    format!("{sign}{}", fixed(value, 3))
}

/// A ratio of any size: 1.2, 0.034, 5e-8.
pub fn ratio(value: f64) -> String {
    match value.abs() {
        size if !size.is_finite() => "overflow".to_string(),
        size if (1e-3..1e4).contains(&size) => {
            let decimals = (1.0 - size.log10().floor()).clamp(0.0, 4.0) as usize;
            format!("{value:.decimals$}")
        }
        _ => format!("{value:.0e}"),
    }
}

/// The mean over a model's layers.
pub fn over_layers(
    inspection: &Inspection,
    value: impl Fn(&crate::lab::inspect::LayerInspection) -> f64,
) -> f64 {
    inspection.layers.iter().map(value).sum::<f64>() / inspection.layers.len() as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short_and_keep_their_size() {
        assert_eq!([0.0, 0.0034, 0.25, 1.0].map(percent), ["0.0%", "0.34%", "25.0%", "100.0%"]);
        assert_eq!([1.234, 0.03456, 123.4, 5.4e-8].map(ratio), ["1.2", "0.035", "123", "5e-8"]);
        assert_eq!(fixed(-0.0004, 2), "0.00");
        assert_eq!(fixed(-1.5, 2), "\u{2212}1.50");
    }
}
