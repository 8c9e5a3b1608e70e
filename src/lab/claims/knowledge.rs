//! The FFN stores knowledge: a cat is an animal.

use super::lab::{Trained, act};
use super::{Lab, Measured, Verdict};
use crate::data::{Tales, questions};
use crate::lab::inspect::{Half, Knowledge, MeanOutputs, ablated, completion, knowledge};
use crate::model::{Model, Params};
use crate::settings::{Backbone, Ops, Settings, TokenizerKind};
use crate::support::numbers::{fixed, percent};
use crate::support::random;
use crate::support::table::Table;
use crate::support::text::Text;
use crate::support::waiting::waiting;
use anyhow::Result;
use candle_core::Device;

/// Questions asked, bytes scored, tokens that means are taken over, and the model's vocabulary.
const QUESTIONS: usize = 120;
const BYTES: usize = 30_000;
const TOKENS: usize = 8192;
const VOCABULARY: usize = 1024;

/// A model with some parts removed.
struct Ablation {
    what: Text,
    found: Knowledge,
}

pub fn measure(lab: &mut Lab) -> Result<Measured> {
    // Tokens of several letters, so that a name and its fact lie close together.
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
    let mut rows = vec![Ablation { what: text!("claims.knowledge.whole"), found: know(model)? }];
    for half in [Half::Ffn, Half::Attention] {
        let name = match half {
            Half::Ffn => text!("claims.knowledge.ffn"),
            Half::Attention => text!("claims.knowledge.attention"),
        };
        for layer in 0..layers {
            lab.following(&waiting)(rows.len(), 2 * layers + 4)?;
            let found = know(&ablated(model, &means, &[(half, layer)])?)?;
            rows.push(Ablation {
                what: text!("claims.knowledge.without", part = name.clone(), layer = layer),
                found,
            });
        }
        let all: Vec<(Half, usize)> = (0..layers).map(|layer| (half, layer)).collect();
        let found = know(&ablated(model, &means, &all)?)?;
        rows.push(Ablation { what: text!("claims.knowledge.without_any", part = name), found });
    }
    let fresh = Params::init(&model.config, 1, &Device::Cpu)?;
    let fresh = Model::new(model.config.clone(), fresh, Ops::Fused)?;
    rows.push(Ablation { what: text!("claims.knowledge.untrained"), found: know(&fresh)? });
    drop(waiting);

    let whole = rows[0].found;
    let (ffns, attentions) = (&rows[1..=layers], &rows[layers + 2..=2 * layers + 1]);
    let (no_ffn, no_attention) = (rows[layers + 1].found, rows[2 * layers + 2].found);
    let selective = |rows: &[Ablation]| selectivity(&whole, rows.iter().map(|row| &row.found));
    // Everything builds on layer 0. It would drown the others.
    let [ffn, ffn_0] = [&ffns[1..], &ffns[..1]].map(selective);
    let [attention, attention_0] = [&attentions[1..], &attentions[..1]].map(selective);
    let half = 0.5 * whole.recall();
    let verdict = Verdict::of(&[
        whole.recall() >= 0.5 && no_ffn.recall() < half && no_attention.recall() >= half,
        ffn > attention,
        ffn_0 > attention_0,
    ]);
    // Points of recall per 0.1 nats.
    let points = |selectivity: f64| fixed(10.0 * selectivity, 1);
    Ok(Measured {
        method: text!("claims.knowledge.method", questions = QUESTIONS),
        verdict,
        answer: text!(
            "claims.knowledge.answer",
            recall = percent(whole.recall()),
            no_ffn = percent(no_ffn.recall()),
            no_attention = percent(no_attention.recall()),
            ffn_cost = fixed(no_ffn.other_loss, 1),
            attention_cost = fixed(no_attention.other_loss, 1),
            ffn = points(ffn),
            attention = points(attention),
            ffn_0 = points(ffn_0),
            attention_0 = points(attention_0),
        ),
        tables: vec![ablations(&rows), demo(lab, &trained, &means)?],
        figures: Vec::new(),
    })
}

/// The recall that a model loses per nat of loss that removing a part costs on other tokens, over several parts
/// together. It's high for parts that hold facts, and low for parts that everything needs.
fn selectivity<'a>(whole: &Knowledge, without: impl Iterator<Item = &'a Knowledge>) -> f64 {
    let (mut recall, mut others) = (0.0, 0.0);
    for found in without {
        recall += whole.recall() - found.recall();
        others += found.other_loss - whole.other_loss;
    }
    recall / others
}

fn ablations(rows: &[Ablation]) -> Table {
    let mut table =
        Table::titled("claims.knowledge.columns").with_caption(text!("claims.knowledge.ablations"));
    for Ablation { what, found } in rows {
        let cells = [percent(found.recall()), fixed(found.fact_loss, 3), fixed(found.other_loss, 3)];
        table.add_row(std::iter::once(what.clone()).chain(cells.map(Text::from)));
    }
    table
}

/// How a prompt continues with FFNs and without, in both languages.
fn demo(lab: &mut Lab, english: &Trained, means: &MeanOutputs) -> Result<Table> {
    let changes = Settings { backbone: Some(Backbone::Gpt2), data: Some("tales:ja".into()), ..act("gelu") };
    let japanese = lab.knowing(changes)?;
    let japanese = lab.train(&japanese)?;
    let read = &japanese.dataset.val[..TOKENS.min(japanese.dataset.val.len())];
    let own_means = MeanOutputs::over(&japanese.model, read)?;
    let mut table = Table::titled("claims.knowledge.continuation_columns")
        .with_words(1..3)
        .with_caption(text!("claims.knowledge.continuation"));
    for (prompt, trained, means) in [("A cat is", english, means), ("\u{732b}は", &japanese, &own_means)] {
        let Trained { model, dataset, .. } = trained;
        let all: Vec<(Half, usize)> = (0..model.config.layers).map(|layer| (Half::Ffn, layer)).collect();
        let without = ablated(model, means, &all)?;
        let with = completion(model, &dataset.tokenizer, prompt)?;
        table.add_row([prompt.to_string(), with, completion(&without, &dataset.tokenizer, prompt)?]);
    }
    Ok(table)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn selectivity_is_lost_recall_per_nat_of_other_loss() {
        let of = |right, other_loss| Knowledge { asked: 10, right, fact_loss: 1.0, other_loss };
        let without = [of(8, 1.1), of(4, 1.5), of(9, 1.2)];
        assert!((selectivity(&of(10, 1.0), without.iter()) - 0.9 / 0.8).abs() < 1e-9);
        assert!((selectivity(&of(10, 1.0), without[..1].iter()) - 2.0).abs() < 1e-9);
    }
}
