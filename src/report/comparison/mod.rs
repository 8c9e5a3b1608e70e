//! The report of a comparison.

mod arms;
mod curves;
mod learned;
mod rows;

pub use arms::{table, verdict};

use super::document::{Block, Document};
use super::html::page as html_page;
use crate::lab::compare::analysis::Analysis;
use crate::support::numbers::setting;
use crate::support::text::{Language, Text};

/// The report of a comparison. `settings` and `command` reproduce it.
pub fn document(analysis: &Analysis, settings: &[(String, String)], command: &str) -> Document {
    let mut document = Document {
        title: text!("compare.title", data = &analysis.data),
        headline: analysis.headline.clone(),
        ..Document::default()
    };
    let mut warnings = analysis.warnings.clone();
    if analysis.done < analysis.planned {
        warnings.insert(0, text!("compare.unfinished", done = analysis.done, planned = analysis.planned));
    }
    document.section(Text::default(), (!warnings.is_empty()).then_some(Block::Warnings(warnings)));
    document
        .section(text!("compare.arms"), [Block::Table(table(analysis)), Block::Note(how_to_read(analysis))]);
    document.charts_section(text!("compare.training"), curves::training(analysis));
    document.charts_section(text!("compare.final"), rows::all(analysis));
    document.charts_section(text!("compare.learned.heading"), learned::before_and_after(analysis));
    document.charts_section(text!("compare.rates"), curves::by_rate(analysis));
    let samples = analysis.arms.iter().filter(|arm| !arm.sample.is_empty());
    let samples: Vec<_> = samples.map(|arm| (Text::from(arm.variant), arm.sample.clone())).collect();
    if !samples.is_empty() {
        document.section(
            text!("compare.samples"),
            [Block::Note(text!("compare.prompt")), Block::Samples(samples)],
        );
    }
    let settings = settings.iter().map(|(name, value)| (name.into(), value.into())).collect();
    let command = Block::Command(text!("compare.command"), command.to_string());
    document.section(text!("compare.settings"), [Block::Facts(settings), command]);
    document
}

fn how_to_read(analysis: &Analysis) -> Text {
    let percent = setting(100.0 * analysis.matters);
    Text::Sentences(vec![
        text!(
            "compare.reading",
            data = &analysis.data,
            baseline = &analysis.baseline_name,
            percent = percent
        ),
        analysis.floor.map_or(Text::default(), |floor| text!("compare.floor", floor = format!("{floor:.4}"))),
    ])
}

/// The report as a page.
pub fn page(analysis: &Analysis, settings: &[(String, String)], command: &str, language: Language) -> String {
    html_page(&document(analysis, settings, command), language, Some(&curves::readings(analysis)))
}

/// Every chart as an SVG document, with the stem of its file's name.
pub fn charts(analysis: &Analysis) -> Vec<(String, String)> {
    document(analysis, &[], "").svgs()
}
