//! Numbers as people read them. A value that isn't finite is a dash.

pub const DASH: &str = "\u{2013}";

/// Text with the minus sign that is as wide as a plus.
fn minus(text: &str) -> String {
    text.replace('-', "\u{2212}")
}

/// With so many decimals, and no sign before a zero: 1.50, \u{2212}0.25, 0.00.
pub fn fixed(value: f64, decimals: usize) -> String {
    if !value.is_finite() {
        return DASH.to_string();
    }
    let text = format!("{value:.decimals$}");
    let is_zero = text.trim_start_matches('-').chars().all(|c| matches!(c, '0' | '.'));
    if is_zero { text.trim_start_matches('-').to_string() } else { minus(&text) }
}

/// With its sign: +0.0123, \u{2212}0.0005.
pub fn signed(value: f64, decimals: usize) -> String {
    match fixed(value, decimals) {
        text if text.starts_with('\u{2212}') || text == DASH => text,
        text => format!("+{text}"),
    }
}

/// 66.4%, or 0.34% below one percent. `share` is 0 to 1.
pub fn percent(share: f64) -> String {
    let percent = 100.0 * share;
    let decimals = if percent.abs() < 0.995 && percent != 0.0 { 2 } else { 1 };
    match fixed(percent, decimals) {
        text if text == DASH => text,
        text => format!("{text}%"),
    }
}

/// Decimals of percentages that are shown together: one, or two if one would make any of them zero.
pub fn percent_decimals(percentages: &[f64]) -> usize {
    if percentages.iter().any(|percentage| percentage.abs() < 0.05) { 2 } else { 1 }
}

/// A difference as a share of a loss: \u{2212}1.9%, or with its interval \u{2212}1.9% [\u{2212}2.5, \u{2212}1.2].
pub fn relative(difference: f64, interval: Option<(f64, f64)>, loss: f64) -> String {
    let bounds = interval.map_or(Vec::new(), |(low, high)| vec![low, high]);
    let percentages: Vec<f64> =
        std::iter::once(difference).chain(bounds).map(|value| 100.0 * value / loss).collect();
    let decimals = percent_decimals(&percentages);
    let texts: Vec<String> = percentages.iter().map(|value| signed(*value, decimals)).collect();
    match texts.as_slice() {
        [value, low, high] => format!("{value}% [{low}, {high}]"),
        texts => format!("{}%", texts[0]),
    }
}

/// Four significant digits: 0.03457, 3.457, 345.7.
pub fn four_digits(value: f64) -> String {
    let decimals = if value == 0.0 { 3.0 } else { 3.0 - value.abs().log10().floor() };
    fixed(value, decimals.clamp(0.0, 12.0) as usize)
}

/// A ratio of any size, with two significant digits: 0.034, 1.2, 123, 5.4e-8, overflow.
pub fn ratio(value: f64) -> String {
    match value.abs() {
        size if !size.is_finite() => "overflow".to_string(),
        0.0 => "0".to_string(),
        size if (1e-3..1e4).contains(&size) => {
            fixed(value, (1.0 - size.log10().floor()).clamp(0.0, 4.0) as usize)
        }
        _ => scientific(value),
    }
}

/// At most three significant digits with a power of ten: 3e-4.
pub fn scientific(value: f64) -> String {
    let text = format!("{value:.2e}");
    match text.split_once('e') {
        Some((digits, power)) if digits.contains('.') => {
            format!("{}e{power}", digits.trim_end_matches('0').trim_end_matches('.'))
        }
        _ => text,
    }
}

pub fn p_value(p: f64) -> String {
    if p < 0.001 { "<0.001".to_string() } else { fixed(p, 3) }
}

/// 10,795,776
pub fn grouped(n: usize) -> String {
    let digits = n.to_string();
    let groups = digits.as_bytes().rchunks(3).rev().map(String::from_utf8_lossy);
    groups.collect::<Vec<_>>().join(",")
}

/// A number of things: 1 token, 2,000 tokens.
pub fn counted(n: usize, noun: &str) -> String {
    let end = if n == 1 { "" } else { "s" };
    format!("{} {noun}{end}", grouped(n))
}

/// Three significant digits and a prefix: 2.30 G, 14.2 M.
pub fn scaled(x: f64) -> String {
    let prefixes = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")];
    let (unit, prefix) = prefixes.into_iter().find(|(unit, _)| x >= *unit).unwrap_or((1.0, ""));
    let value = x / unit;
    let decimals = if value >= 99.5 {
        0
    } else if value >= 9.95 {
        1
    } else {
        2
    };
    format!("{value:.decimals$} {prefix}")
}

/// A setting with at most six significant digits, without rounding errors such as 0.0006000000000000001: 6e-4, 0.01.
pub fn setting(x: f64) -> String {
    let rounded: f64 = format!("{x:.5e}").parse().unwrap_or(x);
    if rounded == 0.0 || (0.01..1e6).contains(&rounded.abs()) {
        rounded.to_string()
    } else {
        format!("{rounded:e}")
    }
}

/// 45 s, 2 min 05 s, 3 h 20 min
pub fn duration(seconds: f64) -> String {
    let s = seconds.max(0.0).round() as u64;
    match s {
        0..60 => format!("{s} s"),
        60..3600 => format!("{} min {:02} s", s / 60, s % 60),
        _ => format!("{} h {:02} min", s / 3600, s % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_formatted_readably() {
        assert_eq!([0, 999, 1000, 10_795_776].map(grouped), ["0", "999", "1,000", "10,795,776"]);
        assert_eq!([0, 1, 2000].map(|n| counted(n, "token")), ["0 tokens", "1 token", "2,000 tokens"]);
        assert_eq!([950.0, 14_200_000.0, 2.3e9].map(scaled), ["950 ", "14.2 M", "2.30 G"]);
        assert_eq!([45.2, 125.0, 12_000.0].map(duration), ["45 s", "2 min 05 s", "3 h 20 min"]);
        assert_eq!(
            [0.0345678, 3.45678, 345.678, 34567.8].map(four_digits),
            ["0.03457", "3.457", "345.7", "34568"]
        );
        assert_eq!([0.0, f64::NAN].map(four_digits), ["0.000", DASH]);
        assert_eq!([0.0004, 0.0321].map(p_value), ["<0.001", "0.032"]);
        assert_eq!([0.0, 0.0034, 0.25, 1.0].map(percent), ["0.0%", "0.34%", "25.0%", "100.0%"]);
        assert_eq!([0.0, 0.03456, 1.234, 123.4, 5.4e-8].map(ratio), ["0", "0.035", "1.2", "123", "5.4e-8"]);
    }

    #[test]
    fn zero_has_no_minus_sign() {
        assert_eq!([0.01234, -0.00001, f64::NAN].map(|x| signed(x, 4)), ["+0.0123", "+0.0000", DASH]);
        assert_eq!([-0.0004, -1.5].map(|x| fixed(x, 2)), ["0.00", "\u{2212}1.50"]);
    }

    #[test]
    fn differences_are_percentages_of_the_loss() {
        assert_eq!(relative(0.01, None, 2.0), "+0.5%");
        assert_eq!(
            relative(-0.0623, Some((-0.0702, -0.0544)), 0.76),
            "\u{2212}8.2% [\u{2212}9.2, \u{2212}7.2]"
        );
        // A bound that isn't zero doesn't look like it.
        assert_eq!(relative(0.004, Some((0.0004, 0.0076)), 2.0), "+0.20% [+0.02, +0.38]");
        assert_eq!(percent_decimals(&[1.9, 1.2, 2.5]), 1);
        assert_eq!(percent_decimals(&[-0.3, -0.56, -0.04]), 2);
    }

    #[test]
    fn settings_have_no_rounding_errors() {
        let rates = [6e-3 / 10.0, 1e-3, 0.05, 0.1 + 0.2, 100.0 * 0.007, 0.0, 10.0, 1.2345e-5];
        assert_eq!(rates.map(setting), ["6e-4", "1e-3", "0.05", "0.3", "0.7", "0", "10", "1.2345e-5"]);
    }
}
