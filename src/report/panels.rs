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
}

const WIDTH: f64 = 310.0;
const HEIGHT: f64 = 200.0;
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
    let size = (WIDTH * columns as f64, HEADER + HEIGHT * rows as f64);
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
    for (i, panel) in panels.iter().enumerate() {
        let (x, y) = (WIDTH * (i % columns) as f64, HEADER + HEIGHT * (i / columns) as f64);
        drawing.push(format_args!("<g transform=\"translate({x} {y})\">"));
        panel.draw(&mut drawing, &format!("panel-{i}"));
        drawing.push("</g>");
    }
    document(heading, "", size, &drawing)
}

impl Panel {
    fn draw(&self, drawing: &mut Drawing, clip: &str) {
        let x = Scale::linear(self.x_range, (LEFT, WIDTH - RIGHT));
        let y = Scale::linear(self.y_range, (HEIGHT - BOTTOM, TOP));
        drawing.text("title", (x.start, 16.0), "start", &self.title);
        drawing.text("caption", (x.start, 31.0), "start", &self.subtitle);
        drawing.begin_plot(clip, (&x, &x.ticks()), (&y, &y.ticks()));
        for (i, curve) in self.curves.iter().enumerate() {
            let points: Vec<(f64, f64)> = curve.points.iter().map(|&(a, b)| (x.at(a), y.at(b))).collect();
            drawing.line(curve.look(i), &points);
        }
        drawing.push("</g>");
    }
}
