//! Tables: Markdown, so that they can be pasted, cut to the width of the terminal.

use crate::support::terminal::table_columns;
use anyhow::Result;
use clap::Args;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The flag of every command that prints a table.
#[derive(Args)]
pub struct Wide {
    /// Print every column of the tables in full. Without it a table has the columns that fit the terminal:
    /// $COLUMNS if set, and 80 in a file or a pipe
    #[arg(long)]
    wide: bool,
}

impl Wide {
    pub fn is_set(&self) -> bool {
        self.wide
    }
}

/// Labels and texts are cut to this, at most, where a column doesn't say otherwise.
const SHORTEST: usize = 16;

/// What a column holds: how it is aligned, and where it is cut.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// Left; both ends tell labels apart, so the middle is cut.
    Label,
    /// Left, the end is cut.
    Text,
    /// Right, the beginning is cut.
    Tail,
    /// Right, never cut.
    Number,
}

pub struct Column {
    title: String,
    kind: Kind,
    /// It is cut to this, at most.
    shortest: usize,
    cells: Vec<String>,
}

pub fn label(title: impl Into<String>) -> Column {
    Column { title: title.into(), kind: Kind::Label, shortest: SHORTEST, cells: Vec::new() }
}

pub fn text(title: impl Into<String>) -> Column {
    Column { kind: Kind::Text, ..label(title) }
}

pub fn tail(title: impl Into<String>) -> Column {
    Column { kind: Kind::Tail, ..label(title) }
}

pub fn number(title: impl Into<String>) -> Column {
    Column { kind: Kind::Number, ..label(title) }
}

impl Column {
    /// The column, cut to no less than this.
    pub fn at_least(self, shortest: usize) -> Column {
        Column { shortest, ..self }
    }

    fn width(&self) -> usize {
        self.cells.iter().map(|cell| cell.width()).fold(self.title.width(), usize::max)
    }

    fn least(&self) -> usize {
        match self.kind {
            Kind::Number => self.width(),
            _ => self.width().min(self.shortest.max(self.title.width())),
        }
    }

    /// `text` in exactly `width` columns.
    fn cell(&self, text: &str, width: usize) -> String {
        let text = if text.width() > width { self.cut(text, width) } else { text.to_string() };
        let padding = " ".repeat(width - text.width());
        match self.kind {
            Kind::Label | Kind::Text => text + &padding,
            Kind::Tail | Kind::Number => padding + &text,
        }
    }

    fn cut(&self, text: &str, width: usize) -> String {
        let room = width.saturating_sub(1);
        let head = match self.kind {
            Kind::Label => room.div_ceil(2),
            Kind::Tail => 0,
            Kind::Text | Kind::Number => room,
        };
        let start = fitting(text.chars(), head);
        let end: String = fitting(text.chars().rev(), room - head).chars().rev().collect();
        format!("{start}…{end}")
    }
}

/// The first of `characters` that fit into `width` columns.
fn fitting(characters: impl Iterator<Item = char>, width: usize) -> String {
    let mut used = 0;
    let fits = |c: &char| {
        used += c.width().unwrap_or(0);
        used <= width
    };
    characters.take_while(fits).collect()
}

/// A table, its most important columns first.
pub struct Table {
    columns: Vec<Column>,
}

impl Table {
    pub fn new(columns: impl IntoIterator<Item = Column>) -> Table {
        Table { columns: columns.into_iter().collect() }
    }

    pub fn add_row(&mut self, cells: impl IntoIterator<Item = impl Into<String>>) {
        for (column, cell) in self.columns.iter_mut().zip(cells) {
            column.cells.push(cell.into());
        }
    }

    /// Prints the columns that fit, and names the others.
    pub fn print(&self, wide: &Wide) -> Result<()> {
        let columns = if wide.wide { usize::MAX } else { table_columns() };
        let widths = self.fit(columns);
        say!("{}", self.markdown(&widths))?;
        let hidden = self.columns[widths.len()..].iter().map(|column| column.title.as_str());
        let hidden = hidden.collect::<Vec<_>>().join(", ");
        if !hidden.is_empty() {
            note!("--wide adds: {hidden}");
        }
        Ok(())
    }

    /// The widths of as many columns as fit: the last ones are left out first, then texts are cut.
    fn fit(&self, columns: usize) -> Vec<usize> {
        let (mut widths, mut spare) = (Vec::new(), columns.saturating_sub(1));
        for column in &self.columns {
            let needed = column.least() + 3;
            if needed > spare && !widths.is_empty() {
                break;
            }
            spare = spare.saturating_sub(needed);
            widths.push(column.least());
        }
        for (width, column) in widths.iter_mut().zip(&self.columns) {
            let more = (column.width() - *width).min(spare);
            *width += more;
            spare -= more;
        }
        widths
    }

    fn markdown(&self, widths: &[usize]) -> String {
        let line = |get: &dyn Fn(&Column, usize) -> String| {
            let cells = self.columns.iter().zip(widths).map(|(column, width)| get(column, *width));
            format!("|{}|", cells.collect::<Vec<_>>().join("|"))
        };
        let cells = |text: &dyn Fn(&Column) -> String| {
            line(&|column, width| format!(" {} ", column.cell(&text(column), width)))
        };
        let rule = |column: &Column, width: usize| match column.kind {
            Kind::Label | Kind::Text => "-".repeat(width + 2),
            Kind::Tail | Kind::Number => format!("{}:", "-".repeat(width + 1)),
        };
        let rows = self.columns.first().map_or(0, |column| column.cells.len());
        let rows = (0..rows).map(|row| cells(&|column| column.cells[row].clone()));
        [cells(&|column| column.title.clone()), line(&rule)]
            .into_iter()
            .chain(rows)
            .collect::<Vec<_>>()
            .join("\n")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let mut table = Table::new([label("run"), number("loss"), text("text"), number("age")]);
        table.add_row(["runs/compare/glu-gelu_tanh-seed3", "1.25", "日本語", "3 s"]);
        table.add_row(["a", "10.5", "a long text that says much", "12 min"]);
        table
    }

    #[test]
    fn a_wide_terminal_shows_all_of_it() {
        let table = table();
        assert_eq!(
            table.markdown(&table.fit(200)),
            "\
| run                              | loss | text                       |    age |
|----------------------------------|-----:|----------------------------|-------:|
| runs/compare/glu-gelu_tanh-seed3 | 1.25 | 日本語                     |    3 s |
| a                                | 10.5 | a long text that says much | 12 min |"
        );
    }

    #[test]
    fn labels_are_cut_in_the_middle_texts_at_the_end_and_numbers_never() {
        let table = table();
        assert_eq!(
            table.markdown(&table.fit(60)),
            "\
| run                   | loss | text             |    age |
|-----------------------|-----:|------------------|-------:|
| runs/compa…tanh-seed3 | 1.25 | 日本語           |    3 s |
| a                     | 10.5 | a long text tha… | 12 min |"
        );
    }

    #[test]
    fn what_does_not_fit_is_left_out_from_the_end() {
        let table = table();
        assert_eq!(table.fit(50).len(), 3);
        assert_eq!(table.fit(30).len(), 2);
        // One column is always there.
        assert_eq!(table.fit(0).len(), 1);
        for width in 20..120 {
            let widest = table.markdown(&table.fit(width)).lines().map(UnicodeWidthStr::width).max();
            assert!(widest <= Some(width), "{width}: {widest:?}");
        }
    }

    #[test]
    fn the_end_of_a_context_is_what_counts() {
        let mut table = Table::new([tail("context")]);
        table.add_row(["once upon a time there was"]);
        assert!(table.markdown(&table.fit(20)).ends_with("| … time there was |"));
    }
}
