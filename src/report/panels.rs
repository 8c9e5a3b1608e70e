//! Small multiples: panels of one size, each with its axes and curves.

use super::chart::WIDTH;
use super::scale::Scale;
use super::svg::{Drawing, Look, document, shortened, text_width};
use crate::lab::inspect::Histogram;
use crate::support::text::{Language, Text};

/// A line through points. Without a name it isn't in the legend.
#[derive(Clone, Debug)]
pub struct Curve {
    pub name: Text,
    pub points: Vec<(f64, f64)>,
    pub is_dashed: bool,
}

/// A panel with its axes.
#[derive(Clone, Debug)]
pub struct Panel {
    pub title: Text,
    pub subtitle: Text,
    pub x_range: (f64, f64),
    pub y_range: (f64, f64),
    pub curves: Vec<Curve>,
    /// The outline of an area behind the curves: x, and a share of the panel's height.
    pub area: Vec<(f64, f64)>,
}

/// Panels in rows of two.
#[derive(Clone, Debug)]
pub struct Panels(pub Vec<Panel>);

const COLUMNS: usize = 2;
const HEIGHT: f64 = 170.0;
/// Size of a panel of a picture of its own.
const SIZE: (f64, f64) = (310.0, 200.0);
/// Room inside a panel for its titles (top) and axis labels (left, bottom).
const TOP: f64 = 40.0;
const LEFT: f64 = 30.0;
const BOTTOM: f64 = 24.0;
const RIGHT: f64 = 14.0;
const HEADER: f64 = 64.0;

impl Panels {
    pub fn draw(&self, stem: &str, language: Language) -> (Drawing, f64) {
        let drawing = lay_out(stem, &self.0, COLUMNS, (WIDTH / COLUMNS as f64, HEIGHT), language);
        (drawing, HEIGHT * self.0.len().div_ceil(COLUMNS) as f64)
    }
}

/// Panels in rows of `columns` under a heading, as an SVG document in English. The legend names the curves of the
/// first panel.
pub fn grid(heading: &str, panels: &[Panel], columns: usize) -> String {
    let language = Language::En;
    let rows = panels.len().div_ceil(columns);
    let size = (SIZE.0 * columns as f64, HEADER + SIZE.1 * rows as f64);
    let mut drawing = Drawing::default();
    drawing.text("head", (LEFT, 28.0), "start", heading);
    let mut x = LEFT;
    for (i, curve) in panels.iter().take(1).flat_map(|panel| panel.curves.iter().enumerate()) {
        let name = curve.name.to(language);
        drawing.swatch(curve.look(i), (x, 46.0));
        drawing.text("", (x + 30.0, 50.0), "start", &name);
        x += 50.0 + text_width(&name);
    }
    drawing.push(format_args!("<g transform=\"translate(0 {HEADER})\">"));
    drawing.push(lay_out("panel", panels, columns, SIZE, language).0.trim_end());
    drawing.push("</g>");
    document(heading, "", size, &drawing)
}

fn lay_out(stem: &str, panels: &[Panel], columns: usize, size: (f64, f64), language: Language) -> Drawing {
    let mut drawing = Drawing::default();
    for (i, panel) in panels.iter().enumerate() {
        let (x, y) = (size.0 * (i % columns) as f64, size.1 * (i / columns) as f64);
        drawing.push(format_args!("<g transform=\"translate({x} {y})\">"));
        panel.draw(&mut drawing, &format!("{stem}-{i}"), size, language);
        drawing.push("</g>");
    }
    drawing
}

/// The outline of a histogram, for [`Panel::area`]: each bin as a share of the highest.
pub fn outline(histogram: &Histogram) -> Vec<(f64, f64)> {
    let highest = histogram.counts.iter().copied().max().unwrap_or(0).max(1) as f64;
    let step = |(bin, count): (usize, &u64)| {
        let share = *count as f64 / highest;
        [(histogram.edge(bin), share), (histogram.edge(bin + 1), share)]
    };
    histogram.counts.iter().enumerate().flat_map(step).collect()
}

impl Curve {
    pub fn new(name: impl Into<Text>, points: Vec<(f64, f64)>) -> Curve {
        Curve { name: name.into(), points, is_dashed: false }
    }

    pub fn dashed(name: impl Into<Text>, points: Vec<(f64, f64)>) -> Curve {
        Curve { is_dashed: true, ..Curve::new(name, points) }
    }

    fn look(&self, i: usize) -> Look {
        if self.is_dashed { Look::of(i).dashed() } else { Look::of(i) }
    }
}

impl Panel {
    fn draw(&self, drawing: &mut Drawing, clip: &str, (width, height): (f64, f64), language: Language) {
        let x = Scale::linear(self.x_range, (LEFT, width - RIGHT));
        let y = Scale::linear(self.y_range, (height - BOTTOM, TOP));
        drawing.text("title", (x.start, 16.0), "start", &self.title.to(language));
        drawing.text(
            "caption",
            (x.start, 31.0),
            "start",
            &shortened(&self.subtitle.to(language), x.end - x.start),
        );
        drawing.begin_plot(clip, (&x, &x.ticks()), (&y, &y.ticks()));
        if let (Some(first), Some(last)) = (self.area.first(), self.area.last()) {
            let up = |share: f64| y.start + share * (y.end - y.start);
            let outline: Vec<(f64, f64)> = self.area.iter().map(|&(a, share)| (x.at(a), up(share))).collect();
            let ground = [(x.at(first.0), y.start), (x.at(last.0), y.start)];
            drawing.band(Look::of(self.curves.len()), false, &ground, &outline);
        }
        for (i, curve) in self.curves.iter().enumerate() {
            let points: Vec<(f64, f64)> = curve.points.iter().map(|&(a, b)| (x.at(a), y.at(b))).collect();
            drawing.line(curve.look(i), &points);
        }
        drawing.push("</g>");
    }
}
