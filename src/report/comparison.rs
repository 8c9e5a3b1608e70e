//! Which charts a comparison has.

use super::chart::{Drawing, Look, document, text_width, wrapped};
use super::scale::Scale;
use super::{curves, rows};
use crate::compare::analysis::Analysis;

/// A chart without its heading, which a page and a picture write differently.
#[derive(Clone, Debug)]
pub struct Chart {
    /// Of its file, and of its place in a page.
    pub stem: &'static str,
    pub title: String,
    /// How to read it.
    pub note: String,
    /// What it shows, for those who do not see it.
    pub description: String,
    pub size: (f64, f64),
    pub drawing: Drawing,
    /// The arms that it has a line of, by their number: those of its legend.
    pub legend: Vec<usize>,
    /// The horizontal scale of a chart along which values can be read, and what it counts.
    pub reading: Option<(&'static str, Scale)>,
}

/// All are as wide as a phone can show without making their text unreadable.
pub const WIDTH: f64 = 480.0;

/// The charts that there is something to show in, in the page's order.
pub fn all(analysis: &Analysis) -> Vec<Chart> {
    let found = [
        curves::by_tokens(analysis),
        curves::by_time(analysis),
        rows::final_losses(analysis),
        rows::differences(analysis),
        curves::by_rate(analysis),
    ];
    found.into_iter().flatten().collect()
}

/// Every chart as an SVG document, with the stem of its file's name.
pub fn charts(analysis: &Analysis) -> Vec<(&'static str, String)> {
    all(analysis).iter().map(|chart| (chart.stem, chart.document(analysis))).collect()
}

impl Chart {
    /// The chart by itself, with heading and legend.
    fn document(&self, analysis: &Analysis) -> String {
        const MARGIN: f64 = 16.0;
        let mut head = Drawing::default();
        head.text("head", (MARGIN, 30.0), "start", &self.title);
        let mut y = 36.0;
        for line in wrapped(&self.note, self.size.0) {
            y += 15.0;
            head.text("quiet", (MARGIN, y), "start", &line);
        }
        if !self.legend.is_empty() {
            y += 22.0;
            let mut x = MARGIN;
            for &i in &self.legend {
                let name = analysis.arms[i].act.name();
                if x > MARGIN && x + 30.0 + text_width(&name) > MARGIN + self.size.0 {
                    (x, y) = (MARGIN, y + 18.0);
                }
                head.swatch(Look::of(i), (x, y - 4.0));
                head.text("", (x + 30.0, y), "start", &name);
                x += 44.0 + text_width(&name);
            }
        }
        y += 14.0;
        head.push(format_args!("<g transform=\"translate({MARGIN} {y})\">"));
        head.push(self.drawing.0.trim_end());
        head.push("</g>");
        let size = (self.size.0 + 2.0 * MARGIN, y + self.size.1 + MARGIN / 2.0);
        document(&self.title, &self.description, size, &head)
    }
}
