//! A comparison as one HTML file that needs nothing else: no network, no other file, and without
//! JavaScript only the sorting, the toggles and the readings.

use super::chart::{Drawing, Look, STYLE, escape};
use super::comparison::{Chart, all};
use super::curves::readings;
use super::table;
use super::words::count;
use crate::compare::analysis::Analysis;
use sha2::{Digest, Sha256};
use std::fmt::Write;

/// The report of a comparison. `settings` and `command` are what reproduces it.
pub fn page(title: &str, analysis: &Analysis, settings: &[(String, String)], command: &str) -> String {
    // Browsers hash what they parsed, and they parse every line end as a line feed.
    let script = include_str!("script.js").replace("\r\n", "\n");
    let style = format!("{STYLE}{}", include_str!("style.css")).replace("\r\n", "\n");
    let charts = all(analysis);
    let find = |stems: &[&str]| -> Vec<&Chart> {
        charts.iter().filter(|chart| stems.contains(&chart.stem)).collect()
    };
    let mut body = verdict(title, analysis);
    body += &arms(analysis);
    body += &section("Loss on the way", analysis, &find(&["loss-by-tokens", "loss-by-time"]));
    body += &section("Final loss", analysis, &find(&["final-loss", "differences"]));
    body += &section("Learning rate", analysis, &find(&["loss-by-rate"]));
    body += &samples(analysis);
    body += &reproduction(settings, command);
    format!(
        r#"<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src '{}'; style-src '{}'; base-uri 'none'; form-action 'none'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{}</title>
<style>{style}</style>
</head>
<body>
<main>
{body}</main>
<script type="application/json" id="readings">{}</script>
<script>{script}</script>
</body>
</html>
"#,
        source_hash(&script),
        source_hash(&style),
        escape(title),
        json_in_html(&readings(analysis)),
    )
}

fn verdict(title: &str, analysis: &Analysis) -> String {
    let mut html =
        format!("<h1>{}</h1>\n<p class=\"headline\">{}</p>\n", escape(title), escape(&analysis.headline));
    if analysis.done < analysis.planned {
        let _ = writeln!(
            html,
            "<p class=\"unfinished\">Not finished: {} of {} are done, and everything here is about those.</p>",
            analysis.done,
            count(analysis.planned, "run")
        );
    }
    if !analysis.warnings.is_empty() {
        html += "<ul class=\"warnings\">\n";
        for warning in &analysis.warnings {
            let _ = writeln!(html, "<li>{}</li>", escape(warning));
        }
        html += "</ul>\n";
    }
    html
}

fn arms(analysis: &Analysis) -> String {
    let percent = format!("{:.2}", 100.0 * analysis.matters);
    let percent = percent.trim_end_matches('0').trim_end_matches('.');
    let mut notes = format!(
        "Text: {}. Losses are nats per token on its validation part. A verdict compares the final loss with \
         {}\u{2019}s, seed by seed: \u{201c}better\u{201d} or \u{201c}worse\u{201d} where the interval of the \
         difference leaves out zero, with \u{201c}but small\u{201d} where the difference is less than {percent} % \
         of the loss; \u{201c}indistinguishable\u{201d} where it does not, with the number of seeds that would probably \
         tell, if that is below a thousand. Intervals and p are corrected for the number of comparisons (Holm).",
        analysis.data, analysis.baseline
    );
    if let Some(floor) = analysis.floor {
        let _ = write!(notes, " No model can do better than the floor, {floor:.4} nats per token.");
    }
    format!(
        "<section>\n<h2>Arms</h2>\n<div class=\"scroll\" role=\"region\" aria-label=\"Table of arms\" tabindex=\"0\">\n{}\n</div>\n<p class=\"note\">{}</p>\n</section>\n",
        table::html(analysis),
        escape(&notes)
    )
}

/// Charts side by side where there is room, under a legend where they need one.
fn section(heading: &str, analysis: &Analysis, charts: &[&Chart]) -> String {
    if charts.is_empty() {
        return String::new();
    }
    let mut html = format!("<section>\n<h2>{}</h2>\n", escape(heading));
    let mut arms: Vec<usize> = charts.iter().flat_map(|chart| chart.legend.clone()).collect();
    arms.sort_unstable();
    arms.dedup();
    if !arms.is_empty() {
        html += &legend(analysis, &arms);
    }
    html += "<div class=\"charts\">\n";
    for chart in charts {
        html += &figure(chart);
    }
    html + "</div>\n</section>\n"
}

fn legend(analysis: &Analysis, arms: &[usize]) -> String {
    let mut html = String::from("<ul class=\"legend\">\n");
    for &i in arms {
        let mut swatch = Drawing::default();
        swatch.swatch(Look::of(i), (0.0, 5.0));
        let _ = writeln!(
            html,
            "<li data-arm=\"{i}\"><svg viewBox=\"0 0 24 10\" width=\"24\" height=\"10\" aria-hidden=\"true\">{}</svg><span>{}</span></li>",
            swatch.0.trim_end(),
            escape(&analysis.arms[i].act.name())
        );
    }
    html + "</ul>\n"
}

fn figure(chart: &Chart) -> String {
    let (width, height) = chart.size;
    let stem = chart.stem;
    // Where along the width values can be read, for the script.
    let reading = chart.reading.as_ref().map_or(String::new(), |(axis, x)| {
        format!(
            " data-axis=\"{axis}\" data-high=\"{}\" data-left=\"{}\" data-right=\"{}\"",
            x.high, x.start, x.end
        )
    });
    format!(
        "<figure id=\"{stem}\">\n<figcaption><h3>{title}</h3><p class=\"note\">{}</p></figcaption>\n<div class=\"plot\"><svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-labelledby=\"{stem}-title {stem}-desc\"{reading}>\n<title id=\"{stem}-title\">{title}</title>\n<desc id=\"{stem}-desc\">{}</desc>\n{}</svg></div>\n</figure>\n",
        escape(&chart.note),
        escape(&chart.description),
        chart.drawing.0,
        title = escape(&chart.title)
    )
}

fn samples(analysis: &Analysis) -> String {
    let mut html = String::new();
    for arm in analysis.arms.iter().filter(|arm| !arm.sample.is_empty()) {
        let _ = writeln!(
            html,
            "<article><h3>{}</h3><pre dir=\"auto\" tabindex=\"0\">{}</pre></article>",
            escape(&arm.act.name()),
            escape(&arm.sample)
        );
    }
    if html.is_empty() {
        return html;
    }
    format!(
        "<section>\n<h2>Samples</h2>\n<p class=\"note\">What each arm wrote from the same prompt.</p>\n<div class=\"samples\">\n{html}</div>\n</section>\n"
    )
}

fn reproduction(settings: &[(String, String)], command: &str) -> String {
    let mut html = String::from("<section>\n<h2>Settings</h2>\n");
    if !settings.is_empty() {
        html += "<dl>\n";
        for (name, value) in settings {
            let _ = writeln!(html, "<div><dt>{}</dt><dd>{}</dd></div>", escape(name), escape(value));
        }
        html += "</dl>\n";
    }
    if !command.is_empty() {
        let _ = writeln!(
            html,
            "<p class=\"note\">The command that repeats this comparison:</p>\n<pre class=\"command\" tabindex=\"0\"><code>{}</code></pre>",
            escape(command)
        );
    }
    html + "</section>\n"
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
