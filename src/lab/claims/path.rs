//! An FFN expands each token's vector to four times its width, activates, and compresses it again.

use super::figures::{Figure, Picture};
use super::lab::act;
use super::{Lab, Measured, Verdict};
use crate::support::numbers::{grouped, ratio};
use crate::support::table::Table;
use anyhow::Result;

pub fn measure(lab: &mut Lab) -> Result<Measured> {
    let mut table = Table::titled("claims.path.columns").with_caption(text!("claims.path.caption"));
    let (mut found, mut figures) = (Vec::new(), Vec::new());
    for name in ["gelu", "swiglu"] {
        let config = lab.train(&act(name))?.model.config.clone();
        let (act, input, hidden) = (config.act, config.dim, config.ffn_dim);
        let up = if act.is_gated() { "2 \u{d7} " } else { "" };
        table.add_row([
            name.to_string(),
            input.to_string(),
            hidden.to_string(),
            input.to_string(),
            format!("{up}({input}, {hidden}), ({hidden}, {input})"),
            grouped(act.ffn_matrices() * input * hidden),
        ]);
        let (stem, meaning) = match act.is_gated() {
            true => ("path-gated", text!("claims.path.gated")),
            false => ("path", text!("claims.path.ungated")),
        };
        let picture = Picture::Path { input, hidden, act };
        figures.push(Figure { stem, title: text!("claims.path.title", act = name), meaning, picture });
        found.push((input, hidden));
    }
    let times = |(input, hidden): (usize, usize)| hidden as f64 / input as f64;
    let (ungated, gated) = (found[0], found[1]);
    Ok(Measured {
        method: text!("claims.path.method"),
        verdict: Verdict::of(&[times(ungated) == 4.0, times(gated) == 4.0]),
        answer: text!(
            "claims.path.answer",
            input = ungated.0,
            hidden = ungated.1,
            output = ungated.0,
            times = ratio(times(ungated)),
            gated = ratio(times(gated)),
        ),
        tables: vec![table],
        figures,
    })
}
