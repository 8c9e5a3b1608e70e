//! A comparison as a page. Without JavaScript only the sorting, the toggles and the readings are missing.

use super::chart::escape;
use super::comparison::all;
use super::curves::readings;
use super::language::Language;
use super::picture::{Chart, figures};
use super::shell::{Script, command as command_block, facts, html, note, scrolled, section};
use super::table;
use super::words::count;
use crate::lab::compare::analysis::Analysis;
use crate::support::output::setting;
use std::fmt::Write;

/// The report of a comparison. `settings` and `command` are what reproduces it.
pub fn page(title: &str, analysis: &Analysis, settings: &[(String, String)], command: &str) -> String {
    let charts = all(analysis);
    let drawn = |stems: &[&str]| {
        let found: Vec<&Chart> = charts.iter().filter(|chart| stems.contains(&chart.stem.as_str())).collect();
        figures(found)
    };
    let mut body = verdict(title, analysis);
    body += &section("Arms", &arms(analysis));
    body += &section("Loss on the way", &drawn(&["loss-by-tokens", "loss-by-time"]));
    body += &section("Final loss", &drawn(&["final-loss", "differences"]));
    body += &section("Learning rate", &drawn(&["loss-by-rate"]));
    body += &section("Samples", &samples(analysis));
    body += &section(
        "Settings",
        &(facts(settings) + &command_block("The command that repeats this comparison:", command)),
    );
    let script = Script { source: include_str!("../script.js"), id: "readings", numbers: readings(analysis) };
    html(Language::En, title, &body, Some(script))
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
    let percent = setting(100.0 * analysis.matters);
    let mut notes = format!(
        "Text: {}. Losses are nats per token on its validation part. A verdict compares the final loss with \
         {}\u{2019}s, seed by seed: \u{201c}better\u{201d} or \u{201c}worse\u{201d} where the interval of the \
         difference leaves out zero, with \u{201c}but small\u{201d} where the difference is less than {percent}% \
         of the loss; \u{201c}indistinguishable\u{201d} where it doesn\u{2019}t. \u{201c}Seeds needed\u{201d} would \
         probably be enough for a verdict. Intervals and p are corrected for the number of comparisons (Holm).",
        analysis.data, analysis.baseline
    );
    if let Some(floor) = analysis.floor {
        let _ = write!(notes, " No model can do better than the floor, {floor:.4} nats per token.");
    }
    scrolled("Table of arms", &table::html(analysis)) + &note(&notes)
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
    let introduction = note("What each arm wrote from the same prompt.");
    format!("{introduction}<div class=\"samples\">\n{html}</div>\n")
}
