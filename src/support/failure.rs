//! What can go wrong, sorted by whose move is next. `main` turns the kind into an exit code.

use std::fmt;

/// An error that says more than "it failed": it decides the exit code.
#[derive(Debug)]
pub enum Failure {
    /// The command line or an input file is wrong; the message says what, where and what to do.
    Input(String),
    /// Another process is at work where this one would write.
    Busy(String),
    /// The loss stopped being a number.
    Diverged(String),
    /// An assertion about a result doesn't hold.
    Refuted(String),
    /// A signal asked to stop. The message, of any number of lines, says what is saved and how to resume.
    Interrupted(String),
}

/// Exit code of an interrupted process, as shells have it: 128 and the number of SIGINT.
pub const INTERRUPTED: u8 = 130;

impl Failure {
    pub fn exit_code(&self) -> u8 {
        match self {
            Failure::Input(_) | Failure::Busy(_) => 2,
            Failure::Diverged(_) => 3,
            Failure::Refuted(_) => 4,
            Failure::Interrupted(_) => INTERRUPTED,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Failure::Input(message)
            | Failure::Busy(message)
            | Failure::Diverged(message)
            | Failure::Refuted(message)
            | Failure::Interrupted(message) => f.write_str(message),
        }
    }
}

impl std::error::Error for Failure {}

/// Exit code of any error: 2 for bad input, 3 for divergence, 4 for a refuted assertion, 1 for the rest.
pub fn exit_code(error: &anyhow::Error) -> u8 {
    error.chain().find_map(|cause| cause.downcast_ref::<Failure>()).map_or(1, Failure::exit_code)
}

/// ` (did you mean 'gelu'?)` where a known name is near enough, else nothing.
pub fn did_you_mean<'a>(word: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let distance = |name: &str| strsim::damerau_levenshtein(word, name);
    match known.into_iter().min_by_key(|name| distance(name)) {
        Some(name) if distance(name) <= 1 + word.chars().count() / 4 => format!(" (did you mean '{name}'?)"),
        _ => String::new(),
    }
}

/// The whole chain of causes on one line, terminal escapes made visible.
pub fn one_line(error: &anyhow::Error) -> String {
    let mut line = String::new();
    for cause in error.chain().map(ToString::to_string) {
        // candle writes a backtrace behind its message where RUST_BACKTRACE is set.
        let cause = cause.split("\n   0: ").next().unwrap_or_default().trim_end().to_string();
        if line.contains(&cause) {
            continue;
        }
        if !line.is_empty() {
            line.push_str(": ");
        }
        line.push_str(&cause);
    }
    escape_controls(&line.replace('\n', " "))
}

/// Replaces control characters other than newline and tab by escapes such as `\u{1b}`, so that text
/// from a file or a model cannot drive the terminal.
pub fn escape_controls(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' | '\t' => safe.push(c),
            c if c.is_control() => safe.extend(c.escape_default()),
            c => safe.push(c),
        }
    }
    safe
}

/// An [`Failure::Input`] error with a formatted message.
#[macro_export]
macro_rules! input_error {
    ($($arg:tt)*) => {
        ::anyhow::Error::new($crate::support::failure::Failure::Input(format!($($arg)*)))
    };
}

/// Returns early with an [`input_error!`].
#[macro_export]
macro_rules! bail_input {
    ($($arg:tt)*) => { return Err($crate::input_error!($($arg)*)) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn similar_names_are_suggested_and_others_are_not() {
        let known = ["relu", "gelu", "swiglu"];
        assert_eq!(did_you_mean("gleu", known), " (did you mean 'gelu'?)");
        assert_eq!(did_you_mean("transformer", known), "");
    }

    #[test]
    fn control_characters_are_escaped_in_output() {
        assert_eq!(escape_controls("a\x1b[31mb\n"), "a\\u{1b}[31mb\n");
    }
}
