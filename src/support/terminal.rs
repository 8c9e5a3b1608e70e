//! Lines and bars at a terminal: as wide as it is, and never on top of each other.

use crate::support::failure::escape_controls;
use indicatif::{ProgressBar, ProgressStyle, WeakProgressBar};
use std::io::{IsTerminal, Write, stderr, stdout};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Columns where nothing says how many there are.
const COLUMNS: usize = 80;

/// The bar that is drawn now.
static BAR: Mutex<Option<WeakProgressBar>> = Mutex::new(None);
static BAR_WAS_DRAWN: AtomicBool = AtomicBool::new(false);

/// Columns of a table on standard output: those of `COLUMNS`, else of the terminal, else 80.
pub fn table_columns() -> usize {
    columns(stdout().is_terminal())
}

/// Columns of a line on standard error; none where it isn't a terminal, and lines may be of any length.
pub fn line_columns() -> Option<usize> {
    stderr().is_terminal().then(|| columns(true))
}

fn columns(is_terminal: bool) -> usize {
    let said = std::env::var("COLUMNS").ok().and_then(|text| text.trim().parse().ok());
    let own = || terminal_size::terminal_size().filter(|_| is_terminal).map(|(width, _)| width.0.into());
    said.filter(|columns| *columns > 0).or_else(own).unwrap_or(COLUMNS)
}

/// A bar on standard error; hidden where that isn't a terminal.
pub fn bar(length: usize, template: &str) -> ProgressBar {
    let style = ProgressStyle::with_template(template).expect("a valid template");
    let bar = ProgressBar::new(length as u64).with_style(style.progress_chars("█▉▊▋▌▍▎▏ "));
    if !bar.is_hidden() {
        BAR_WAS_DRAWN.store(true, Ordering::Relaxed);
        *BAR.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar.downgrade());
    }
    bar
}

/// Whether there may be a bar in the line of the cursor. Safe to call from a signal handler.
pub fn bar_was_drawn() -> bool {
    BAR_WAS_DRAWN.load(Ordering::Relaxed)
}

/// Writes a line to standard error: above the bar, broken between words at a terminal, its control
/// characters escaped. Never fails, since nobody is left to tell.
pub fn note(text: &str) {
    let text = escape_controls(text);
    let text = line_columns().map_or(text.clone(), |columns| folded(&text, columns));
    write_above_the_bar(&format!("{text}\n"));
}

/// Writes to standard error as it is, above the bar.
pub fn write_above_the_bar(text: &str) {
    let bar = BAR.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let write = || drop(stderr().write_all(text.as_bytes()));
    match bar.and_then(|bar| bar.upgrade()) {
        Some(bar) => bar.suspend(write),
        None => write(),
    }
}

/// A paragraph for standard output, broken between words at a terminal.
pub fn paragraph(text: &str) -> String {
    if stdout().is_terminal() { folded(text, columns(true)) } else { text.to_string() }
}

/// Breaks lines that are longer than `columns` between words, or behind a wide character. What is broken
/// continues below the text that follows the line's label (`params  ...`), else indented by four.
fn folded(text: &str, columns: usize) -> String {
    text.split('\n').map(|line| folded_line(line, columns)).collect::<Vec<_>>().join("\n")
}

fn folded_line(line: &str, columns: usize) -> String {
    let indent = indent(line).min(columns / 2);
    let (mut lines, mut current, mut used) = (Vec::new(), String::new(), 0);
    for word in words(line) {
        let width = word.trim_end().width();
        if used + width > columns && used > indent {
            lines.push(current.trim_end().to_string());
            (current, used) = (" ".repeat(indent), indent);
        }
        current += word;
        used += word.width();
    }
    lines.push(current.trim_end().to_string());
    lines.join("\n")
}

/// Where the text behind a label begins: after the first two spaces in the first half of a usual line.
fn indent(line: &str) -> usize {
    let text = line.trim_start();
    let start = line.len() - text.len();
    let behind = |at: usize| at + text[at..].len() - text[at..].trim_start().len();
    match text.find("  ").map(behind) {
        Some(column) if start + column <= COLUMNS / 2 => start + column,
        _ => start + 4,
    }
}

/// The pieces that a line may be broken behind: words with the spaces after them, and wide characters.
fn words(line: &str) -> Vec<&str> {
    let (mut words, mut start) = (Vec::new(), 0);
    let mut characters = line.char_indices().peekable();
    while let Some((at, c)) = characters.next() {
        let ends = match characters.peek() {
            Some((_, next)) if c == ' ' => *next != ' ',
            Some((_, next)) => c.width() == Some(2) && !"、。，．・）」』 ".contains(*next),
            None => true,
        };
        if ends {
            let end = at + c.len_utf8();
            words.push(&line[start..end]);
            start = end;
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_wrap_with_a_hanging_indent() {
        let line = "params  215,168 in all: embedding 3,840 (2%), attention 65,536";
        assert_eq!(
            folded(line, 40),
            "params  215,168 in all: embedding 3,840\n        (2%), attention 65,536"
        );
        assert_eq!(folded("one two three", 9), "one two\n    three");
        assert_eq!(folded("short", 80), "short");
        assert_eq!(folded("    a-word-that-fits-nowhere", 10), "    a-word-that-fits-nowhere");
    }

    #[test]
    fn japanese_wraps_between_characters_but_not_before_a_full_stop() {
        assert_eq!(folded("損失は高い。次", 12), "損失は高い。\n    次");
        assert_eq!(folded("損失は高い。次", 10), "損失は高\n    い。次");
    }
}
