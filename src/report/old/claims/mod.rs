//! The claims as a page and as Markdown.

mod figures;

use super::chart::escape;
use super::language::Language;
use super::picture::figures_with_legends;
use super::shell::{command as command_block, facts, html, note, scrolled, section, table as html_table};
use crate::lab::claims::{Claim, SOURCES, Said, Table, Verdict};

/// Every figure as an SVG document, with the stem of its file's name, in English: not every font has
/// other letters.
pub fn claims_charts(claims: &[Claim]) -> Vec<(String, String)> {
    let figures = claims.iter().flat_map(|claim| &claim.figures);
    figures.map(|figure| (figure.stem.to_string(), figures::chart(figure, Language::En).document())).collect()
}

/// The page: what became of every claim at a glance, then each with what was seen.
pub fn claims_page(
    claims: &[Claim],
    settings: &[(String, String)],
    command: &str,
    language: Language,
) -> String {
    let said = |english: &'static str, japanese: &'static str| language.pick(english, japanese);
    let title = said("What is said of activations and FFNs, measured", "活性化関数とFFNの通説を測る");
    let mut body = format!(
        "<h1>{}</h1>\n<p class=\"headline\">{}</p>\n",
        escape(title),
        escape(&headline(claims, language))
    );
    body += &section(said("At a glance", "一覧"), &overview(claims, language));
    for claim in claims {
        body += &section(text(&claim.claim, language), &one(claim, language));
    }
    let sources = SOURCES.iter().map(|source| format!("<li>{}</li>\n", escape(source)));
    body += &section(
        said("Sources", "文献"),
        &format!("<ul class=\"sources\">\n{}</ul>\n", sources.collect::<String>()),
    );
    let again = said("The command that makes this page again:", "このページを作り直すコマンド:");
    body += &section(
        said("How this was made", "この結果の作り方"),
        &(facts(settings) + &command_block(again, command)),
    );
    html(language, title, &body, None)
}

fn text(said: &Said, language: Language) -> &str {
    language.pick(&said.en, &said.ja)
}

/// `Of 14 claims 3 held, 1 failed and 10 depend.`
fn headline(claims: &[Claim], language: Language) -> String {
    let count = |verdict| claims.iter().filter(|claim| claim.verdict == verdict).count();
    let [held, failed, depend] = [Verdict::Held, Verdict::Failed, Verdict::Depends].map(count);
    let all = claims.len();
    match language {
        Language::En => {
            format!("Of {all} claims, {held} held here, {failed} failed, and {depend} held in part.")
        }
        Language::Ja => {
            format!(
                "{all}の主張のうち、ここで成り立つもの{held}、成り立たないもの{failed}、一部だけ成り立つもの{depend}。"
            )
        }
    }
}

fn overview(claims: &[Claim], language: Language) -> String {
    let row = |claim: &Claim| {
        format!(
            "<li class=\"{}\"><a href=\"#claim-{}\"><strong>{}</strong> {}</a></li>\n",
            class(claim.verdict),
            claim.name,
            escape(text(&claim.verdict.said(), language)),
            escape(text(&claim.claim, language))
        )
    };
    format!("<ul class=\"claims\">\n{}</ul>\n", claims.iter().map(row).collect::<String>())
}

fn class(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Held => "held",
        Verdict::Failed => "failed",
        Verdict::Depends => "depends",
    }
}

fn one(claim: &Claim, language: Language) -> String {
    let said = |said: &Said| escape(text(said, language));
    let mut content = format!(
        "<p id=\"claim-{}\" class=\"answer {}\"><strong>{}</strong> {}</p>\n",
        claim.name,
        class(claim.verdict),
        said(&claim.verdict.said()),
        said(&claim.answer)
    );
    let charts: Vec<_> = claim.figures.iter().map(|figure| figures::chart(figure, language)).collect();
    content += &figures_with_legends(&charts);
    for table in &claim.tables {
        content += &numbers(table, language);
    }
    content += &note(&(language.pick("Measured: ", "測り方: ").to_string() + text(&claim.method, language)));
    content += &note(&(language.pick("Said by: ", "出典: ").to_string() + text(&claim.source, language)));
    content
}

fn numbers(table: &Table, language: Language) -> String {
    let texts =
        |cells: &[Said]| cells.iter().map(|cell| text(cell, language).to_string()).collect::<Vec<_>>();
    let rows: Vec<Vec<String>> = table.rows.iter().map(|row| texts(row)).collect();
    let caption = text(&table.caption, language);
    let words = if table.words { table.head.len() } else { 1 };
    format!("<p class=\"meaning\">{}</p>\n", escape(caption))
        + &scrolled(caption, &html_table(&texts(&table.head), &rows, words))
}

/// The claims with their numbers, as Markdown. `command` makes all of it again, `each` with `--only` and a name a
/// part.
pub fn claims_markdown(claims: &[Claim], (command, each): (&str, &str), language: Language) -> String {
    let said = |said: &Said| plain(text(said, language));
    let mut markdown = format!(
        "# {}\n\n{}\n\n    {command}\n",
        language.pick("What is said of activations and FFNs, measured", "活性化関数とFFNの通説を測る"),
        headline(claims, language)
    );
    for claim in claims {
        markdown += &format!(
            "\n## {}\n\n**{}{}** {}\n",
            said(&claim.claim),
            said(&claim.verdict.said()),
            language.pick(".", "。"),
            said(&claim.answer)
        );
        for table in &claim.tables {
            let line = |cells: &[Said]| {
                let cells: Vec<String> = cells.iter().map(|cell| said(cell).replace('|', "\\|")).collect();
                format!("| {} |\n", cells.join(" | "))
            };
            markdown += &format!("\n{}:\n\n", said(&table.caption));
            markdown += &line(&table.head);
            markdown += &format!("|{}\n", "---|".repeat(table.head.len()));
            markdown.extend(table.rows.iter().map(|row| line(row)));
        }
        markdown += &format!(
            "\n{} {}\n\n{} {}\n\n    {} --only {}\n",
            language.pick("Measured:", "測り方:"),
            said(&claim.method),
            language.pick("Said by:", "出典:"),
            said(&claim.source),
            each,
            claim.name
        );
    }
    markdown += &format!("\n## {}\n\n", language.pick("Sources", "文献"));
    markdown.extend(SOURCES.iter().map(|source| format!("- {}\n", plain(source))));
    markdown
}

/// Text that means nothing to Markdown but itself.
fn plain(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in crate::support::failure::escape_controls(text).chars() {
        if c == '\n' {
            safe.push('\u{21b5}');
            continue;
        }
        if matches!(c, '*' | '_' | '`' | '<' | '>' | '[' | ']' | '\\') {
            safe.push('\\');
        }
        safe.push(c);
    }
    safe
}
