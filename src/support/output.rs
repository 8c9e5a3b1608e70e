//! Printing for people who may have stopped reading.

pub use crate::support::terminal::bar;

/// `println!` that passes on what goes wrong, such as a closed pipe, instead of panicking.
macro_rules! say {
    ($($arg:tt)*) => {{
        use std::io::Write as _;
        writeln!(std::io::stdout(), $($arg)*)
    }};
}

/// `say!` of text that is broken between words at a terminal.
macro_rules! prose {
    ($($arg:tt)*) => { say!("{}", $crate::support::terminal::paragraph(&format!($($arg)*))) };
}

/// `eprintln!` by way of [`note`](crate::support::terminal::note).
macro_rules! note {
    ($($arg:tt)*) => { $crate::support::terminal::note(&format!($($arg)*)) };
}

/// 10,795,776
pub fn grouped(n: usize) -> String {
    let digits = n.to_string();
    let first = digits.len() % 3;
    let mut text = digits[..first].to_string();
    for (i, digit) in digits[first..].chars().enumerate() {
        if i % 3 == 0 && !text.is_empty() {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// 2.3 G, 14 M: three significant digits and a prefix.
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

/// 6e-4, 0.01, 1: a setting in at most six significant digits, without what arithmetic left behind them,
/// as in 0.0006000000000000001.
pub fn setting(x: f64) -> String {
    let rounded: f64 = format!("{x:.5e}").parse().unwrap_or(x);
    if rounded == 0.0 || (0.01..1e6).contains(&rounded.abs()) {
        rounded.to_string()
    } else {
        format!("{rounded:e}")
    }
}

/// Decimals of percentages that are shown together: one, or two where one would make zero of any.
pub fn percent_decimals(percentages: &[f64]) -> usize {
    if percentages.iter().any(|percentage| percentage.abs() < 0.05) { 2 } else { 1 }
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

/// `text` as one word of a shell command.
pub fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:,=@".contains(c);
    // A shell puts the home directory for a tilde that is not quoted.
    if let Some(rest) = text.strip_prefix("~/") {
        return format!("~/{}", if rest.is_empty() { String::new() } else { shell_word(rest) });
    }
    if !text.is_empty() && text.chars().all(plain) {
        text.to_string()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!([0, 999, 1000, 10_795_776].map(grouped), ["0", "999", "1,000", "10,795,776"]);
        assert_eq!([950.0, 14_200_000.0, 2.3e9].map(scaled), ["950 ", "14.2 M", "2.30 G"]);
        assert_eq!([45.2, 125.0, 12_000.0].map(duration), ["45 s", "2 min 05 s", "3 h 20 min"]);
    }

    #[test]
    fn settings_are_shown_without_the_dust_of_arithmetic() {
        let rates = [6e-3 / 10.0, 1e-3, 0.05, 0.1 + 0.2, 100.0 * 0.007, 0.0, 10.0, 1.2345e-5];
        assert_eq!(rates.map(setting), ["6e-4", "1e-3", "0.05", "0.3", "0.7", "0", "10", "1.2345e-5"]);
    }

    #[test]
    fn percentages_that_one_decimal_would_make_zero_of_get_two() {
        assert_eq!(percent_decimals(&[1.9, 1.2, 2.5]), 1);
        assert_eq!(percent_decimals(&[-0.3, -0.56, -0.04]), 2);
    }

    #[test]
    fn a_word_with_a_quote_stays_one_word() {
        assert_eq!(shell_word("it's"), r"'it'\''s'");
        assert_eq!(shell_word("~/a b.txt"), "~/'a b.txt'");
    }
}
