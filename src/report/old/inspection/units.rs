//! Units as memories: how often the two halves of a unit agree, and the strongest units.

use super::phrases::{explained, extremes, percent};
use crate::lab::inspect::{Inspection, Promoted};
use crate::report::old::language::Language;
use crate::report::old::shell::{scrolled, table};
use crate::report::old::words::fixed;
use crate::support::output::grouped;

/// Agreement by layer, and the strongest units with what fires them and what they promote.
pub fn tables(survey: &Inspection, language: Language) -> String {
    agreement(survey, language) + &strongest(survey, language)
}

fn agreement(survey: &Inspection, language: Language) -> String {
    let said = |english: &str, japanese: &str| language.pick(english, japanese).to_string();
    let titles = [
        said("layer", "層"),
        said("agreement", "一致"),
        said("by chance", "偶然なら"),
        said("units that fired", "発火したユニット"),
    ];
    let rows: Vec<Vec<String>> = survey
        .layers
        .iter()
        .map(|layer| {
            let memories = &layer.memories;
            vec![
                layer.layer.to_string(),
                percent(memories.agreement),
                percent(memories.chance),
                grouped(memories.fired),
            ]
        })
        .collect();
    let Some((_, (layer, most))) = extremes(survey.layers.iter().map(|layer| Some(layer.memories.agreement)))
    else {
        return String::new();
    };
    let chance = percent(survey.layers[layer].memories.chance);
    let most = percent(most);
    let sentence = match language {
        Language::En => format!(
            "In layer {layer}, {most} of the units promote most the very token that follows their strongest trigger; by chance it would be {chance}."
        ),
        Language::Ja => format!(
            "第 {layer} 層では {most} のユニットが、自分を最も強く発火させた文脈の次のトークンを最も押し上げる。偶然なら {chance}。"
        ),
    };
    let name = language.pick("Agreement by layer", "層ごとの一致");
    let reading = language.pick(
        "Agreement of a unit\u{2019}s key with its value (Geva et al. 2021, section 4.2).",
        "ユニットのキーと値の一致（Geva et al. 2021, 4.2 節）。",
    );
    explained(&sentence, &scrolled(name, &table(&titles, &rows, 1)), reading)
}

fn strongest(survey: &Inspection, language: Language) -> String {
    let said = |english: &str, japanese: &str| language.pick(english, japanese).to_string();
    let units =
        || survey.layers.iter().flat_map(|layer| layer.memories.units.iter().map(|unit| (layer.layer, unit)));
    let Some((layer, first)) = units().next() else { return String::new() };
    let titles = [
        said("layer, unit", "層, ユニット"),
        said("fires after", "発火する文脈"),
        said("followed by", "次のトークン"),
        said("promotes", "押し上げるトークン"),
        said("promotes where negative", "負のとき押し上げる"),
        said("coefficient", "係数"),
    ];
    let row = |(layer, unit): (usize, &crate::lab::inspect::Memory)| {
        let trigger = unit.triggers.first();
        vec![
            format!("{layer}, {}", unit.unit),
            trigger.map_or(String::new(), |trigger| quoted(&trigger.context)),
            trigger.map_or(String::new(), |trigger| quoted(&trigger.next)),
            tokens(&unit.promoted),
            unit.promoted_when_negative.as_deref().map_or(String::new(), tokens),
            trigger.map_or(String::new(), |trigger| fixed(trigger.coefficient, 2)),
        ]
    };
    let rows: Vec<Vec<String>> = units().map(row).collect();
    let context = first.triggers.first().map_or(String::new(), |trigger| quoted(&trigger.context));
    let negative = first.triggers.first().is_some_and(|trigger| trigger.coefficient < 0.0);
    let promoted = if negative { first.promoted_when_negative.as_ref() } else { Some(&first.promoted) };
    let token =
        promoted.and_then(|tokens| tokens.first()).map_or(String::new(), |promoted| quoted(&promoted.token));
    let sentence = match language {
        Language::En => format!(
            "The strongest unit of layer {layer}, {}, fires most after {context} and then promotes {token}.",
            first.unit
        ),
        Language::Ja => format!(
            "第 {layer} 層で最も強いユニット {} は {context} の後に最も強く発火し、{token} を押し上げる。",
            first.unit
        ),
    };
    let name = language.pick("The strongest units", "最も強いユニット");
    let reading = language.pick(
        "Strength: |value| x mean |coefficient|. Of each unit the context where its coefficient is largest.",
        "強さ: |値| × |係数| の平均。各ユニットについて係数が最大の文脈を示す。",
    );
    explained(&sentence, &scrolled(name, &table(&titles, &rows, 5)), reading)
}

fn tokens(promoted: &[Promoted]) -> String {
    promoted.iter().map(|promoted| quoted(&promoted.token)).collect::<Vec<_>>().join(" ")
}

/// A text of which spaces and line ends can be seen.
pub fn quoted(text: &str) -> String {
    format!("{text:?}")
}
