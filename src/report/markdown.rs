//! A document as Markdown. Charts stay out of it.

use super::document::{Block, Document};
use crate::support::table::plain_markdown;
use crate::support::text::{Language, Text};

/// The document as Markdown.
pub fn markdown(document: &Document, language: Language) -> String {
    let plain = |text: &Text| plain_markdown(&text.to(language));
    let mut markdown = format!("# {}\n", plain(&document.title));
    if !document.headline.is_empty() {
        markdown += &format!("\n{}\n", plain(&document.headline));
    }
    for section in &document.sections {
        let blocks = section.blocks.iter().map(|block| self::block(block, language));
        let blocks: Vec<String> = blocks.filter(|block| !block.is_empty()).collect();
        if blocks.is_empty() {
            continue;
        }
        if !section.heading.is_empty() {
            markdown += &format!("\n## {}\n", plain(&section.heading));
        }
        markdown.extend(blocks.iter().map(|block| format!("\n{}\n", block.trim_end())));
    }
    markdown
}

fn block(block: &Block, language: Language) -> String {
    let plain = |text: &Text| plain_markdown(&text.to(language));
    let list = |lines: &[Text]| lines.iter().map(|line| format!("- {}\n", plain(line))).collect();
    match block {
        Block::Meaning(text) | Block::Note(text) => plain(text),
        Block::Table(table) if table.caption.is_empty() => table.markdown(language),
        Block::Table(table) => format!("{}:\n\n{}", plain(&table.caption), table.markdown(language)),
        Block::Warnings(lines) | Block::List(lines) => list(lines),
        Block::Facts(facts) => {
            facts.iter().map(|(name, value)| format!("- {}: {}\n", plain(name), plain(value))).collect()
        }
        Block::Command(_, command) if command.is_empty() => String::new(),
        Block::Command(introduction, command) if introduction.is_empty() => format!("    {command}"),
        Block::Command(introduction, command) => format!("{}\n\n    {command}", plain(introduction)),
        Block::Answer { verdict, answer, .. } => {
            let stop = if language == Language::En { "." } else { "。" };
            format!("**{}{stop}** {}", plain(verdict), plain(answer))
        }
        Block::Charts(_) | Block::ChartsOfSameSeries(_) | Block::Samples(_) | Block::Overview(_) => {
            String::new()
        }
    }
}
