//! A row for each arm or pair: dots and intervals along one axis.

use super::chart::WIDTH;
use super::scale::Scale;
use super::svg::{Drawing, Look, text_width};
use crate::support::text::{Language, Text};

const ROW: f64 = 30.0;
const TOP: f64 = 8.0;
const RIGHT: f64 = WIDTH - 16.0;

/// Rows along one axis.
#[derive(Clone, Debug)]
pub struct Rows {
    pub label: Text,
    /// The least and greatest value that is shown.
    pub range: (f64, f64),
    pub rows: Vec<Row>,
    /// A range that is shaded over all rows.
    pub shaded: Option<(f64, f64)>,
}

/// A row of a [`Rows`].
#[derive(Clone, Debug, Default)]
pub struct Row {
    /// The number of its look: see [`Look::of`].
    pub look: usize,
    pub name: Text,
    pub marks: Vec<Mark>,
    /// The value that the row is about, as text. It's written with an arrow if the axis doesn't reach it.
    pub value: Option<(f64, Text)>,
    /// Written in place of marks.
    pub instead: Text,
    /// Written to the right of the axis.
    pub verdict: Text,
}

/// What stands in a row, `below` its middle by so many units. `class` is one of `svg.css`.
#[derive(Clone, Copy, Debug)]
pub enum Mark {
    Interval { class: &'static str, ends: (f64, f64), below: f64 },
    Dot { class: &'static str, at: f64, radius: f64, below: f64 },
}

/// The width of a name. A narrow page makes charts smaller and their letters larger, so leave room.
fn name_width(text: &str) -> f64 {
    1.1 * text_width(text)
}

impl Rows {
    pub fn draw(&self, language: Language) -> (Drawing, f64) {
        let widest = |texts: Vec<String>| texts.iter().map(|text| name_width(text)).fold(0.0, f64::max);
        let left =
            10.0 + widest(self.rows.iter().map(|row| row.name.to(language)).collect()).clamp(40.0, 190.0);
        let verdicts = widest(self.rows.iter().map(|row| row.verdict.to(language)).collect());
        let right = if verdicts > 0.0 { WIDTH - verdicts - 8.0 } else { RIGHT };
        let bottom = TOP + ROW * self.rows.len() as f64;
        let x = Scale::linear(self.range, (left, right));
        let mut drawing = Drawing::default();
        if let Some((low, high)) = self.shaded {
            let (start, end) = (x.at(low.max(x.low)), x.at(high.min(x.high)));
            drawing.push(format_args!(
                "<rect class=\"small\" x=\"{start:.1}\" y=\"{TOP:.1}\" width=\"{:.1}\" height=\"{:.1}\"/>",
                end - start,
                bottom - TOP
            ));
        }
        drawing.x_axis(&x.ticks(), &x, (TOP, bottom));
        let middle = f64::midpoint(left, right);
        drawing.text("quiet", (middle, bottom + 34.0), "middle", &self.label.to(language));
        for (i, row) in self.rows.iter().enumerate() {
            row.draw(&mut drawing, &x, TOP + ROW * (i as f64 + 0.5), language);
        }
        (drawing, bottom + 44.0)
    }
}

impl Row {
    fn draw(&self, drawing: &mut Drawing, x: &Scale, y: f64, language: Language) {
        let look = Look::of(self.look);
        drawing.text("", (x.start - 8.0, y + 4.0), "end", &self.name.to(language));
        drawing.text("", (x.end + 8.0, y + 4.0), "start", &self.verdict.to(language));
        if !self.instead.is_empty() {
            drawing.text("quiet", (x.start + 6.0, y + 4.0), "start", &self.instead.to(language));
        }
        for mark in &self.marks {
            match *mark {
                Mark::Interval { class, ends, below } => drawing.interval(look, class, x, ends, y + below),
                Mark::Dot { class, at, radius, below } if x.holds(at) => {
                    drawing.dot(look, class, (x.at(at), y + below), radius);
                }
                Mark::Dot { .. } => {}
            }
        }
        if let Some((value, text)) = &self.value {
            let text = text.to(language);
            if *value > x.high {
                drawing.text("quiet", (x.end - 4.0, y + 4.0), "end", &format!("{text} \u{2192}"));
            } else if *value < x.low {
                drawing.text("quiet", (x.start + 4.0, y + 4.0), "start", &format!("\u{2190} {text}"));
            }
        }
    }
}
