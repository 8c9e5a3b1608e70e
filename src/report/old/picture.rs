//! A chart without its heading, which a page and a picture by itself write differently.

use super::chart::{Drawing, Look, document, escape, text_width, wrapped};
use super::scale::Scale;
use std::fmt::Write;

/// One chart and what is said of it.
#[derive(Clone, Debug, Default)]
pub struct Chart {
    /// Of its file, and of its place in a page.
    pub stem: String,
    pub title: String,
    /// How to read it.
    pub note: String,
    /// What it means here: a sentence made of what it shows, where there is one.
    pub meaning: String,
    /// What it shows, for those who do not see it.
    pub description: String,
    pub size: (f64, f64),
    pub drawing: Drawing,
    /// Its series by number, with their names.
    pub legend: Vec<(usize, String)>,
    /// The horizontal scale of a chart along which values can be read, and what it counts.
    pub reading: Option<(&'static str, Scale)>,
}

/// All are as wide as a phone can show without making their text unreadable.
pub const WIDTH: f64 = 480.0;

impl Chart {
    /// The chart by itself, with heading and legend, as an SVG document.
    pub fn document(&self) -> String {
        const MARGIN: f64 = 16.0;
        let mut head = Drawing::default();
        head.text("head", (MARGIN, 30.0), "start", &self.title);
        let mut y = 36.0;
        for (class, text) in [("", &self.meaning), ("quiet", &self.note)] {
            for line in wrapped(text, self.size.0) {
                y += 15.0;
                head.text(class, (MARGIN, y), "start", &line);
            }
        }
        if !self.legend.is_empty() {
            y += 22.0;
            let mut x = MARGIN;
            for (i, name) in &self.legend {
                if x > MARGIN && x + 30.0 + text_width(name) > MARGIN + self.size.0 {
                    (x, y) = (MARGIN, y + 18.0);
                }
                head.swatch(Look::of(*i), (x, y - 4.0));
                head.text("", (x + 30.0, y), "start", name);
                x += 44.0 + text_width(name);
            }
        }
        y += 14.0;
        head.push(format_args!("<g transform=\"translate({MARGIN} {y})\">"));
        head.push(self.drawing.0.trim_end());
        head.push("</g>");
        let size = (self.size.0 + 2.0 * MARGIN, y + self.size.1 + MARGIN / 2.0);
        document(&self.title, &self.description, size, &head)
    }

    /// The chart as a figure of a page, with a `legend` that is HTML or nothing.
    fn figure(&self, legend: &str) -> String {
        let (width, height) = self.size;
        let stem = &self.stem;
        // Where along the width values can be read, for the script.
        let reading = self.reading.as_ref().map_or(String::new(), |(axis, x)| {
            format!(
                " data-axis=\"{axis}\" data-high=\"{}\" data-left=\"{}\" data-right=\"{}\"",
                x.high, x.start, x.end
            )
        });
        let paragraph = |class: &str, text: &str| match text {
            "" => String::new(),
            text => format!("<p class=\"{class}\">{}</p>", escape(text)),
        };
        format!(
            "<figure id=\"{stem}\">\n<figcaption><h3>{title}</h3>{}{}</figcaption>\n{legend}<div class=\"plot\"><svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-labelledby=\"{stem}-title {stem}-desc\"{reading}>\n<title id=\"{stem}-title\">{title}</title>\n<desc id=\"{stem}-desc\">{}</desc>\n{}</svg></div>\n</figure>\n",
            paragraph("meaning", &self.meaning),
            paragraph("note", &self.note),
            escape(&self.description),
            self.drawing.0,
            title = escape(&self.title)
        )
    }
}

/// Charts side by side where there is room, under one legend where they need one; nothing where there are
/// none.
pub fn figures<'a>(charts: impl IntoIterator<Item = &'a Chart>) -> String {
    let (mut html, mut series) = (String::new(), Vec::new());
    for chart in charts {
        html += &chart.figure("");
        series.extend(chart.legend.iter().cloned());
    }
    if html.is_empty() {
        return html;
    }
    series.sort_unstable();
    series.dedup();
    format!("{}<div class=\"charts\">\n{html}</div>\n", legend(&series))
}

/// The same where charts have series of their own, and so their legends.
pub fn figures_with_legends(charts: &[Chart]) -> String {
    let html: String = charts.iter().map(|chart| chart.figure(&legend(&chart.legend))).collect();
    if html.is_empty() { html } else { format!("<div class=\"charts\">\n{html}</div>\n") }
}

fn legend(series: &[(usize, String)]) -> String {
    if series.is_empty() {
        return String::new();
    }
    let mut html = String::from("<ul class=\"legend\">\n");
    for (i, name) in series {
        let mut swatch = Drawing::default();
        swatch.swatch(Look::of(*i), (0.0, 5.0));
        // Writing to a String cannot fail.
        let _ = writeln!(
            html,
            "<li data-arm=\"{i}\"><svg viewBox=\"0 0 24 10\" width=\"24\" height=\"10\" aria-hidden=\"true\">{}</svg><span>{}</span></li>",
            swatch.0.trim_end(),
            escape(name)
        );
    }
    html + "</ul>\n"
}
