//! ReLU is exactly sparse, and its units die.

use super::lab::act;
use super::numbers::{over_layers, percent};
use super::{Claim, Lab, Said, Table, Verdict, ffn_note};
use crate::lab::inspect::Inspection;
use anyhow::Result;

const ACTS: [&str; 5] = ["relu", "gelu", "sigmoid", "tanh", "swiglu"];
/// From how many zeros on a function is sparse, and from how many dead units on units die.
const SPARSE: f64 = 0.1;
const DIE: f64 = 0.01;

pub fn measure(lab: &mut Lab) -> Result<Claim> {
    let mut found = Vec::new();
    for name in ACTS {
        found.push((name, lab.inspect(&act(name))?));
    }
    let zeros = |found: &Inspection| over_layers(found, |layer| layer.hidden.zeros);
    let dead = |found: &Inspection| found.layers.iter().map(|layer| layer.hidden.dead).sum::<usize>();
    let units = |found: &Inspection| found.layers.iter().map(|layer| layer.hidden.units).sum::<usize>();
    let relu = &found[0].1;
    let others_full = found[1..].iter().all(|(_, found)| zeros(found) < SPARSE);
    let before = dead(&lab.inspect_fresh(&act("relu"))?);
    let died = dead(relu).saturating_sub(before) as f64 / units(relu) as f64;
    let verdict = Verdict::of(&[zeros(relu) >= SPARSE && others_full, died >= DIE]);
    let row = |(name, found): &(&str, std::rc::Rc<Inspection>)| {
        let cells = [
            (*name).to_string(),
            percent(zeros(found)),
            dead(found).to_string(),
            found.layers.iter().map(|layer| layer.hidden.always_saturated).sum::<usize>().to_string(),
            units(found).to_string(),
        ];
        cells.map(Said::from).to_vec()
    };
    let (share, count, all, tokens) = (percent(zeros(relu)), dead(relu), units(relu), relu.tokens);
    Ok(Claim {
        name: "sparsity",
        claim: Said::new(
            "ReLU makes hidden units exactly sparse, and some of them die.",
            "ReLUは隠れユニットを厳密に疎にし、一部のユニットは死ぬ。",
        ),
        source: ffn_note("Glorot et al. 2011; Lu et al. 2019"),
        method: Said::new(
            format!(
                "Share of the hidden outputs that are exactly 0 over {tokens} tokens, and units that are 0 at every one of them, in trained models. Sparse: a tenth and more with ReLU, less with the others. Units die if 1% of them and more are dead that were not before training."
            ),
            format!(
                "学習済みモデルで{tokens}トークンにわたり、ちょうど0になる隠れ出力の割合と、すべてのトークンで0のユニット数。ReLUで1割以上、他でそれ未満なら疎。学習前には死んでいなかったユニットの1%以上が常に0になれば死ぬとする。"
            ),
        ),
        verdict,
        answer: Said::new(
            format!(
                "With ReLU {share} of the outputs are exactly 0. Dead, 0 at every token, are {count} of {all} units, and were {before} before training. With the others hardly any is."
            ),
            format!(
                "ReLUでは出力の{share}がちょうど0である。すべてのトークンで0のユニットは{all}個中{count}個(学習前は{before}個)。他の関数ではほとんど0にならない。"
            ),
        ),
        tables: vec![Table {
            words: false,
            caption: Said::new("Zeros and dead units", "ゼロと死んだユニット"),
            head: vec![
                Said::new("activation", "活性化関数"),
                "f(x) = 0".into(),
                Said::new("dead", "常に0"),
                Said::new("always saturated", "常に飽和"),
                Said::new("units", "ユニット"),
            ],
            rows: found.iter().map(row).collect(),
        }],
        figures: Vec::new(),
    })
}
