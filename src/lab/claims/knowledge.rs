//! The FFN stores knowledge: a cat is an animal.

use super::lab::{Trained, act};
use super::numbers::{fixed, percent};
use super::{Claim, Lab, Said, Table, Verdict, ffn_note};
use crate::data::{Tales, questions};
use crate::lab::inspect::{Half, Knowledge, MeanOutputs, ablated, capacity, completion, knowledge};
use crate::model::{Model, Params};
use crate::settings::{Backbone, Ops, Settings, TokenizerKind};
use crate::support::random;
use crate::support::waiting::waiting;
use anyhow::Result;
use candle_core::Device;

/// Questions asked, bytes scored, tokens that means are taken over, and the model's vocabulary.
const QUESTIONS: usize = 120;
const BYTES: usize = 30_000;
const TOKENS: usize = 8192;
const VOCABULARY: usize = 1024;
/// Facts of `tales:facts=N` that capacities are measured on.
const FACTS: usize = 1000;
/// Recall from which on a model has not been filled: its capacity cannot be told.
const FILLED: f64 = 0.95;

/// A model with some parts taken out.
struct Row {
    what: Said,
    found: Knowledge,
}

pub fn measure(lab: &mut Lab) -> Result<Claim> {
    // Tokens of several letters: a name and what is said of it lie close together.
    let tokenizer = Some(TokenizerKind::Bpe(VOCABULARY));
    let changes = lab.knowing(Settings { backbone: Some(Backbone::Gpt2), tokenizer, ..act("gelu") })?;
    let trained = lab.train(&changes)?;
    let tales = "tales".parse::<Tales>()?;
    let grammar = tales.grammar()?;
    let asked = questions(&grammar, 1, QUESTIONS);
    let text = grammar.tales(&mut random::stream(1, "claims: knowledge"), BYTES);
    let Trained { model, dataset, .. } = &trained;
    let know = |model: &Model| knowledge(model, &dataset.tokenizer, &asked, &text);
    let waiting = waiting("asking for facts without parts of the model, parts");
    let means = MeanOutputs::over(model, &dataset.val[..TOKENS.min(dataset.val.len())])?;
    let layers = model.config.layers;
    let mut rows = vec![Row { what: Said::new("whole model", "モデル全体"), found: know(model)? }];
    for half in [Half::Ffn, Half::Attention] {
        let name = match half {
            Half::Ffn => "FFN",
            Half::Attention => "attention",
        };
        for layer in 0..layers {
            lab.following(&waiting)(rows.len(), 2 * layers + 4)?;
            let found = know(&ablated(model, &means, &[(half, layer)])?)?;
            rows.push(Row {
                what: Said::new(format!("without {name} {layer}"), format!("{name} {layer} なし")),
                found,
            });
        }
        let all: Vec<(Half, usize)> = (0..layers).map(|layer| (half, layer)).collect();
        let found = know(&ablated(model, &means, &all)?)?;
        rows.push(Row {
            what: Said::new(format!("without any {name}"), format!("{name} すべてなし")),
            found,
        });
    }
    let fresh = Params::init(&model.config, 1, &Device::Cpu)?;
    let fresh = Model::new(model.config.clone(), fresh, Ops::Fused)?;
    rows.push(Row { what: Said::new("untrained", "未学習"), found: know(&fresh)? });
    drop(waiting);

    let whole = rows[0].found;
    let (ffns, attentions) = (&rows[1..=layers], &rows[layers + 2..=2 * layers + 1]);
    let (no_ffn, no_attention) = (rows[layers + 1].found, rows[2 * layers + 2].found);
    let selective = |rows: &[Row]| selectivity(&whole, rows.iter().map(|row| &row.found));
    // What layer 0 adds everything else builds on: it would drown the others.
    let [ffn, ffn_0] = [&ffns[1..], &ffns[..1]].map(selective);
    let [attention, attention_0] = [&attentions[1..], &attentions[..1]].map(selective);
    let half = 0.5 * whole.recall();
    let verdict = Verdict::of(&[
        whole.recall() >= 0.5 && no_ffn.recall() < half && no_attention.recall() >= half,
        ffn > attention,
        ffn_0 > attention_0,
    ]);
    let mut tables = vec![ablations(&rows), demo(lab, &trained, &means)?];
    if lab.deep {
        tables.push(capacities(lab)?);
    }
    let [recall, rest, without_attention] =
        [whole.recall(), no_ffn.recall(), no_attention.recall()].map(percent);
    // Points of recall per 0.1 nats.
    let [ffn, ffn_0, attention, attention_0] =
        [ffn, ffn_0, attention, attention_0].map(|share| fixed(10.0 * share, 1));
    let [ffn_cost, attention_cost] = [no_ffn.other_loss, no_attention.other_loss].map(|loss| fixed(loss, 1));
    Ok(Claim {
        name: "knowledge",
        claim: Said::new(
            "The FFN stores knowledge, such as that a cat is an animal.",
            "FFNは「猫は動物である」のような知識を蓄える。",
        ),
        source: ffn_note("Geva et al. 2021; Allen-Zhu & Li 2024"),
        method: Said::new(
            format!(
                "A model of the built-in tales, whose facts are known: {QUESTIONS} of them asked by cloze, and the loss on tokens that tell a fact beside the loss on all others, with FFNs and attentions replaced by their mean output. Facts count where a tale tells them for the first time. The FFNs store them if recall (of at least 50%) falls below half without FFNs and not without attention, and if taking out FFNs one by one loses more recall for each nat that it costs other tokens than taking out attentions does, in layer 0 and above it."
            ),
            format!(
                "事実が既知の組み込みのお話で学習したモデルに{QUESTIONS}問の穴埋めを出し、事実を述べるトークンとそれ以外の損失を、FFNまたはattentionを平均出力で置き換えて測る。事実はお話での初出だけを数える。正答率(50%以上のとき)がFFNなしで半分未満になりattentionなしではならず、1つずつ外したときに他のトークンの損失1ナットあたりに失う正答率が、層0でもその上でもattentionよりFFNで大きければ成り立つ。"
            ),
        ),
        verdict,
        answer: Said::new(
            format!(
                "Recall is {recall}; without FFNs it is {rest}, and without attention {without_attention}, but neither model predicts other tokens well any more ({ffn_cost} and {attention_cost} nats). Above layer 0, taking out FFNs one by one loses {ffn} points of recall for each 0.1 nats that it costs other tokens, and taking out attentions {attention}; in layer 0 it is {ffn_0} and {attention_0}."
            ),
            format!(
                "正答率は{recall}。FFNなしでは{rest}、attentionなしでは{without_attention}だが、どちらも他のトークンの予測まで崩れる({ffn_cost}と{attention_cost}ナット)。層0より上では、1つずつ外したとき他のトークンの損失0.1ナットあたりFFNで{ffn}ポイント、attentionで{attention}ポイント正答率が下がり、層0では{ffn_0}と{attention_0}である。"
            ),
        ),
        tables,
        figures: Vec::new(),
    })
}

/// How much of its recall a model loses for each nat of loss that taking out a part costs on other tokens, over
/// the parts together. What holds facts is high, what everything needs is low.
fn selectivity<'a>(whole: &Knowledge, without: impl Iterator<Item = &'a Knowledge>) -> f64 {
    let (mut recall, mut others) = (0.0, 0.0);
    for found in without {
        recall += whole.recall() - found.recall();
        others += found.other_loss - whole.other_loss;
    }
    recall / others
}

fn ablations(rows: &[Row]) -> Table {
    let row = |row: &Row| {
        let Knowledge { fact_loss, other_loss, .. } = row.found;
        vec![
            row.what.clone(),
            percent(row.found.recall()).into(),
            fixed(fact_loss, 3).into(),
            fixed(other_loss, 3).into(),
        ]
    };
    Table {
        words: false,
        caption: Said::new(
            "Recall of facts and loss in nats per token, with parts replaced by their mean",
            "部分を平均で置き換えたときの正答率と損失(ナット/トークン)",
        ),
        head: vec![
            Said::new("model", "モデル"),
            Said::new("recall", "正答率"),
            Said::new("loss on facts", "事実の損失"),
            Said::new("loss on other tokens", "他の損失"),
        ],
        rows: rows.iter().map(row).collect(),
    }
}

/// The same prompt with FFNs and without, in both languages.
fn demo(lab: &mut Lab, english: &Trained, means: &MeanOutputs) -> Result<Table> {
    let changes = Settings { backbone: Some(Backbone::Gpt2), data: Some("tales:ja".into()), ..act("gelu") };
    let japanese = lab.knowing(changes)?;
    let japanese = lab.train(&japanese)?;
    let read = &japanese.dataset.val[..TOKENS.min(japanese.dataset.val.len())];
    let own_means = MeanOutputs::over(&japanese.model, read)?;
    let mut rows = Vec::new();
    for (prompt, trained, means) in [("A cat is", english, means), ("\u{732b}は", &japanese, &own_means)] {
        let Trained { model, dataset, .. } = trained;
        let all: Vec<(Half, usize)> = (0..model.config.layers).map(|layer| (Half::Ffn, layer)).collect();
        let without = ablated(model, means, &all)?;
        let with = completion(model, &dataset.tokenizer, prompt)?;
        rows.push([prompt.to_string(), with, completion(&without, &dataset.tokenizer, prompt)?]);
    }
    Ok(Table {
        words: true,
        caption: Said::new("How the most probable text goes on", "最も確からしい続き"),
        head: vec![
            Said::new("prompt", "プロンプト"),
            Said::new("with FFNs", "FFNあり"),
            Said::new("without", "FFNなし"),
        ],
        rows: rows.into_iter().map(|row| row.map(Said::from).to_vec()).collect(),
    })
}

/// Bits per parameter by activation, where the facts were too many to be learned.
fn capacities(lab: &mut Lab) -> Result<Table> {
    let tales = format!("tales:facts={FACTS}");
    let grammar = tales.parse::<Tales>()?.grammar()?;
    let mut rows = Vec::new();
    for name in ["relu", "gelu", "swiglu"] {
        let changes = Settings { data: Some(tales.clone()), dim: Some(32), layers: Some(2), ..act(name) };
        let changes = lab.knowing(changes)?;
        let Trained { model, dataset, .. } = lab.train(&changes)?;
        let (bits, recall) = capacity(&model, &dataset.tokenizer, &grammar, FACTS)?;
        let params = crate::model::ModelSize::new(&model.config).total;
        let per_parameter = match recall < FILLED {
            true => Said::from(fixed(bits / params as f64, 4)),
            false => Said::new("all learned", "すべて学習済み"),
        };
        rows.push(vec![
            name.into(),
            params.to_string().into(),
            percent(recall).into(),
            fixed(bits, 0).into(),
            per_parameter,
        ]);
    }
    Ok(Table {
        words: false,
        caption: Said::new(
            format!("Bits of {FACTS} facts that a model has (Allen-Zhu & Li 2024)"),
            format!("{FACTS}個の事実のうちモデルがもつビット数(Allen-Zhu & Li 2024)"),
        ),
        head: vec![
            Said::new("activation", "活性化関数"),
            Said::new("parameters", "パラメータ"),
            Said::new("recall", "正答率"),
            Said::new("bits", "ビット"),
            Said::new("bits per parameter", "ビット/パラメータ"),
        ],
        rows,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectivity_is_what_recall_loses_per_nat_of_other_loss() {
        let of = |right, other_loss| Knowledge { asked: 10, right, fact_loss: 1.0, other_loss };
        let without = [of(8, 1.1), of(4, 1.5), of(9, 1.2)];
        assert!((selectivity(&of(10, 1.0), without.iter()) - 0.9 / 0.8).abs() < 1e-9);
        assert!((selectivity(&of(10, 1.0), without[..1].iter()) - 2.0).abs() < 1e-9);
    }
}
