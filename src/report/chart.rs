//! A chart as data: a plot and what is said about it.

use super::ffn_path::FfnPath;
use super::lines::Lines;
use super::panels::Panels;
use super::rows::Rows;
use super::scale::Scale;
use super::stack::Stack;
use super::svg::{Drawing, Look, document, text_width, wrapped};
use crate::support::text::{Language, Text};

pub use super::svg::WIDTH;

/// A chart, with what a page writes around it.
#[derive(Clone, Debug, Default)]
pub struct Chart {
    /// The name of its file without the ending, and its id in a page.
    pub stem: String,
    pub title: Text,
    /// A sentence made of the numbers that it shows.
    pub meaning: Text,
    /// How to read it.
    pub note: Text,
    /// What it shows, for people who can't see it.
    pub description: Text,
    pub plot: Plot,
}

/// What a chart draws.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "a page has a dozen charts")]
pub enum Plot {
    /// Lines in a frame of two axes.
    Lines(Lines),
    /// A row of dots and intervals for each arm.
    Rows(Rows),
    /// Small multiples.
    Panels(Panels),
    /// Stacked bars.
    Stack(Stack),
    FfnPath(FfnPath),
}

impl Default for Plot {
    fn default() -> Plot {
        Plot::Panels(Panels(Vec::new()))
    }
}

impl Plot {
    /// The plot in SVG, and its height. `stem` begins the ids of its parts.
    pub fn draw(&self, stem: &str, language: Language) -> (Drawing, f64) {
        match self {
            Plot::Lines(lines) => lines.draw(stem, language),
            Plot::Rows(rows) => rows.draw(language),
            Plot::Panels(panels) => panels.draw(stem, language),
            Plot::Stack(stack) => stack.draw(language),
            Plot::FfnPath(path) => path.draw(language),
        }
    }

    /// For a plot whose values a page can read off: the unit along its x axis, and its scale.
    pub fn reading(&self) -> Option<(&'static str, Scale)> {
        match self {
            Plot::Lines(lines) => Some((lines.reading?, lines.x.scale)),
            _ => None,
        }
    }

    /// The series that a legend names: the number of each one's look, and its name.
    pub fn legend(&self) -> Vec<(usize, Text)> {
        match self {
            Plot::Lines(lines) => lines.legend(),
            Plot::Stack(stack) => stack.legend(),
            Plot::Rows(_) | Plot::Panels(_) | Plot::FfnPath(_) => Vec::new(),
        }
    }
}

impl Chart {
    /// A token's path through an FFN, without a sentence on what it means.
    pub fn ffn_path(path: FfnPath) -> Chart {
        Chart {
            stem: "ffn-path".to_string(),
            title: text!("chart.ffn_path.title"),
            note: text!("chart.ffn_path.note"),
            description: text!("chart.ffn_path.description", input = path.input, hidden = path.hidden),
            plot: Plot::FfnPath(path),
            ..Chart::default()
        }
    }

    /// The chart as an SVG document of its own, with title, notes and legend.
    pub fn svg(&self, language: Language) -> String {
        const MARGIN: f64 = 16.0;
        let (drawing, height) = self.plot.draw(&self.stem, language);
        let title = self.title.to(language);
        let mut head = Drawing::default();
        head.text("head", (MARGIN, 30.0), "start", &title);
        let mut y = 36.0;
        for (class, text) in [("", &self.meaning), ("quiet", &self.note)] {
            for line in wrapped(&text.to(language), WIDTH) {
                y += 15.0;
                head.text(class, (MARGIN, y), "start", &line);
            }
        }
        let legend = self.plot.legend();
        if !legend.is_empty() {
            y += 22.0;
            let mut x = MARGIN;
            for (look, name) in &legend {
                let name = name.to(language);
                if x > MARGIN && x + 30.0 + text_width(&name) > MARGIN + WIDTH {
                    (x, y) = (MARGIN, y + 18.0);
                }
                head.swatch(Look::of(*look), (x, y - 4.0));
                head.text("", (x + 30.0, y), "start", &name);
                x += 44.0 + text_width(&name);
            }
        }
        y += 14.0;
        head.push(format_args!("<g transform=\"translate({MARGIN} {y})\">"));
        head.push(drawing.0.trim_end());
        head.push("</g>");
        let size = (WIDTH + 2.0 * MARGIN, y + height + MARGIN / 2.0);
        document(&title, &self.description.to(language), size, &head)
    }
}
