//! A table, for a terminal, a page and a Markdown file.

use super::failure::escape_controls;
use super::text::{Language, Text};
use serde::ser::{Serialize, SerializeStruct, Serializer};
use serde_json::{Map, Value};
use std::ops::Range;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Labels and texts are cut to no fewer columns of a terminal than this, unless their column says otherwise.
const SHORTEST: usize = 16;

/// How a column is aligned, and where its cells are cut if the terminal is too narrow.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    /// Left. The middle is cut: labels often differ at their ends.
    Label,
    /// Left. The end is cut.
    Words,
    /// Right. The beginning is cut.
    Tail,
    /// Right. Never cut.
    Number,
}

#[derive(Clone, Debug)]
pub struct Column {
    title: Text,
    kind: Kind,
    shortest: usize,
}

fn column(title: impl Into<Text>, kind: Kind) -> Column {
    Column { title: title.into(), kind, shortest: SHORTEST }
}

/// A column of names.
pub fn label(title: impl Into<Text>) -> Column {
    column(title, Kind::Label)
}

/// A column of running text.
pub fn words(title: impl Into<Text>) -> Column {
    column(title, Kind::Words)
}

/// A column of texts whose ends count, such as the context before a token.
pub fn tail(title: impl Into<Text>) -> Column {
    column(title, Kind::Tail)
}

/// A column of numbers.
pub fn number(title: impl Into<Text>) -> Column {
    column(title, Kind::Number)
}

impl Column {
    /// The column, cut to no fewer than `shortest` columns of a terminal.
    pub fn at_least(self, shortest: usize) -> Column {
        Column { shortest, ..self }
    }

    /// True if cells align to the left on a page.
    pub fn reads_from_the_left(&self) -> bool {
        self.kind != Kind::Number
    }
}

/// A cell: what it shows, and the values behind it for programs, by their names. A page sorts by the first.
#[derive(Clone, Debug)]
pub struct Cell {
    pub text: Text,
    pub values: Vec<(&'static str, Value)>,
}

impl Cell {
    pub fn new(text: impl Into<Text>, values: impl IntoIterator<Item = (&'static str, Value)>) -> Cell {
        Cell { text: text.into(), values: values.into_iter().collect() }
    }
}

impl<T: Into<Text>> From<T> for Cell {
    fn from(text: T) -> Cell {
        Cell::new(text, [])
    }
}

/// A table, its most important columns first.
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// What the table shows, in a few words.
    pub caption: Text,
    pub columns: Vec<Column>,
    pub rows: Vec<Vec<Cell>>,
    /// A table that a page sorts: the column that it's sorted by at first.
    pub sorted_by: Option<usize>,
    /// The row that others are compared with.
    pub baseline: Option<usize>,
}

impl Table {
    pub fn new(columns: impl IntoIterator<Item = Column>) -> Table {
        Table { columns: columns.into_iter().collect(), ..Table::default() }
    }

    /// A table with the titles of a list of messages. The first column is of names, the others are of numbers.
    pub fn titled(list: &str) -> Table {
        let kinds = std::iter::once(Kind::Label).chain(std::iter::repeat(Kind::Number));
        Table::new(Text::list(list).into_iter().zip(kinds).map(|(title, kind)| column(title, kind)))
    }

    /// The table with these columns of running text.
    pub fn with_words(mut self, columns: Range<usize>) -> Table {
        self.columns[columns].iter_mut().for_each(|column| column.kind = Kind::Words);
        self
    }

    pub fn with_caption(self, caption: impl Into<Text>) -> Table {
        Table { caption: caption.into(), ..self }
    }

    pub fn add_row(&mut self, cells: impl IntoIterator<Item = impl Into<Cell>>) {
        self.rows.push(cells.into_iter().map(Into::into).collect());
    }

    /// Titles and rows in a language.
    pub fn written(&self, language: Language) -> (Vec<String>, Vec<Vec<String>>) {
        let titles = self.columns.iter().map(|column| column.title.to(language)).collect();
        let row = |cells: &Vec<Cell>| cells.iter().map(|cell| cell.text.to(language)).collect();
        (titles, self.rows.iter().map(row).collect())
    }

    /// The values of each row by their names, for `--json`.
    pub fn records(&self) -> Vec<Map<String, Value>> {
        let values = |row: &Vec<Cell>| row.iter().flat_map(|cell| cell.values.clone()).collect::<Vec<_>>();
        let record = |row| values(row).into_iter().map(|(name, value)| (name.to_string(), value)).collect();
        self.rows.iter().map(record).collect()
    }

    /// The values of each row as comma-separated values (RFC 4180, with line feeds). A range fills two columns,
    /// `NAME_low` and `NAME_high`. Longer lists have no place in it.
    pub fn csv(&self) -> String {
        let records = self.records();
        let is_range = |value: &Value| {
            value.as_array().is_some_and(|ends| ends.len() == 2 && ends.iter().all(Value::is_number))
        };
        let mut columns: Vec<(String, String)> = Vec::new();
        for name in records.first().into_iter().flat_map(Map::keys) {
            let found = || records.iter().map(|record| &record[name]);
            if found().any(is_range) {
                columns.push((format!("{name}_low"), format!("/{name}/0")));
                columns.push((format!("{name}_high"), format!("/{name}/1")));
            } else if !found().any(|value| value.is_array() || value.is_object()) {
                columns.push((name.clone(), format!("/{name}")));
            }
        }
        let names: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
        let mut csv = names.join(",") + "\n";
        for record in records.into_iter().map(Value::from) {
            let cell = |(_, place): &(String, String)| match record.pointer(place) {
                None | Some(Value::Null) => String::new(),
                Some(Value::String(text)) if text.contains([',', '"', '\n']) => {
                    format!("\"{}\"", text.replace('"', "\"\""))
                }
                Some(Value::String(text)) => text.clone(),
                Some(value) => value.to_string(),
            };
            csv += &(columns.iter().map(cell).collect::<Vec<_>>().join(",") + "\n");
        }
        csv
    }

    /// The table as Markdown, without a limit of width.
    pub fn markdown(&self, language: Language) -> String {
        let (titles, rows) = self.written(language);
        let line = |cells: &[String]| {
            let cells: Vec<String> = cells.iter().map(|cell| plain_markdown(cell)).collect();
            format!("| {} |\n", cells.join(" | "))
        };
        let rule = self.columns.iter().map(|column| if column.reads_from_the_left() { ":--" } else { "--:" });
        let rule: Vec<&str> = rule.collect();
        let rows: String = rows.iter().map(|row| line(row)).collect();
        format!("{}| {} |\n{rows}", line(&titles), rule.join(" | "))
    }

    /// The table as Markdown in at most `columns` columns of a terminal, and the titles of the columns that were
    /// left out. The last columns are left out first, then texts are cut. Numbers are never cut.
    pub fn fitted(&self, columns: usize, language: Language) -> (String, Vec<String>) {
        let (titles, rows) = self.written(language);
        let titles: Vec<String> = titles.iter().map(|title| typed(title)).collect();
        let rows: Vec<Vec<String>> =
            rows.iter().map(|row| row.iter().map(|cell| typed(cell).replace('|', "\\|")).collect()).collect();
        let full = |i: usize| rows.iter().map(|row| row[i].width()).fold(titles[i].width(), usize::max);
        let (mut widths, mut spare) = (Vec::new(), columns.saturating_sub(1));
        for (i, column) in self.columns.iter().enumerate() {
            let least = match column.kind {
                Kind::Number => full(i),
                _ => full(i).min(column.shortest.max(titles[i].width())),
            };
            // Two spaces and a bar stand around a cell.
            if least + 3 > spare && i > 0 {
                break;
            }
            spare = spare.saturating_sub(least + 3);
            widths.push(least);
        }
        for (i, width) in widths.iter_mut().enumerate() {
            let more = (full(i) - *width).min(spare);
            *width += more;
            spare -= more;
        }
        let line = |cells: &[String]| {
            let fitted = self.columns.iter().zip(cells).zip(&widths);
            let cells = fitted.map(|((column, cell), width)| format!(" {} ", column.kind.fit(cell, *width)));
            format!("|{}|", cells.collect::<Vec<_>>().join("|"))
        };
        let rule = self.columns.iter().zip(&widths).map(|(column, width)| match column.kind {
            Kind::Label | Kind::Words => "-".repeat(width + 2),
            Kind::Tail | Kind::Number => "-".repeat(width + 1) + ":",
        });
        let rule = format!("|{}|", rule.collect::<Vec<_>>().join("|"));
        let lines: Vec<String> =
            [line(&titles), rule].into_iter().chain(rows.iter().map(|row| line(row))).collect();
        (lines.join("\n"), titles[widths.len()..].to_vec())
    }
}

/// The caption, the titles and the cells, each in every language.
impl Serialize for Table {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let head: Vec<&Text> = self.columns.iter().map(|column| &column.title).collect();
        let rows: Vec<Vec<&Text>> =
            self.rows.iter().map(|cells| cells.iter().map(|cell| &cell.text).collect()).collect();
        let mut table = serializer.serialize_struct("Table", 3)?;
        table.serialize_field("caption", &self.caption)?;
        table.serialize_field("head", &head)?;
        table.serialize_field("rows", &rows)?;
        table.end()
    }
}

impl Kind {
    /// `text` in exactly `width` columns of a terminal.
    fn fit(self, text: &str, width: usize) -> String {
        let text = if text.width() > width { self.cut(text, width) } else { text.to_string() };
        let padding = " ".repeat(width - text.width());
        match self {
            Kind::Label | Kind::Words => text + &padding,
            Kind::Tail | Kind::Number => padding + &text,
        }
    }

    fn cut(self, text: &str, width: usize) -> String {
        let room = width.saturating_sub(1);
        let head = match self {
            Kind::Label => room.div_ceil(2),
            Kind::Tail => 0,
            Kind::Words | Kind::Number => room,
        };
        let start = beginning(text.chars(), head);
        let end: String = beginning(text.chars().rev(), room - head).chars().rev().collect();
        format!("{start}…{end}")
    }
}

/// The first of `characters` that fit into `width` columns of a terminal.
fn beginning(characters: impl Iterator<Item = char>, width: usize) -> String {
    let mut used = 0;
    let fits = |c: &char| {
        used += c.width().unwrap_or(0);
        used <= width
    };
    characters.take_while(fits).collect()
}

/// Text for a terminal: without control characters, and with the characters of a keyboard, which every font has.
pub fn typed(text: &str) -> String {
    crate::support::failure::escape_controls(text)
        .replace(['\u{2212}', '\u{2013}'], "-")
        .replace(['\u{2019}', '\u{2018}'], "'")
        .replace(['\u{201c}', '\u{201d}'], "\"")
}

/// Text that has no meaning to Markdown, also inside a table. Control characters are escaped.
pub fn plain_markdown(text: &str) -> String {
    let text = escape_controls(&typed(text).replace('\n', "\u{21b5}"));
    let mut safe = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        let next = text[at + c.len_utf8()..].chars().next();
        let has_meaning = match c {
            '*' | '_' | '`' | '\\' | '|' | '~' => true,
            // A tag, and the middle of a link.
            '<' => next.is_some_and(|c| c.is_alphabetic() || matches!(c, '/' | '!' | '?')),
            ']' => next.is_some_and(|c| matches!(c, '(' | '[')),
            _ => false,
        };
        if has_meaning {
            safe.push('\\');
        }
        safe.push(c);
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let columns = [label("run"), number("loss"), words("text"), number("age")];
        let mut table = Table::new(columns);
        table.add_row(["runs/compare/glu-gelu_tanh-seed3", "1.25", "日本語", "3 s"]);
        table.add_row(["a", "10.5", "a long text that says much", "12 min"]);
        table
    }

    fn fitted(table: &Table, columns: usize) -> String {
        table.fitted(columns, Language::En).0
    }

    #[test]
    fn a_wide_terminal_shows_the_whole_table() {
        assert_eq!(
            fitted(&table(), 200),
            "\
| run                              | loss | text                       |    age |
|----------------------------------|-----:|----------------------------|-------:|
| runs/compare/glu-gelu_tanh-seed3 | 1.25 | 日本語                     |    3 s |
| a                                | 10.5 | a long text that says much | 12 min |"
        );
    }

    #[test]
    fn long_labels_and_texts_are_shortened_but_numbers_are_not() {
        assert_eq!(
            fitted(&table(), 60),
            "\
| run                   | loss | text             |    age |
|-----------------------|-----:|------------------|-------:|
| runs/compa…tanh-seed3 | 1.25 | 日本語           |    3 s |
| a                     | 10.5 | a long text tha… | 12 min |"
        );
    }

    #[test]
    fn the_last_columns_are_left_out_first() {
        let table = table();
        assert_eq!(table.fitted(50, Language::En).1, ["age"]);
        assert_eq!(table.fitted(30, Language::En).1, ["text", "age"]);
        // One column is always there.
        assert_eq!(table.fitted(0, Language::En).1.len(), 3);
        for width in 20..120 {
            let widest = fitted(&table, width).lines().map(UnicodeWidthStr::width).max();
            assert!(widest <= Some(width), "{width}: {widest:?}");
        }
    }

    #[test]
    fn csv_gives_ranges_two_columns_and_leaves_longer_values_out() {
        let mut table = Table::new([label("name")]);
        let two_rates = || serde_json::json!([{ "lr": 0.1 }, { "lr": 0.2 }]);
        for (name, ends) in [("a, b", Value::Null), ("c", serde_json::json!([1.5, 2.0]))] {
            table.add_row([Cell::new(name, [("name", name.into()), ("ci", ends), ("rates", two_rates())])]);
        }
        assert_eq!(table.csv(), "name,ci_low,ci_high\n\"a, b\",,\nc,1.5,2.0\n");
    }

    #[test]
    fn a_tail_keeps_its_end() {
        let mut table = Table::new([tail("context")]);
        table.add_row(["once upon a time there was"]);
        assert!(fitted(&table, 20).ends_with("| … time there was |"));
    }
}
