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
    fn words_with_quotes_are_quoted_for_the_shell() {
        assert_eq!(shell_word("it's"), r"'it'\''s'");
        assert_eq!(shell_word("~/a b.txt"), "~/'a b.txt'");
    }
}
