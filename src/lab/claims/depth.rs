//! A sigmoid network does not scale to depth.

use super::figures::Picture;
use super::lab::act;
use super::numbers::{fixed, signed};
use super::{Claim, Figure, Lab, Said, Table, Verdict, sigmoid_note};
use crate::settings::Settings;
use anyhow::Result;

const ACTS: [&str; 2] = ["gelu", "sigmoid"];
/// What a sigmoid must gain from depth, as a share of what GELU gains, so as not to count as failing to.
const GAINS: f64 = 0.5;

pub fn measure(lab: &mut Lab) -> Result<Claim> {
    let depths: &[usize] = if lab.deep { &[1, 2, 4, 8, 16] } else { &[1, 2, 4, 8] };
    let own = lab.recipe(&Settings::default())?.model(1)?.layers;
    let mut losses = Vec::new();
    for name in ACTS {
        let mut by_depth = Vec::new();
        for &layers in depths {
            let changes = match layers == own {
                true => act(name),
                false => Settings { layers: Some(layers), ..act(name) },
            };
            by_depth.push(lab.train(&changes)?.loss);
        }
        losses.push(by_depth);
    }
    let (shallow, deep) = (depths[0], depths[depths.len() - 1]);
    let gains = [0, 1].map(|i: usize| losses[i][0] - losses[i][depths.len() - 1]);
    let verdict = judge(gains);
    let row = |(layers, i): (&usize, usize)| {
        let values = [losses[0][i], losses[1][i], losses[1][i] - losses[0][i]];
        let cells = values.iter().map(|value| Said::from(fixed(*value, 4)));
        std::iter::once(Said::from(layers.to_string())).chain(cells).collect()
    };
    let curve = |(name, losses): (&&str, &Vec<f64>)| {
        let points = depths.iter().zip(losses).map(|(layers, loss)| (*layers as f64, *loss));
        (name.to_string(), points.collect())
    };
    Ok(Claim {
        name: "depth",
        claim: Said::new(
            "A model with sigmoid does not scale to depth.",
            "シグモイドのモデルは層を深くしても伸びない。",
        ),
        source: sigmoid_note(""),
        method: Said::new(
            format!(
                "Validation loss of models with {shallow} to {deep} layers, trained alike, one seed. Sigmoid does not scale if {deep} layers gain it less than half of what they gain GELU. Seeds differ by some hundredths (see the paired comparison)."
            ),
            format!(
                "同じ条件で学習した{shallow}層から{deep}層のモデルの検証損失(シード1つ)。{deep}層にしたときのシグモイドの改善がGELUの半分未満なら成り立つ。シードによる差は百分の数程度(対の比較を参照)。"
            ),
        ),
        verdict,
        answer: Said::new(
            format!(
                "From {shallow} to {deep} layers the loss changes by {} with GELU and by {} with sigmoid; at {deep} layers sigmoid's is {} and GELU's {}.",
                signed(-gains[0]),
                signed(-gains[1]),
                fixed(losses[1][depths.len() - 1], 3),
                fixed(losses[0][depths.len() - 1], 3)
            ),
            format!(
                "{shallow}層から{deep}層にすると損失はGELUで{}、シグモイドで{}変わる。{deep}層での損失はシグモイドが{}、GELUが{}。",
                signed(-gains[0]),
                signed(-gains[1]),
                fixed(losses[1][depths.len() - 1], 3),
                fixed(losses[0][depths.len() - 1], 3)
            ),
        ),
        tables: vec![Table {
            words: false,
            caption: Said::new("Validation loss, nats per token", "検証損失(ナット/トークン)"),
            head: vec![
                Said::new("layers", "層"),
                "gelu".into(),
                "sigmoid".into(),
                Said::new("difference", "差"),
            ],
            rows: depths.iter().zip(0..).map(row).collect(),
        }],
        figures: vec![Figure {
            stem: "loss-by-depth",
            title: Said::new("Loss by depth", "深さと損失"),
            meaning: Said::new(
                format!(
                    "{deep} layers instead of {shallow} are worth {} to sigmoid and {} to GELU.",
                    fixed(gains[1], 3),
                    fixed(gains[0], 3)
                ),
                format!(
                    "{shallow}層を{deep}層にする価値は、シグモイドで{}、GELUで{}である。",
                    fixed(gains[1], 3),
                    fixed(gains[0], 3)
                ),
            ),
            picture: Picture::Lines {
                x: "layers",
                y: "validation loss, nats per token",
                y_log: false,
                series: ACTS.iter().zip(&losses).map(curve).collect(),
            },
        }],
    })
}

/// From what GELU and sigmoid gain from depth.
fn judge([gelu, sigmoid]: [f64; 2]) -> Verdict {
    match sigmoid / gelu {
        _ if gelu <= 0.0 => Verdict::Depends,
        share if share < GAINS => Verdict::Held,
        _ => Verdict::Failed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_verdict_follows_the_gains() {
        assert_eq!(judge([0.1, 0.02]), Verdict::Held);
        assert_eq!(judge([0.1, -0.02]), Verdict::Held);
        assert_eq!(judge([0.1, 0.07]), Verdict::Failed);
        assert_eq!(judge([0.1, 0.2]), Verdict::Failed);
        assert_eq!(judge([-0.1, -0.2]), Verdict::Depends);
    }
}
