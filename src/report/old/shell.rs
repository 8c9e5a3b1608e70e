//! What every page is: one HTML file that needs nothing else, no network and no other file, with a policy
//! that lets nothing else in.

use super::chart::{STYLE, escape};
use super::language::Language;
use crate::support::mark::MARK;
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// A script with the numbers that it works on; a page is whole without it.
pub struct Script<'a> {
    pub source: &'a str,
    /// The id that the numbers stand under.
    pub id: &'a str,
    pub numbers: serde_json::Value,
}

/// A page around `body`, which is HTML.
pub fn html(language: Language, title: &str, body: &str, script: Option<Script>) -> String {
    let style = line_feeds(&format!("{STYLE}{}", include_str!("../style.css")));
    let mut policy = "default-src 'none'".to_string();
    let mut scripts = String::new();
    // Writing to a String cannot fail.
    if let Some(script) = script {
        let source = line_feeds(script.source);
        let _ = write!(policy, "; script-src '{}'", source_hash(&source));
        let _ = writeln!(
            scripts,
            "<script type=\"application/json\" id=\"{}\">{}</script>\n<script>{source}</script>",
            script.id,
            json_in_html(&script.numbers)
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
        escape(title),
    )
}

/// A part of a page under a heading; nothing where it has no content. `content` is HTML.
pub fn section(heading: &str, content: &str) -> String {
    if content.is_empty() {
        return String::new();
    }
    format!("<section>\n<h2>{}</h2>\n{content}</section>\n", escape(heading))
}

/// A small text below or above what it is about.
pub fn note(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("<p class=\"note\">{}</p>\n", escape(text)) }
}

/// Room for a table that may be wider than the page: it is scrolled by itself, by keyboard too. `table` is
/// HTML, `name` what it is called to those who do not see it.
pub fn scrolled(name: &str, table: &str) -> String {
    format!(
        "<div class=\"scroll\" role=\"region\" aria-label=\"{}\" tabindex=\"0\">\n{table}\n</div>\n",
        escape(name)
    )
}

/// A table of texts, its first column a heading of the row. The first `words` columns read from the left.
pub fn table(titles: &[String], rows: &[Vec<String>], words: usize) -> String {
    let class = |i: usize| if i < words { " class=\"word\"" } else { "" };
    let mut html = String::from("<table>\n<thead><tr>");
    for (i, title) in titles.iter().enumerate() {
        let _ = write!(html, "<th scope=\"col\"{}>{}</th>", class(i), escape(title));
    }
    html += "</tr></thead>\n<tbody>\n";
    for row in rows {
        html += "<tr>";
        for (i, cell) in row.iter().enumerate() {
            let cell = escape(cell);
            let _ = match i {
                0 => write!(html, "<th scope=\"row\">{cell}</th>"),
                _ => write!(html, "<td{}>{cell}</td>", class(i)),
            };
        }
        html += "</tr>\n";
    }
    html + "</tbody>\n</table>"
}

/// The command that makes the page again; nothing where it is unknown.
pub fn command(introduction: &str, command: &str) -> String {
    if command.is_empty() {
        return String::new();
    }
    let command = escape(command);
    format!("{}<pre class=\"command\" tabindex=\"0\"><code>{command}</code></pre>\n", note(introduction))
}

/// Names with their values, in columns.
pub fn facts(facts: &[(String, String)]) -> String {
    if facts.is_empty() {
        return String::new();
    }
    let mut html = String::from("<dl>\n");
    for (name, value) in facts {
        let _ = writeln!(html, "<div><dt>{}</dt><dd>{}</dd></div>", escape(name), escape(value));
    }
    html + "</dl>\n"
}

/// Browsers hash what they parsed, and they parse every line end as a line feed.
fn line_feeds(text: &str) -> String {
    text.replace("\r\n", "\n")
}

/// JSON that no HTML parser takes for the end of its script.
fn json_in_html(value: &serde_json::Value) -> String {
    value.to_string().replace('<', "\\u003c").replace('>', "\\u003e").replace('&', "\\u0026")
}

/// What a Content-Security-Policy calls a text by.
fn source_hash(text: &str) -> String {
    format!("sha256-{}", base64(&Sha256::digest(text)))
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let at = |i: usize| u32::from(chunk.get(i).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for i in 0..4 {
            let digit = DIGITS[(bits >> (18 - 6 * i) & 63) as usize];
            text.push(if i <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    text
}
