//! A model with sigmoid doesn't scale to depth.

use super::figures::{Figure, Picture};
use super::lab::act;
use super::{Lab, Measured, Verdict};
use crate::settings::Settings;
use crate::support::numbers::{fixed, signed};
use crate::support::table::Table;
use anyhow::Result;

const ACTS: [&str; 2] = ["gelu", "sigmoid"];
/// Sigmoid scales if depth gains it at least this share of what it gains GELU.
const GAINS: f64 = 0.5;

pub fn measure(lab: &mut Lab) -> Result<Measured> {
    let depths: &[usize] = if lab.deep { &[1, 2, 4, 8, 16] } else { &[1, 2, 4, 8] };
    let own = lab.recipe(&Settings::default())?.model(1)?.layers;
    // Losses by depth, of GELU and of sigmoid.
    let mut losses: [Vec<f64>; 2] = Default::default();
    for (name, losses) in ACTS.iter().zip(&mut losses) {
        for &layers in depths {
            let changes = match layers == own {
                true => act(name),
                false => Settings { layers: Some(layers), ..act(name) },
            };
            losses.push(lab.train(&changes)?.loss);
        }
    }
    let mut table = Table::titled("claims.depth.columns").with_caption(text!("claims.depth.caption"));
    for (i, layers) in depths.iter().enumerate() {
        let [gelu, sigmoid] = [losses[0][i], losses[1][i]];
        let cells = [gelu, sigmoid, sigmoid - gelu].map(|loss| fixed(loss, 4));
        table.add_row([layers.to_string()].into_iter().chain(cells));
    }
    let series = ACTS.iter().zip(&losses).map(|(name, losses)| {
        let points = depths.iter().zip(losses).map(|(layers, loss)| (*layers as f64, *loss));
        (name.to_string(), points.collect())
    });
    let last = depths.len() - 1;
    let (shallow, deep) = (depths[0], depths[last]);
    let gains = [&losses[0], &losses[1]].map(|losses| losses[0] - losses[last]);
    Ok(Measured {
        method: text!("claims.depth.method", shallow = shallow, deep = deep),
        verdict: judge(gains),
        answer: text!(
            "claims.depth.answer",
            shallow = shallow,
            deep = deep,
            gelu = signed(-gains[0], 3),
            sigmoid = signed(-gains[1], 3),
            sigmoid_loss = fixed(losses[1][last], 3),
            gelu_loss = fixed(losses[0][last], 3),
        ),
        tables: vec![table],
        figures: vec![Figure {
            stem: "loss-by-depth",
            title: text!("claims.depth.title"),
            meaning: text!(
                "claims.depth.meaning",
                shallow = shallow,
                deep = deep,
                sigmoid = fixed(gains[1], 3),
                gelu = fixed(gains[0], 3),
            ),
            picture: Picture::Lines {
                x: text!("claims.depth.layers"),
                y: text!("compare.chart.validation_loss"),
                is_log: false,
                series: series.collect(),
            },
        }],
    })
}

/// The verdict on what GELU and sigmoid gain from depth.
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
    fn the_depth_verdict_follows_the_gains() {
        assert_eq!(judge([0.1, 0.02]), Verdict::Held);
        assert_eq!(judge([0.1, -0.02]), Verdict::Held);
        assert_eq!(judge([0.1, 0.07]), Verdict::Failed);
        assert_eq!(judge([0.1, 0.2]), Verdict::Failed);
        assert_eq!(judge([-0.1, -0.2]), Verdict::Depends);
    }
}
