//! Numbers and tables as people read them.

pub use crate::output::{duration, grouped, scaled, shell_word};

use comfy_table::{CellAlignment, Table, presets};

/// An empty table with these column titles, numbers to the right: Markdown, so that it can be pasted.
pub fn table(titles: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN).set_header(titles.to_vec());
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}
