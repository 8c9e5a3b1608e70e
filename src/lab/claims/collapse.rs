//! Without an activation, the two matrices of an FFN are one matrix.

use super::figures::{Figure, Picture};
use super::lab::act;
use super::{Lab, Measured, Verdict};
use crate::support::numbers::{fixed, percent};
use crate::support::table::{Table, label, number};
use anyhow::Result;

const ACTS: [&str; 5] = ["identity", "relu", "gelu", "sigmoid", "swiglu"];
/// An FFN with at least this R2 is one linear map, up to rounding in f32.
const LINEAR: f64 = 0.9999;

pub fn measure(lab: &mut Lab) -> Result<Measured> {
    // R2 by layer. NaN if there were too few tokens.
    let mut found: Vec<(&str, Vec<f64>)> = Vec::new();
    for name in ACTS {
        let layers = &lab.inspect(&act(name))?.layers;
        found.push((name, layers.iter().map(|layer| layer.linear.r2.unwrap_or(f64::NAN)).collect()));
    }
    let layers = (0..found[0].1.len()).map(|layer| number(text!("claims.layer", layer = layer)));
    let columns = std::iter::once(label(text!("claims.activation"))).chain(layers);
    let mut table = Table::new(columns).with_caption(text!("claims.collapse.caption"));
    for (name, r2) in &found {
        let cells = r2.iter().map(|r2| fixed(*r2, 4));
        table.add_row(std::iter::once(name.to_string()).chain(cells));
    }
    let line = |(name, r2): &(&str, Vec<f64>)| {
        (name.to_string(), r2.iter().enumerate().map(|(layer, r2)| (layer as f64, *r2)).collect())
    };
    let series = found.iter().map(line).collect();
    let own = found[0].1.iter().copied().fold(f64::INFINITY, f64::min);
    let mut others: Vec<(f64, &str)> =
        found[1..].iter().flat_map(|(name, r2)| r2.iter().map(move |r2| (*r2, *name))).collect();
    others.sort_by(|a, b| a.0.total_cmp(&b.0));
    let (lowest, least) = others.first().copied().unwrap_or((f64::NAN, ""));
    let (highest, most) = others.last().copied().unwrap_or((f64::NAN, ""));
    Ok(Measured {
        method: text!("claims.collapse.method"),
        verdict: Verdict::of(&[
            found[0].1.iter().all(|r2| *r2 >= LINEAR),
            others.iter().all(|(r2, _)| *r2 < LINEAR),
        ]),
        answer: text!(
            "claims.collapse.answer",
            // 1 up to rounding.
            own = if own >= LINEAR { "1".to_string() } else { fixed(own, 4) },
            lowest = fixed(lowest, 3),
            least = least,
            highest = fixed(highest, 3),
            most = most,
        ),
        tables: vec![table],
        figures: vec![Figure {
            stem: "linear-r2",
            title: text!("claims.collapse.title"),
            meaning: text!("claims.collapse.meaning", least = least, share = percent(1.0 - lowest)),
            picture: Picture::Lines {
                x: text!("chart.layer"),
                y: text!("claims.collapse.r2"),
                is_log: false,
                series,
            },
        }],
    })
}
