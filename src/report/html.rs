//! A document as a page: one HTML file that needs no network and no other file. Its policy admits nothing else.

use super::chart::{Chart, WIDTH};
use super::document::{Block, Document};
use super::svg::{Drawing, Look, STYLE, escape};
use crate::support::mark::MARK;
use crate::support::table::Table;
use crate::support::text::{Language, Text};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// The page of a document. With `readings` it has a script that sorts, and reads these numbers off the charts. The
/// page is complete without it.
pub fn page(document: &Document, language: Language, readings: Option<&Value>) -> String {
    let body = Body { language }.document(document);
    let style = line_feeds(&format!("{STYLE}{}", include_str!("style.css")));
    let mut policy = "default-src 'none'".to_string();
    let mut scripts = String::new();
    // Writing to a String never fails.
    if let Some(readings) = readings {
        let source = line_feeds(include_str!("script.js"));
        let _ = write!(policy, "; script-src '{}'", source_hash(&source));
        let _ = writeln!(
            scripts,
            "<script type=\"application/json\" id=\"readings\">{}</script>\n<script>{source}</script>",
            json_in_html(readings)
        );
    }
    let _ = write!(policy, "; style-src '{}'; base-uri 'none'; form-action 'none'", source_hash(&style));
    format!(
        r#"<!DOCTYPE html>
<!-- {MARK} -->
<html lang="{}">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="{policy}">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{}</title>
<style>{style}</style>
</head>
<body>
<main>
{body}</main>
{scripts}</body>
</html>
"#,
        language.code(),
        escape(&document.title.to(language)),
    )
}

/// Browsers hash what they parsed, and they parse every line end as a line feed.
fn line_feeds(text: &str) -> String {
    text.replace("\r\n", "\n")
}

/// JSON that no HTML parser takes for the end of its script.
fn json_in_html(value: &Value) -> String {
    value.to_string().replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

/// A text's hash as a Content-Security-Policy writes it.
fn source_hash(text: &str) -> String {
    format!("sha256-{}", BASE64_STANDARD.encode(Sha256::digest(text)))
}

/// Writes the blocks of a page in one language.
struct Body {
    language: Language,
}

impl Body {
    fn text(&self, text: &Text) -> String {
        escape(&text.to(self.language))
    }

    /// An element, or nothing if its text is empty.
    fn element(&self, name: &str, class: &str, text: &Text) -> String {
        match self.text(text) {
            text if text.is_empty() => String::new(),
            text if class.is_empty() => format!("<{name}>{text}</{name}>\n"),
            text => format!("<{name} class=\"{class}\">{text}</{name}>\n"),
        }
    }

    fn document(&self, document: &Document) -> String {
        let mut html = format!("<h1>{}</h1>\n", self.text(&document.title));
        html += &self.element("p", "headline", &document.headline);
        for section in &document.sections {
            // What stands before the first heading.
            let blocks: String = section.blocks.iter().map(|block| self.block(block)).collect();
            match self.text(&section.heading) {
                heading if heading.is_empty() => html += &blocks,
                heading => html += &format!("<section>\n<h2>{heading}</h2>\n{blocks}</section>\n"),
            }
        }
        html
    }

    fn block(&self, block: &Block) -> String {
        match block {
            Block::Meaning(text) => self.element("p", "meaning", text),
            Block::Note(text) => self.element("p", "note", text),
            Block::Table(table) => self.table(table),
            Block::Charts(charts) => self.charts(charts),
            Block::ChartsOfSameSeries(charts) => {
                let mut series: Vec<(usize, Text)> =
                    charts.iter().flat_map(|chart| chart.plot.legend()).collect();
                series.sort_by_key(|(look, _)| *look);
                series.dedup();
                let figures = charts.iter().map(|chart| self.figure(chart, "")).collect::<String>();
                format!("{}<div class=\"charts\">\n{figures}</div>\n", self.legend(&series))
            }
            Block::Facts(facts) => {
                let fact = |(name, value): &(Text, Text)| {
                    format!("<div><dt>{}</dt><dd>{}</dd></div>\n", self.text(name), self.text(value))
                };
                format!("<dl>\n{}</dl>\n", facts.iter().map(fact).collect::<String>())
            }
            Block::Command(_, command) if command.is_empty() => String::new(),
            Block::Command(introduction, command) => format!(
                "{}<pre class=\"command\" tabindex=\"0\"><code>{}</code></pre>\n",
                self.element("p", "note", introduction),
                escape(command)
            ),
            Block::Warnings(lines) => self.list("warnings", lines),
            Block::List(lines) => self.list("sources", lines),
            Block::Samples(samples) => {
                let sample = |(name, text): &(Text, String)| {
                    let (name, text) = (self.text(name), escape(text));
                    format!(
                        "<article><h3>{name}</h3><pre dir=\"auto\" tabindex=\"0\">{text}</pre></article>\n"
                    )
                };
                format!("<div class=\"samples\">\n{}</div>\n", samples.iter().map(sample).collect::<String>())
            }
            Block::Answer { name, class, verdict, answer } => format!(
                "<p id=\"claim-{name}\" class=\"answer {class}\"><strong>{}</strong> {}</p>\n",
                self.text(verdict),
                self.text(answer)
            ),
            Block::Overview(claims) => {
                let claim = |claim: &super::document::Answered| {
                    format!(
                        "<li class=\"{}\"><a href=\"#claim-{}\"><strong>{}</strong> {}</a></li>\n",
                        claim.class,
                        claim.name,
                        self.text(&claim.verdict),
                        self.text(&claim.claim)
                    )
                };
                format!("<ul class=\"claims\">\n{}</ul>\n", claims.iter().map(claim).collect::<String>())
            }
        }
    }

    fn list(&self, class: &str, lines: &[Text]) -> String {
        let lines = lines.iter().map(|line| format!("<li>{}</li>\n", self.text(line)));
        format!("<ul class=\"{class}\">\n{}</ul>\n", lines.collect::<String>())
    }

    /// A table in a region of its own, which scrolls if the page is narrow. The first cell of a row is its heading.
    fn table(&self, table: &Table) -> String {
        let (titles, rows) = table.written(self.language);
        let class = |i: usize| if table.columns[i].reads_from_the_left() { " class=\"word\"" } else { "" };
        let id = if table.sorted_by.is_some() { " id=\"arms\"" } else { "" };
        let mut html = format!(
            "<div class=\"scroll\" role=\"region\" aria-label=\"{}\" tabindex=\"0\">\n<table{id}>\n{}<thead><tr>",
            self.text(&table.caption),
            self.element("caption", "", &table.caption)
        );
        for (i, title) in titles.iter().enumerate() {
            let sorted = if table.sorted_by == Some(i) { " aria-sort=\"ascending\"" } else { "" };
            // A rate such as 3e-4 stays on one line.
            let title = escape(title).replace("e-", "e\u{2011}");
            let _ = write!(html, "<th scope=\"col\"{}{sorted}>{title}</th>", class(i));
        }
        html += "</tr></thead>\n<tbody>\n";
        for (number, (texts, cells)) in rows.iter().zip(&table.rows).enumerate() {
            html += if table.baseline == Some(number) { "<tr class=\"baseline\">" } else { "<tr>" };
            for (i, (text, cell)) in texts.iter().zip(cells).enumerate() {
                let value = match cell.values.first() {
                    Some((_, Value::String(word))) => format!(" data-value=\"{}\"", escape(word)),
                    Some((_, Value::Number(number))) => format!(" data-value=\"{number}\""),
                    _ => String::new(),
                };
                let text = escape(text);
                let _ = match i {
                    0 => write!(html, "<th scope=\"row\"{value}>{text}</th>"),
                    _ => write!(html, "<td{}{value}>{text}</td>", class(i)),
                };
            }
            html += "</tr>\n";
        }
        html + "</tbody>\n</table>\n</div>\n"
    }

    fn charts(&self, charts: &[Chart]) -> String {
        let figure = |chart: &Chart| self.figure(chart, &self.legend(&chart.plot.legend()));
        format!("<div class=\"charts\">\n{}</div>\n", charts.iter().map(figure).collect::<String>())
    }

    /// A chart as a figure, with a `legend` that is HTML or empty.
    fn figure(&self, chart: &Chart, legend: &str) -> String {
        let (drawing, height) = chart.plot.draw(&chart.stem, self.language);
        let (stem, title) = (&chart.stem, self.text(&chart.title));
        let reading = chart.plot.reading().map_or(String::new(), |(axis, x)| {
            format!(
                " data-axis=\"{axis}\" data-high=\"{}\" data-left=\"{}\" data-right=\"{}\"",
                x.high, x.start, x.end
            )
        });
        format!(
            "<figure id=\"{stem}\">\n<figcaption><h3>{title}</h3>\n{}{}</figcaption>\n{legend}<div class=\"plot\">\
             <svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-labelledby=\"{stem}-title {stem}-desc\"{reading}>\n\
             <title id=\"{stem}-title\">{title}</title>\n<desc id=\"{stem}-desc\">{}</desc>\n{}</svg></div>\n</figure>\n",
            self.element("p", "meaning", &chart.meaning),
            self.element("p", "note", &chart.note),
            self.text(&chart.description),
            drawing.0
        )
    }

    fn legend(&self, series: &[(usize, Text)]) -> String {
        if series.is_empty() {
            return String::new();
        }
        let mut html = String::from("<ul class=\"legend\">\n");
        for (look, name) in series {
            let mut swatch = Drawing::default();
            swatch.swatch(Look::of(*look), (0.0, 5.0));
            let _ = writeln!(
                html,
                "<li data-arm=\"{look}\"><svg viewBox=\"0 0 24 10\" width=\"24\" height=\"10\" aria-hidden=\"true\">\
                 {}</svg><span>{}</span></li>",
                swatch.0.trim_end(),
                self.text(name)
            );
        }
        html + "</ul>\n"
    }
}
