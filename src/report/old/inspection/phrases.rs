//! What the parts of an inspection say numbers with.

use crate::report::old::chart::escape;
use crate::report::old::shell::note;
use crate::report::old::words::fixed;

/// A note as a paragraph of its own that says what a table means here.
fn meaning(text: &str) -> String {
    format!("<p class=\"meaning\">{}</p>\n", escape(text))
}

/// A table under what it means and above how to read it. `html` is HTML.
pub fn explained(sentence: &str, html: &str, reading: &str) -> String {
    meaning(sentence) + html + &note(reading)
}

/// 66.4%
pub fn percent(share: f64) -> String {
    format!("{}%", fixed(100.0 * share, 1))
}

/// 0.87 or 4.1e-10
pub fn factor(value: f64) -> String {
    match value {
        value if !value.is_finite() => "\u{221e}".to_string(),
        value if (0.01..1000.0).contains(&value) => fixed(value, 2),
        value => crate::report::old::scale::scientific(value),
    }
}

/// The layers where something is least and most, with how much it is there; none where no layer has it.
pub fn extremes(values: impl IntoIterator<Item = Option<f64>>) -> Option<((usize, f64), (usize, f64))> {
    let known: Vec<(usize, f64)> =
        values.into_iter().enumerate().filter_map(|(layer, value)| Some((layer, value?))).collect();
    let least = known.iter().copied().min_by(|a, b| a.1.total_cmp(&b.1))?;
    let most = known.iter().copied().max_by(|a, b| a.1.total_cmp(&b.1))?;
    Some((least, most))
}
