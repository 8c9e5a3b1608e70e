//! Axes and marks as SVG, readable on a light and on a dark page.
//!
//! Colours are classes of `svg.css`, which the page and every picture carry; everything else is
//! presentation attributes, so that a renderer without a browser's CSS draws the same.

use super::scale::Scale;
use crate::support::failure::escape_controls;
use crate::support::mark::MARK;
use std::fmt::{Display, Write};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// How charts look.
pub const STYLE: &str = include_str!("svg.css");

/// The width of every chart. A phone shows it without making its letters unreadable.
pub const WIDTH: f64 = 480.0;

/// Text as XML and as HTML, in elements and in quoted attributes, control characters as visible escapes.
pub fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in escape_controls(text).chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            c => safe.push(c),
        }
    }
    safe
}

/// What tells a series from the others: a colour, and a dash pattern with a marker.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    colour: usize,
    pattern: usize,
}

const COLOURS: usize = 7;
const DASHES: [&str; 4] = ["", "7 4", "2 3", "9 3 2 3"];

impl Look {
    /// The i-th series: seven colours solid, then the same dashed, dotted and both.
    pub fn of(i: usize) -> Look {
        Look { colour: i % COLOURS, pattern: i / COLOURS % DASHES.len() }
    }

    pub fn dashed(self) -> Look {
        Look { pattern: 1, ..self }
    }

    /// Class of a line.
    pub fn stroke(self) -> String {
        format!("s{}", self.colour)
    }

    /// Class of an area.
    pub fn fill(self) -> String {
        format!("f{}", self.colour)
    }

    fn dash(self) -> String {
        attribute("stroke-dasharray", DASHES[self.pattern])
    }
}

/// SVG under construction.
#[derive(Clone, Debug, Default)]
pub struct Drawing(pub String);

impl Drawing {
    pub fn push(&mut self, mark: impl Display) {
        // Writing to a String cannot fail.
        let _ = writeln!(self.0, "{mark}");
    }

    /// `anchor` is SVG's: start, middle or end.
    pub fn text(&mut self, class: &str, (x, y): (f64, f64), anchor: &str, text: &str) {
        self.push(format_args!(
            "<text{} x=\"{x:.1}\" y=\"{y:.1}\" text-anchor=\"{anchor}\">{}</text>",
            attribute("class", class),
            escape(text)
        ));
    }

    pub fn segment(&mut self, class: &str, (x1, y1): (f64, f64), (x2, y2): (f64, f64)) {
        self.push(format_args!(
            "<line class=\"{class}\" x1=\"{x1:.1}\" y1=\"{y1:.1}\" x2=\"{x2:.1}\" y2=\"{y2:.1}\"/>"
        ));
    }

    /// A line through the finite points.
    pub fn line(&mut self, look: Look, points: &[(f64, f64)]) {
        let (stroke, dash) = (look.stroke(), look.dash());
        self.push(format_args!("<polyline class=\"curve {stroke}\"{dash} points=\"{}\"/>", joined(points)));
    }

    /// The area between two lines: along the first, and back along the second.
    pub fn band(&mut self, look: Look, faint: bool, low: &[(f64, f64)], high: &[(f64, f64)]) {
        let around: Vec<(f64, f64)> = low.iter().chain(high.iter().rev()).copied().collect();
        let class = if faint { "band faint" } else { "band" };
        self.push(format_args!(
            "<polygon class=\"{class} {}\" points=\"{}\"/>",
            look.fill(),
            joined(&around)
        ));
    }

    /// A marker: a circle, square, triangle or diamond of about that radius.
    pub fn dot(&mut self, look: Look, class: &str, (x, y): (f64, f64), r: f64) {
        let fill = look.fill();
        let class = format!("{fill} {class}");
        let class = class.trim_end();
        let corners = match look.pattern {
            0 => {
                return self
                    .push(format_args!("<circle class=\"{class}\" cx=\"{x:.1}\" cy=\"{y:.1}\" r=\"{r}\"/>"));
            }
            1 => vec![(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)],
            2 => vec![(0.0, -1.2), (1.1, 0.8), (-1.1, 0.8)],
            _ => vec![(0.0, -1.3), (1.3, 0.0), (0.0, 1.3), (-1.3, 0.0)],
        };
        let points: Vec<(f64, f64)> = corners.into_iter().map(|(dx, dy)| (x + dx * r, y + dy * r)).collect();
        self.push(format_args!("<polygon class=\"{class}\" points=\"{}\"/>", joined(&points)));
    }

    /// A horizontal interval, as much of it as `scale` shows.
    pub fn interval(&mut self, look: Look, class: &str, scale: &Scale, (low, high): (f64, f64), y: f64) {
        let (low, high) = (low.max(scale.low), high.min(scale.high));
        if low <= high {
            self.segment(&format!("{class} {}", look.stroke()), (scale.at(low), y), (scale.at(high), y));
        }
    }

    /// Vertical grid lines with labels below: the x axis of a plot from `top` to `bottom`.
    pub fn x_axis(&mut self, ticks: &[(f64, String)], scale: &Scale, (top, bottom): (f64, f64)) {
        for (tick, label) in ticks {
            let x = scale.at(*tick);
            self.segment(if *tick == 0.0 { "axis" } else { "grid" }, (x, bottom), (x, top));
            self.text("quiet", (x, bottom + 16.0), "middle", label);
        }
    }

    /// Horizontal grid lines with labels to the left: the y axis of a plot from `left` to `right`.
    pub fn y_axis(&mut self, ticks: &[(f64, String)], scale: &Scale, (left, right): (f64, f64)) {
        for (tick, label) in ticks {
            let y = scale.at(*tick);
            self.segment(if *tick == 0.0 { "axis" } else { "grid" }, (left, y), (right, y));
            self.text("quiet", (left - 6.0, y + 4.0), "end", label);
        }
    }

    /// Axes with their ticks, and the beginning of a group of what lies between them; `</g>` ends it.
    pub fn begin_plot(
        &mut self,
        clip: &str,
        (x, x_ticks): (&Scale, &[(f64, String)]),
        (y, y_ticks): (&Scale, &[(f64, String)]),
    ) {
        self.x_axis(x_ticks, x, (y.end, y.start));
        self.y_axis(y_ticks, y, (x.start, x.end));
        self.begin_clip(clip, x, y);
    }

    /// Begins a group of which only the part within the plot shows; `</g>` ends it.
    fn begin_clip(&mut self, id: &str, x: &Scale, y: &Scale) {
        let (width, height) = (x.end - x.start, y.start - y.end);
        self.push(format_args!(
            "<clipPath id=\"{id}\"><rect x=\"{:.1}\" y=\"{:.1}\" width=\"{width:.1}\" height=\"{height:.1}\"/></clipPath>\n<g clip-path=\"url(#{id})\">",
            x.start, y.end
        ));
    }

    /// A short piece of a series' line with its marker, for a legend.
    pub fn swatch(&mut self, look: Look, (x, y): (f64, f64)) {
        self.push(format_args!(
            "<line class=\"curve {}\"{} x1=\"{x:.1}\" y1=\"{y:.1}\" x2=\"{:.1}\" y2=\"{y:.1}\"/>",
            look.stroke(),
            look.dash(),
            x + 24.0
        ));
    }
}

fn attribute(name: &str, value: &str) -> String {
    if value.is_empty() { String::new() } else { format!(" {name}=\"{value}\"") }
}

fn joined(points: &[(f64, f64)]) -> String {
    let numbers = points.iter().filter(|(x, y)| x.is_finite() && y.is_finite());
    numbers.map(|(x, y)| format!("{x:.1},{y:.1}")).collect::<Vec<String>>().join(" ")
}

/// A width that `text` surely fits in at the usual size.
pub fn text_width(text: &str) -> f64 {
    7.0 * text.width() as f64
}

/// As much of `text`, in a caption's size, as `width` has room for.
pub fn shortened(text: &str, width: f64) -> String {
    let room = (width / 6.0) as usize;
    if text.width() <= room {
        return text.to_string();
    }
    let mut used = 0;
    let fits = |c: &char| {
        used += c.width().unwrap_or(0);
        used < room
    };
    text.chars().take_while(fits).chain(['…']).collect()
}

/// `text` in lines of at most `width`.
pub fn wrapped(text: &str, width: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            // Running text is narrower than names and numbers.
            Some(line) if 0.86 * (text_width(line) + text_width(word)) + 6.0 <= width => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_string()),
        }
    }
    lines
}

/// A picture by itself: the drawing with the style it needs on a page of its own.
pub fn document(title: &str, description: &str, (width, height): (f64, f64), drawing: &Drawing) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" width=\"{width}\" height=\"{height}\" role=\"img\">\n<!-- {MARK} -->\n<title>{}</title>{}\n<style>\n{STYLE}</style>\n<rect class=\"page\" width=\"{width}\" height=\"{height}\"/>\n{}</svg>\n",
        escape(title),
        if description.is_empty() {
            String::new()
        } else {
            format!("\n<desc>{}</desc>", escape(description))
        },
        drawing.0
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn untrusted_text_in_charts_is_escaped() {
        let hostile = "</text><script>alert('x')</script>\u{1b}[2J\" onload=\"x";
        assert_eq!(
            escape(hostile),
            "&lt;/text&gt;&lt;script&gt;alert(&#39;x&#39;)&lt;/script&gt;\\u{1b}[2J&quot; onload=&quot;x"
        );
    }

    #[test]
    fn chart_series_look_different() {
        let looks: std::collections::HashSet<String> =
            (0..28).map(|i| Look::of(i).stroke() + &Look::of(i).dash()).collect();
        assert_eq!(looks.len(), 28);
    }

    #[test]
    fn non_finite_points_are_not_drawn() {
        let mut drawing = Drawing::default();
        drawing.line(Look::of(0), &[(0.0, 1.0), (1.0, f64::NAN), (2.0, 3.0)]);
        assert!(drawing.0.contains("points=\"0.0,1.0 2.0,3.0\""), "{}", drawing.0);
    }

    #[test]
    fn long_chart_text_wraps_between_words() {
        assert_eq!(wrapped("one two three", 60.0), ["one two", "three"]);
    }
}
