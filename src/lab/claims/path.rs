//! An FFN expands each token's vector to four times its width, activates, and compresses it again.

use super::figures::{Figure, Picture};
use super::lab::{Trained, act};
use super::{Claim, Lab, Verdict};
use crate::model::{Pass, Site};
use crate::support::numbers::{grouped, ratio};
use crate::support::table::{Table, label, number};
use anyhow::Result;
use candle_core::Tensor;

/// The widths of an FFN's input, its hidden units, and its output.
#[derive(Clone, Copy, Debug, Default)]
struct Widths {
    input: usize,
    hidden: usize,
    output: usize,
}

impl Widths {
    fn expansion(&self) -> f64 {
        self.hidden as f64 / self.input as f64
    }

    fn expands_four_times(&self) -> bool {
        self.expansion() == 4.0 && self.output == self.input
    }
}

pub fn measure(lab: &mut Lab) -> Result<Claim> {
    let mut table = Table::new([
        label(text!("claims.activation")),
        number(text!("claims.path.input")),
        number(text!("claims.path.hidden")),
        number(text!("claims.path.output")),
        number(text!("claims.path.matrices")),
        number(text!("claims.path.weights")),
    ])
    .with_caption(text!("claims.path.caption"));
    let (mut found, mut figures) = (Vec::new(), Vec::new());
    for name in ["gelu", "swiglu"] {
        let trained = lab.train(&act(name))?;
        let widths = widths(&trained)?;
        let Widths { input, hidden, output } = widths;
        let act = trained.model.config.act;
        let up = if act.gated { "2 \u{d7} " } else { "" };
        table.add_row([
            name.to_string(),
            input.to_string(),
            hidden.to_string(),
            output.to_string(),
            format!("{up}({input}, {hidden}), ({hidden}, {output})"),
            grouped(act.ffn_matrices() * input * hidden),
        ]);
        let (stem, meaning) = match act.gated {
            true => ("path-gated", text!("claims.path.gated")),
            false => ("path", text!("claims.path.ungated")),
        };
        let picture = Picture::Path { input, hidden, act };
        figures.push(Figure { stem, title: text!("claims.path.title", act = name), meaning, picture });
        found.push(widths);
    }
    let (ungated, gated) = (found[0], found[1]);
    Ok(Claim {
        name: "path",
        claim: text!("claims.path.claim"),
        source: text!("claims.path.source"),
        method: text!("claims.path.method"),
        verdict: Verdict::of(&[ungated.expands_four_times(), gated.expands_four_times()]),
        answer: text!(
            "claims.path.answer",
            input = ungated.input,
            hidden = ungated.hidden,
            output = ungated.output,
            times = ratio(ungated.expansion()),
            gated = ratio(gated.expansion()),
        ),
        tables: vec![table],
        figures,
    })
}

/// The widths in the first FFN of a model that reads one context.
fn widths(Trained { model, dataset, .. }: &Trained) -> Result<Widths> {
    let ids = &dataset.val[..model.config.context.min(dataset.val.len())];
    let mut seen = Widths::default();
    let mut observer = |site: Site, layer: usize, x: &Tensor| {
        let width = x.dims().last().copied().unwrap_or_default();
        match site {
            Site::FfnInput if layer == 0 => seen.input = width,
            Site::FfnHidden if layer == 0 => seen.hidden = width,
            Site::FfnOutput if layer == 0 => seen.output = width,
            _ => {}
        }
    };
    let ids = Tensor::from_slice(ids, (1, ids.len()), model.device())?;
    model.gpt.observe(&ids, &mut Pass::default(), &mut observer)?;
    Ok(seen)
}
