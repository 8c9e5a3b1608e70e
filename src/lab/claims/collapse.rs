//! Without an activation the two matrices of an FFN are one matrix.

use super::figures::Picture;
use super::lab::act;
use super::numbers::{fixed, percent};
use super::{Claim, Figure, Lab, Said, Table, Verdict, ffn_note};
use crate::lab::inspect::Inspection;
use anyhow::Result;

const ACTS: [&str; 5] = ["identity", "relu", "gelu", "sigmoid", "swiglu"];
/// From which R2 on an FFN is one linear map, up to rounding in f32.
const LINEAR: f64 = 0.9999;

pub fn measure(lab: &mut Lab) -> Result<Claim> {
    let mut found = Vec::new();
    for name in ACTS {
        found.push((name, r2(&*lab.inspect(&act(name))?)));
    }
    let all_linear = |r2: &[f64]| r2.iter().all(|r2| *r2 >= LINEAR);
    let others_bend = found[1..].iter().flat_map(|(_, r2)| r2).all(|r2| *r2 < LINEAR);
    let verdict = Verdict::of(&[all_linear(&found[0].1), others_bend]);
    let (lowest, of) = found[1..]
        .iter()
        .flat_map(|(name, r2)| r2.iter().map(move |r2| (*r2, *name)))
        .min_by(|a, b| a.0.total_cmp(&b.0))
        .unwrap_or((f64::NAN, ""));
    let (highest, most) = found[1..]
        .iter()
        .flat_map(|(name, r2)| r2.iter().map(move |r2| (*r2, *name)))
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .unwrap_or((f64::NAN, ""));
    let own = found[0].1.iter().copied().fold(f64::INFINITY, f64::min);
    let layers = found[0].1.len();
    let row = |(name, r2): &(&str, Vec<f64>)| {
        std::iter::once(Said::from(*name)).chain(r2.iter().map(|r2| Said::from(fixed(*r2, 4)))).collect()
    };
    let curve = |(name, r2): &(&str, Vec<f64>)| {
        (name.to_string(), r2.iter().enumerate().map(|(layer, r2)| (layer as f64, *r2)).collect())
    };
    let head = (0..layers).map(|layer| Said::new(format!("layer {layer}"), format!("層{layer}")));
    Ok(Claim {
        name: "collapse",
        claim: Said::new(
            "Without an activation the two layers of an FFN collapse into one matrix.",
            "活性化関数がなければFFNの2層は1つの行列につぶれる。",
        ),
        source: ffn_note(""),
        method: Said::new(
            "R\u{b2} of the best linear map from an FFN's input to its output, fitted by least squares on three quarters of the tokens and scored on the last, in trained models. One matrix: 0.9999 and more in every layer with the identity, and in no layer with any other.",
            "学習済みモデルのFFNの入力から出力への最良の線形写像のR\u{b2}(トークンの4分の3で当てはめ、残りで評価)。恒等関数で全層0.9999以上、他の関数ではどの層もそれ未満なら成り立つ。",
        ),
        verdict,
        answer: Said::new(
            format!(
                "With the identity R\u{b2} is {} in every layer: one matrix does what two did. With an activation it lies between {} ({of}) and {} ({most}).",
                at_least(own),
                fixed(lowest, 3),
                fixed(highest, 3)
            ),
            format!(
                "恒等関数ではどの層でもR\u{b2}は{}で、2つの行列の働きを1つの行列がする。活性化関数があれば{}({of})から{}({most})の間にある。",
                at_least(own),
                fixed(lowest, 3),
                fixed(highest, 3)
            ),
        ),
        tables: vec![Table {
            words: false,
            caption: Said::new("R\u{b2} of the best linear map, by layer", "最良の線形写像のR\u{b2}(層ごと)"),
            head: std::iter::once(Said::new("activation", "活性化関数")).chain(head).collect(),
            rows: found.iter().map(row).collect(),
        }],
        figures: vec![Figure {
            stem: "linear-r2",
            title: Said::new("How linear the FFNs are", "FFNはどれだけ線形か"),
            meaning: Said::new(
                format!(
                    "What is missing from 1 is what the activation does, and in a gated FFN the product: most with {of}, {} of the variance of an FFN's output.",
                    percent(1.0 - lowest)
                ),
                format!(
                    "1に足りない分が活性化関数(ゲートつきFFNでは積も)の働きである。最大は{of}で、FFNの出力の分散の{}。",
                    percent(1.0 - lowest)
                ),
            ),
            picture: Picture::Lines {
                x: "layer",
                y: "R\u{b2} of the best linear map",
                y_log: false,
                series: found.iter().map(curve).collect(),
            },
        }],
    })
}

/// An R2 as a sentence says it: 1 where it is but for rounding.
fn at_least(r2: f64) -> String {
    if r2 >= LINEAR { "1".to_string() } else { fixed(r2, 4) }
}

/// R2 by layer; not a number where there were too few tokens.
fn r2(inspection: &Inspection) -> Vec<f64> {
    inspection.layers.iter().map(|layer| layer.linear.r2.unwrap_or(f64::NAN)).collect()
}
