//! Numbers and tables as people read them.

pub use crate::output::{duration, grouped, scaled};

use crate::failure::escape_controls;
use comfy_table::{CellAlignment, Table, presets};
use std::path::Path;

/// An empty table with these column titles, numbers to the right: Markdown, so that it can be pasted.
pub fn table(titles: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_header(titles.to_vec());
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// A path as a terminal may have it.
pub fn shown(path: &Path) -> String {
    escape_controls(&path.display().to_string())
}

/// `text` as one word of a shell command.
pub fn shell_word(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:,=".contains(c);
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
    fn a_word_with_a_quote_stays_one_word() {
        assert_eq!(shell_word("it's"), r"'it'\''s'");
        assert_eq!(shell_word("~/a b.txt"), "~/'a b.txt'");
    }
}
