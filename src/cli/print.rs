//! Prints tables and documents: Markdown that can be pasted, as wide as the terminal.

pub use crate::support::table::{Cell, Table, label, number, words};

use crate::report::document::{Block, Document};
use crate::support::table::typed;
use crate::support::terminal::table_columns;
use crate::support::text::{Language, Text};
use anyhow::Result;
use clap::Args;
use unicode_width::UnicodeWidthStr;

/// The flag of every command that prints a table.
#[derive(Args)]
pub struct Wide {
    /// Print every column of the tables in full
    ///
    /// By default a table has the columns that fit the terminal: $COLUMNS if set, and 80 in a file or a pipe.
    #[arg(long)]
    wide: bool,
}

impl Wide {
    /// Prints the columns that fit, and a note that names the others.
    pub fn print(&self, table: &Table) -> Result<()> {
        self.print_in(table, Language::En)
    }

    fn print_in(&self, table: &Table, language: Language) -> Result<()> {
        let columns = if self.wide { usize::MAX } else { table_columns() };
        let (markdown, left_out) = table.fitted(columns, language);
        say!("{markdown}")?;
        if !left_out.is_empty() {
            note!("--wide adds: {}", left_out.join(", "));
        }
        Ok(())
    }

    /// Prints a document without its title and charts.
    pub fn print_document(&self, document: &Document, language: Language) -> Result<()> {
        let paragraph = |text: &Text| match text.to(language) {
            text if text.is_empty() => Ok(()),
            text => prose!("{}\n", typed(&text)),
        };
        paragraph(&document.headline)?;
        for section in &document.sections {
            let is_printed =
                |block: &Block| !matches!(block, Block::Charts(_) | Block::ChartsOfSameSeries(_));
            if !section.blocks.iter().any(is_printed) {
                continue;
            }
            if !section.heading.is_empty() {
                say!("## {}\n", typed(&section.heading.to(language)))?;
            }
            for block in &section.blocks {
                match block {
                    Block::Meaning(text) | Block::Note(text) => paragraph(text)?,
                    Block::Table(table) => {
                        if !table.caption.is_empty() {
                            say!("{}:\n", typed(&table.caption.to(language)))?;
                        }
                        self.print_in(table, language)?;
                        say!()?;
                    }
                    Block::Warnings(lines) | Block::List(lines) => lines.iter().try_for_each(paragraph)?,
                    Block::Facts(facts) => {
                        let names = facts.iter().map(|(name, _)| typed(&name.to(language)));
                        let names: Vec<String> = names.collect();
                        let width = names.iter().map(|name| name.width()).max().unwrap_or(0);
                        for (name, (_, value)) in names.iter().zip(facts) {
                            let space = " ".repeat(width + 2 - name.width());
                            prose!("{name}{space}{}", typed(&value.to(language)))?;
                        }
                        say!()?;
                    }
                    Block::Answer { verdict, answer, .. } => {
                        prose!("{}: {}\n", verdict.to(language), typed(&answer.to(language)))?;
                    }
                    Block::Samples(_) | Block::Command(..) | Block::Overview(_) => {}
                    Block::Charts(_) | Block::ChartsOfSameSeries(_) => {}
                }
            }
        }
        Ok(())
    }
}
