//! An inspection as a page and as charts: what a model's FFNs do, each figure with a sentence on what it
//! means there.

mod activation;
mod fresh;
mod layers;
mod model;
mod phrases;
mod prompt;
mod units;

pub use activation::outline;
pub use layers::log_axis;

use super::chart::escape;
use super::language::Language;
use super::picture::{Chart, figures_with_legends};
use super::shell::{command as command_block, facts, html, section};
use crate::lab::inspect::{FreshModels, Inspection, Lens, Setting, Shapes};
use crate::support::output::grouped;

/// What was looked at, and what was found there. Any part may be missing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Findings<'a> {
    /// The checkpoint or the preset; nothing for fresh models.
    pub subject: &'a str,
    /// The text that was read, where one was.
    pub data: Option<&'a str>,
    pub shapes: Option<&'a Shapes>,
    pub survey: Option<&'a Inspection>,
    pub fresh: Option<&'a FreshModels>,
    pub lens: Option<&'a Lens>,
    /// What makes the page again.
    pub command: &'a str,
}

/// Every chart as an SVG document, with the stem of its file's name. In English: not every font has
/// other letters.
pub fn inspection_charts(findings: &Findings) -> Vec<(String, String)> {
    let mut charts = Vec::new();
    let language = Language::En;
    if let Some(shapes) = findings.shapes {
        charts.extend(model::charts(shapes, language));
    }
    if let Some(survey) = findings.survey {
        charts.push(activation::arguments(survey, language));
        charts.push(layers::shares(survey, language));
        charts.extend(layers::charts(survey, language));
    }
    if let Some(fresh) = findings.fresh {
        charts.extend(fresh::charts(fresh, language));
    }
    if let Some(lens) = findings.lens {
        charts.push(prompt::divergence(lens, language));
    }
    charts.iter().map(|chart| (chart.stem.clone(), chart.document())).collect()
}

/// The page.
pub fn inspection_page(findings: &Findings, language: Language) -> String {
    let own = |charts: &[Chart]| figures_with_legends(charts);
    let said = |english: &'static str, japanese: &'static str| language.pick(english, japanese);
    let title = title(findings, language);
    let mut body = format!(
        "<h1>{}</h1>\n<p class=\"headline\">{}</p>\n",
        escape(&title),
        escape(&headline(findings, language))
    );
    if let Some(shapes) = findings.shapes {
        body += &section(
            said("Shapes", "形"),
            &(own(&model::charts(shapes, language)) + &model::table(shapes, language)),
        );
    }
    if let Some(survey) = findings.survey {
        let arguments = own(&[activation::arguments(survey, language), layers::shares(survey, language)]);
        body += &section(said("The activation on its own arguments", "活性化関数とその引数"), &arguments);
        body += &section(said("Layer by layer", "層ごとに見る"), &own(&layers::charts(survey, language)));
        body += &section(said("Units as memories", "記憶としてのユニット"), &units::tables(survey, language));
    }
    if let Some(fresh) = findings.fresh {
        body += &section(
            said("Gradients before the first step", "学習前の勾配"),
            &(own(&fresh::charts(fresh, language)) + &fresh::table(fresh, language)),
        );
    }
    if let Some(lens) = findings.lens {
        body += &section(
            said("After each token of the prompt", "プロンプトの各トークンの後"),
            &prompt::next_tokens(lens, language),
        );
        body += &section(
            said("On the way through the layers", "層を通る途中"),
            &(own(&[prompt::divergence(lens, language)]) + &prompt::lens_table(lens, language)),
        );
    }
    body += &section(said("How this was made", "この結果の作り方"), &origin(findings, language));
    html(language, &title, &body, None)
}

fn title(findings: &Findings, language: Language) -> String {
    let said = |english: &str, japanese: &str| language.pick(english, japanese).to_string();
    match findings.fresh.map(|fresh| fresh.setting) {
        Some(Setting::Model) => said("Inside fresh models", "学習前のモデルの中身"),
        Some(Setting::Stack) => said("Inside fresh FFNs without residuals", "残差のない学習前の FFN の中身"),
        None => match language {
            Language::En => format!("Inside {}", findings.subject),
            Language::Ja => format!("{} の中身", findings.subject),
        },
    }
}

/// The one sentence to take away.
fn headline(findings: &Findings, language: Language) -> String {
    if let Some(survey) = findings.survey {
        return layers::headline(survey, language);
    }
    if let Some(fresh) = findings.fresh {
        return fresh::headline(fresh, language);
    }
    match (findings.lens, findings.shapes) {
        (Some(lens), _) => prompt::headline(lens, language),
        (None, Some(shapes)) => model::share(shapes, language),
        (None, None) => String::new(),
    }
}

fn origin(findings: &Findings, language: Language) -> String {
    let said = |english: &str, japanese: &str| language.pick(english, japanese).to_string();
    let mut rows = Vec::new();
    if !findings.subject.is_empty() {
        rows.push((said("model", "モデル"), findings.subject.to_string()));
    }
    if let Some(data) = findings.data {
        rows.push((said("text", "テキスト"), data.to_string()));
    }
    if let Some(survey) = findings.survey {
        rows.push((said("tokens read", "読んだトークン数"), grouped(survey.tokens)));
        rows.push((said("tokens differentiated", "微分したトークン数"), grouped(survey.gradient_tokens)));
    }
    if let Some(fresh) = findings.fresh {
        rows.push((said("tokens differentiated", "微分したトークン数"), grouped(fresh.tokens)));
        rows.push((said("seed", "シード"), fresh.seed.to_string()));
    }
    rows.push((said("version", "バージョン"), env!("CARGO_PKG_VERSION").to_string()));
    let again = language.pick("The command that makes this page again:", "このページを作り直すコマンド:");
    facts(&rows) + &command_block(again, findings.command)
}
