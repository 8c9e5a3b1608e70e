//! A report as data: what a page, a Markdown file and a terminal show, before any of them is chosen.

use super::chart::Chart;
use crate::support::table::Table;
use crate::support::text::{Language, Text};

/// A report of any kind.
#[derive(Clone, Debug, Default)]
pub struct Document {
    pub title: Text,
    /// The one sentence to take away.
    pub headline: Text,
    pub sections: Vec<Section>,
}

/// A part of a document under a heading.
#[derive(Clone, Debug, Default)]
pub struct Section {
    pub heading: Text,
    pub blocks: Vec<Block>,
}

#[derive(Clone, Debug)]
pub enum Block {
    /// A sentence made of the numbers that the next table shows.
    Meaning(Text),
    /// How to read the block before it.
    Note(Text),
    Table(Table),
    /// Charts side by side, each under its own legend.
    Charts(Vec<Chart>),
    /// Charts of the same series, under one legend.
    ChartsOfSameSeries(Vec<Chart>),
    /// Names with their values.
    Facts(Vec<(Text, Text)>),
    /// A command, with the sentence that introduces it.
    Command(Text, String),
    /// What needs attention: the class of its paragraph or list in HTML, and its lines.
    Warnings(Vec<Text>),
    List(Vec<Text>),
    /// Texts written by models, with their names.
    Samples(Vec<(Text, String)>),
    /// The verdict on a claim.
    Answer {
        name: &'static str,
        class: &'static str,
        verdict: Text,
        answer: Text,
    },
    /// Verdicts at a glance, each a link to the section of its claim.
    Overview(Vec<Answered>),
}

/// A claim in the overview: see [`Block::Answer`].
#[derive(Clone, Debug)]
pub struct Answered {
    pub name: &'static str,
    pub class: &'static str,
    pub verdict: Text,
    pub claim: Text,
}

impl Document {
    /// Adds a section, unless it has no blocks.
    pub fn section(&mut self, heading: Text, blocks: impl IntoIterator<Item = Block>) {
        let blocks: Vec<Block> = blocks.into_iter().collect();
        if !blocks.is_empty() {
            self.sections.push(Section { heading, blocks });
        }
    }

    /// Adds a section of charts of the same series, unless there are none.
    pub fn charts_section(&mut self, heading: Text, charts: Vec<Chart>) {
        self.section(heading, (!charts.is_empty()).then_some(Block::ChartsOfSameSeries(charts)));
    }

    /// Every chart, in order.
    pub fn charts(&self) -> impl Iterator<Item = &Chart> {
        let blocks = self.sections.iter().flat_map(|section| &section.blocks);
        blocks.flat_map(|block| match block {
            Block::Charts(charts) | Block::ChartsOfSameSeries(charts) => charts.as_slice(),
            _ => &[],
        })
    }

    /// Every chart as an SVG document in English, with the stem of its file's name. Not every font has Japanese.
    pub fn svgs(&self) -> Vec<(String, String)> {
        self.charts().map(|chart| (chart.stem.clone(), chart.svg(Language::En))).collect()
    }
}
