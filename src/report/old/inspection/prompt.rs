//! A prompt: what the model predicts after each token, and through the logit lens.

use super::layers::{log_axis, over_layers};
use super::phrases::{explained, percent};
use super::units::quoted;
use crate::lab::inspect::{AtLayer, Lens, Position};
use crate::report::old::language::Language;
use crate::report::old::picture::Chart;
use crate::report::old::shell::{scrolled, table};
use crate::report::old::words::fixed;

/// The model's answer to the whole prompt.
pub fn headline(lens: &Lens, language: Language) -> String {
    let Some((last, likely)) = lens.positions.last().and_then(|last| Some((last, last.likely.first()?)))
    else {
        return String::new();
    };
    let (prompt, token) = (quoted(&prompt(lens)), quoted(&likely.token));
    let (probability, bits) = (percent(likely.probability), fixed(last.entropy_bits, 2));
    match language {
        Language::En => format!(
            "After {prompt} the model expects {token} with {probability}; it is undecided by {bits} bits."
        ),
        Language::Ja => {
            format!("{prompt} の次に、モデルは {token} を {probability} で予測する。迷いは {bits} ビット。")
        }
    }
}

fn prompt(lens: &Lens) -> String {
    lens.positions.iter().map(|position| position.token.as_str()).collect()
}

/// The most probable next tokens after each token of the prompt.
pub fn next_tokens(lens: &Lens, language: Language) -> String {
    let said = |english: &str, japanese: &str| language.pick(english, japanese).to_string();
    let titles = [
        said("after", "ここまで"),
        said("most probable next", "確率の高い次のトークン"),
        said("in truth", "実際の次"),
        said("its probability", "その確率"),
        said("its rank", "その順位"),
        said("entropy, bits", "エントロピー（ビット）"),
    ];
    let row = |position: &Position| {
        let likely = position
            .likely
            .iter()
            .map(|likely| format!("{} {}", quoted(&likely.token), percent(likely.probability)));
        let truth = position.truth.as_ref();
        vec![
            quoted(&position.token),
            likely.collect::<Vec<_>>().join(", "),
            truth.map_or(String::new(), |truth| quoted(&truth.token)),
            truth.map_or(String::new(), |truth| percent(truth.probability)),
            truth.map_or(String::new(), |truth| truth.rank.to_string()),
            fixed(position.entropy_bits, 2),
        ]
    };
    let rows: Vec<Vec<String>> = lens.positions.iter().map(row).collect();
    let truths = || lens.positions.iter().filter_map(|position| position.truth.as_ref());
    let (first, all) = (truths().filter(|truth| truth.rank == 1).count(), truths().count());
    let sentence = match language {
        _ if all == 0 => headline(lens, language),
        Language::En => format!(
            "Of the {all} tokens that follow one in the prompt, the model had {first} in the first place."
        ),
        Language::Ja => {
            format!("プロンプト内で次に来る {all} トークンのうち、モデルが 1 位としたのは {first} 個。")
        }
    };
    let name = language.pick("Next tokens", "次のトークン");
    explained(&sentence, &scrolled(name, &table(&titles, &rows, 3)), "")
}

/// How far the prediction of each layer is from the model's own, at the last token and on average.
pub fn divergence(lens: &Lens, language: Language) -> Chart {
    // What is nearer than this is the same but for rounding, and has no place on a logarithmic axis.
    let shown = |bits: f64| (bits > 1e-6).then_some(bits);
    let layers = lens.positions.first().map_or(0, |position| position.layers.len());
    let mean = |layer: usize| {
        let sum: f64 = lens.positions.iter().map(|position| position.layers[layer].divergence_bits).sum();
        sum / lens.positions.len() as f64
    };
    let last = |layer: usize| lens.positions.last().map_or(0.0, |last| last.layers[layer].divergence_bits);
    let series = [
        ("after the last token".to_string(), (0..layers).map(|layer| shown(last(layer))).collect::<Vec<_>>()),
        ("mean over all tokens".to_string(), (0..layers).map(|layer| shown(mean(layer))).collect()),
    ];
    let y = log_axis("bits", series.iter().flat_map(|(_, values)| values.iter().flatten().copied()));
    Chart {
        title: language.pick("How far each layer is from the answer", "各層の予測と最終予測の隔たり").to_string(),
        note: language
            .pick(
                "Kullback-Leibler divergence of the prediction through the lens from the model\u{2019}s own; after the last layer it is 0 and not drawn. The axis is logarithmic.",
                "レンズを通した予測とモデル自身の予測のカルバック・ライブラー情報量。最後の層では 0 なので描かない。縦軸は対数。",
            )
            .to_string(),
        meaning: settled(lens, language),
        ..over_layers("lens-divergence", &y, &series)
    }
}

/// From which layer on the answer stands.
fn settled(lens: &Lens, language: Language) -> String {
    let Some((last, answer)) = lens.positions.last().and_then(|last| Some((last, last.likely.first()?)))
    else {
        return String::new();
    };
    let before = last.layers.iter().rposition(|layer| layer.answer_rank > 1);
    let from = before.map_or(0, |before| before + 1);
    let token = quoted(&answer.token);
    let rank = last.layers.first().map_or(1, |first| first.answer_rank);
    match language {
        Language::En if from == 0 => format!("The answer, {token}, is in the first place after every layer."),
        Language::Ja if from == 0 => format!("答え {token} はどの層の後でも 1 位である。"),
        Language::En => format!(
            "The answer, {token}, stands from layer {from} on; after the first layer it has rank {rank}."
        ),
        Language::Ja => {
            format!("答え {token} は第 {from} 層から変わらない。最初の層の後では {rank} 位である。")
        }
    }
}

/// The likeliest token after each layer, by token of the prompt.
pub fn lens_table(lens: &Lens, language: Language) -> String {
    let layers = lens.positions.first().map_or(0, |position| position.layers.len());
    let mut titles = vec![language.pick("layer", "層").to_string()];
    titles.extend(lens.positions.iter().map(|position| quoted(&position.token)));
    let cell = |at: &AtLayer| format!("{} {}", quoted(&at.token), percent(at.probability));
    let rows: Vec<Vec<String>> = (0..layers)
        .map(|layer| {
            let cells = lens.positions.iter().map(|position| cell(&position.layers[layer]));
            std::iter::once(layer.to_string()).chain(cells).collect()
        })
        .collect();
    let same = |position: &&Position| position.layers.first().is_some_and(|first| first.answer_rank == 1);
    let (early, all) = (lens.positions.iter().filter(same).count(), lens.positions.len());
    let sentence = match language {
        Language::En => format!(
            "After {early} of {all} tokens the first layer alone has the final answer in the first place."
        ),
        Language::Ja => format!("{all} トークン中 {early} では、最初の層だけで最終的な答えが 1 位になる。"),
    };
    let name = language.pick("The logit lens", "ロジットレンズ");
    let reading = language.pick(
        "The likeliest next token if the model ended after that layer: final norm and head over the residual stream (nostalgebraist 2020). The last row is the model\u{2019}s own.",
        "その層でモデルが終わるとした場合に最も確率の高い次のトークン。残差ストリームに最後の正規化と出力層を当てたもの（nostalgebraist 2020）。最後の行がモデル自身の予測。",
    );
    explained(&sentence, &scrolled(name, &table(&titles, &rows, titles.len())), reading)
}
