//! Line charts as SVG, readable on a light and on a dark page.

use std::fmt::Write;

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

/// Colour-blind safe (Okabe & Ito 2008), and strong enough on white and on black.
const COLOURS: [&str; 4] = ["#0072b2", "#d55e00", "#009e73", "#cc79a7"];

const STYLE: &str = "
    text { font: 11px system-ui, sans-serif; fill: #333 }
    .title { font-size: 13px; font-weight: 600 }
    .head { font-size: 17px; font-weight: 600 }
    .axis { stroke: #999; stroke-width: 1 }
    .grid { stroke: #ddd; stroke-width: 1 }
    .curve { fill: none; stroke-width: 2; stroke-linejoin: round }
    .page { fill: #fff }
    @media (prefers-color-scheme: dark) {
      text { fill: #ccc } .page { fill: #161616 } .grid { stroke: #333 } .axis { stroke: #777 }
    }";

/// Panels in rows of `columns` under a heading, as an SVG document. Their legend is that of the
/// first panel's curves.
pub fn grid(heading: &str, panels: &[Panel], columns: usize) -> String {
    let rows = panels.len().div_ceil(columns);
    let (width, height) = (WIDTH * columns as f64, HEADER + HEIGHT * rows as f64);
    let mut svg = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" role=\"img\">\n<title>{0}</title>\n<style>{STYLE}\n</style>\n<rect class=\"page\" width=\"{width}\" height=\"{height}\"/>\n<text class=\"head\" x=\"{LEFT}\" y=\"28\">{0}</text>\n",
        escape(heading)
    );
    if let Some(panel) = panels.first() {
        legend(&mut svg, &panel.curves);
    }
    for (i, panel) in panels.iter().enumerate() {
        let (x, y) = (WIDTH * (i % columns) as f64, HEADER + HEIGHT * (i / columns) as f64);
        let clip = format!("panel-{i}");
        // Writing to a String cannot fail.
        let _ = writeln!(svg, "<g transform=\"translate({x} {y})\">\n{}</g>", panel.svg(&clip));
    }
    svg + "</svg>\n"
}

fn legend(svg: &mut String, curves: &[Curve]) {
    let mut x = LEFT;
    for (i, curve) in curves.iter().enumerate() {
        let (line_end, text_start) = (x + 24.0, x + 30.0);
        let _ = writeln!(
            svg,
            "<line class=\"curve\" x1=\"{x}\" y1=\"46\" x2=\"{line_end}\" y2=\"46\" {}/><text x=\"{text_start}\" y=\"50\">{}</text>",
            stroke(i, curve),
            escape(&curve.name)
        );
        x = text_start + 8.0 * curve.name.chars().count() as f64 + 20.0;
    }
}

fn stroke(i: usize, curve: &Curve) -> String {
    let dash = if curve.dashed { " stroke-dasharray=\"5 4\"" } else { "" };
    format!("stroke=\"{}\"{dash}", COLOURS[i % COLOURS.len()])
}

impl Panel {
    fn x(&self, value: f64) -> f64 {
        let (low, high) = self.x_range;
        LEFT + (value - low) / (high - low) * (WIDTH - LEFT - RIGHT)
    }

    fn y(&self, value: f64) -> f64 {
        let (low, high) = self.y_range;
        HEIGHT - BOTTOM - (value - low) / (high - low) * (HEIGHT - TOP - BOTTOM)
    }

    fn svg(&self, clip: &str) -> String {
        let (left, right) = (self.x(self.x_range.0), self.x(self.x_range.1));
        let (bottom, top) = (self.y(self.y_range.0), self.y(self.y_range.1));
        let mut svg = format!(
            "<text class=\"title\" x=\"{left}\" y=\"16\">{}</text><text x=\"{left}\" y=\"31\">{}</text>\n",
            escape(&self.title),
            escape(&self.subtitle)
        );
        for tick in ticks(self.x_range) {
            let (x, class) = (self.x(tick), if tick == 0.0 { "axis" } else { "grid" });
            let _ = writeln!(
                svg,
                "<line class=\"{class}\" x1=\"{x:.1}\" y1=\"{bottom:.1}\" x2=\"{x:.1}\" y2=\"{top:.1}\"/><text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{tick}</text>",
                bottom + 15.0
            );
        }
        for tick in ticks(self.y_range) {
            let (y, class) = (self.y(tick), if tick == 0.0 { "axis" } else { "grid" });
            let _ = writeln!(
                svg,
                "<line class=\"{class}\" x1=\"{left:.1}\" y1=\"{y:.1}\" x2=\"{right:.1}\" y2=\"{y:.1}\"/><text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{tick}</text>",
                left - 5.0,
                y + 4.0
            );
        }
        let _ = writeln!(
            svg,
            "<clipPath id=\"{clip}\"><rect x=\"{left:.1}\" y=\"{top:.1}\" width=\"{:.1}\" height=\"{:.1}\"/></clipPath>",
            right - left,
            bottom - top
        );
        for (i, curve) in self.curves.iter().enumerate() {
            let points: Vec<String> =
                curve.points.iter().map(|&(x, y)| format!("{:.1},{:.1}", self.x(x), self.y(y))).collect();
            let _ = writeln!(
                svg,
                "<polyline class=\"curve\" clip-path=\"url(#{clip})\" {} points=\"{}\"/>",
                stroke(i, curve),
                points.join(" ")
            );
        }
        svg
    }
}

/// Round numbers within the range, about five of them.
fn ticks((low, high): (f64, f64)) -> Vec<f64> {
    let rough = (high - low) / 5.0;
    let power = 10f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].iter().map(|m| m * power).find(|step| *step >= rough).unwrap_or(rough);
    let first = (low / step).ceil() as i64;
    let last = (high / step).floor() as i64;
    (first..=last).map(|i| i as f64 * step).collect()
}

/// Text as XML.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
