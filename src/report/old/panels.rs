//! Small multiples: panels of the same size under one heading.

use super::chart::{Drawing, Look, document, text_width};
use super::scale::Scale;

/// A line through points.
#[derive(Clone, Debug)]
pub struct Curve {
    name: String,
    points: Vec<(f64, f64)>,
    dashed: bool,
}

impl Curve {
    pub fn new(name: &str, points: Vec<(f64, f64)>) -> Curve {
        Curve { name: name.to_string(), points, dashed: false }
    }

    pub fn dashed(name: &str, points: Vec<(f64, f64)>) -> Curve {
        Curve { dashed: true, ..Curve::new(name, points) }
    }

    fn look(&self, i: usize) -> Look {
        if self.dashed { Look::of(i).dashed() } else { Look::of(i) }
    }
}

/// One chart with its axes.
#[derive(Clone, Debug)]
pub struct Panel {
    pub title: String,
    pub subtitle: String,
    pub x_range: (f64, f64),
    pub y_range: (f64, f64),
    pub curves: Vec<Curve>,
    /// The outline of an area behind them, from the lower axis up to a share of the height.
    pub area: Vec<(f64, f64)>,
}

/// Of a panel in a picture by itself.
const SIZE: (f64, f64) = (310.0, 200.0);
/// Room inside a panel for its titles (top) and axis labels (left, bottom).
const TOP: f64 = 40.0;
const LEFT: f64 = 30.0;
const BOTTOM: f64 = 24.0;
const RIGHT: f64 = 14.0;
const HEADER: f64 = 64.0;

/// Panels in rows of `columns` under a heading, as an SVG document. Their legend is that of the
/// first panel's curves.
pub fn grid(heading: &str, panels: &[Panel], columns: usize) -> String {
    let rows = panels.len().div_ceil(columns);
    let size = (SIZE.0 * columns as f64, HEADER + SIZE.1 * rows as f64);
    let mut drawing = Drawing::default();
    drawing.text("head", (LEFT, 28.0), "start", heading);
    if let Some(panel) = panels.first() {
        let mut x = LEFT;
        for (i, curve) in panel.curves.iter().enumerate() {
            drawing.swatch(curve.look(i), (x, 46.0));
            drawing.text("", (x + 30.0, 50.0), "start", &curve.name);
            x += 50.0 + text_width(&curve.name);
        }
    }
    drawing.push(format_args!("<g transform=\"translate(0 {HEADER})\">"));
    drawing.push(lay_out("panel", panels, columns, SIZE).0.trim_end());
    drawing.push("</g>");
    document(heading, "", size, &drawing)
}

/// Panels of one size in rows of `columns`. `stem` begins the names of their parts.
pub fn lay_out(stem: &str, panels: &[Panel], columns: usize, size: (f64, f64)) -> Drawing {
    let mut drawing = Drawing::default();
    for (i, panel) in panels.iter().enumerate() {
        let (x, y) = (size.0 * (i % columns) as f64, size.1 * (i / columns) as f64);
        drawing.push(format_args!("<g transform=\"translate({x} {y})\">"));
        panel.draw(&mut drawing, &format!("{stem}-{i}"), size);
        drawing.push("</g>");
    }
    drawing
}

impl Panel {
    fn draw(&self, drawing: &mut Drawing, clip: &str, (width, height): (f64, f64)) {
        let x = Scale::linear(self.x_range, (LEFT, width - RIGHT));
        let y = Scale::linear(self.y_range, (height - BOTTOM, TOP));
        drawing.text("title", (x.start, 16.0), "start", &self.title);
        drawing.text("caption", (x.start, 31.0), "start", &self.subtitle);
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
