//! Numbers as text.
pub fn fixed(value: f64, decimals: usize) -> String {
    if !value.is_finite() {
        return "\u{2013}".to_string();
    }
    let text = format!("{value:.decimals$}");
    let text = if text.trim_start_matches('-').chars().all(|c| matches!(c, '0' | '.')) {
        text.trim_start_matches('-').to_string()
    } else {
        text
    };
    text.replace('-', "\u{2212}")
}
pub fn percent(share: f64) -> String {
    format!("{}%", fixed(100.0 * share, 1))
}
pub fn ratio(value: f64) -> String {
    match value {
        value if !value.is_finite() => "overflow".to_string(),
        value if (0.01..1000.0).contains(&value) => fixed(value, 2),
        value => crate::report::scale::scientific(value),
    }
}
