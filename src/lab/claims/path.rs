//! An FFN expands each token's vector to four times its width, activates, and compresses it again.

use super::figures::Picture;
use super::lab::{Trained, act};
use super::numbers::ratio;
use super::{Claim, Figure, Lab, Said, Table, Verdict, ffn_note};
use crate::model::{Pass, Site};
use crate::settings::ModelConfig;
use crate::support::output::grouped;
use anyhow::Result;
use candle_core::Tensor;

/// The widths of what goes into an FFN, of its hidden units, and of what comes out.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Widths {
    input: usize,
    hidden: usize,
    output: usize,
}

impl Widths {
    fn expansion(&self) -> f64 {
        self.hidden as f64 / self.input as f64
    }

    fn compresses(&self) -> bool {
        self.output == self.input
    }
}

pub fn measure(lab: &mut Lab) -> Result<Claim> {
    let names = ["gelu", "swiglu"];
    let mut seen = Vec::new();
    for name in names {
        let trained = lab.train(&act(name))?;
        seen.push((name, widths(&trained)?, trained.model.config.clone()));
    }
    let four_times = |widths: &Widths| widths.expansion() == 4.0 && widths.compresses();
    let verdict = Verdict::of(&[four_times(&seen[0].1), four_times(&seen[1].1)]);
    let (plain, gated) = (seen[0].1, seen[1].1);
    let [wide, narrow] = [plain, gated].map(|widths| ratio(widths.expansion()));
    let row = |(name, widths, config): &(&str, Widths, ModelConfig)| {
        let matrices = if config.act.gated {
            format!("2 \u{d7} ({}, {}), ({}, {})", widths.input, widths.hidden, widths.hidden, widths.output)
        } else {
            format!("({}, {}), ({}, {})", widths.input, widths.hidden, widths.hidden, widths.output)
        };
        let weights = config.act.ffn_matrices() * widths.input * widths.hidden;
        [(*name).to_string(), widths.input.to_string(), widths.hidden.to_string(), widths.output.to_string()]
            .into_iter()
            .chain([matrices, grouped(weights)])
            .map(Said::from)
            .collect()
    };
    Ok(Claim {
        name: "path",
        claim: Said::new(
            "An FFN expands a token's vector 4 times, activates it, and compresses it again.",
            "FFNは各トークンのベクトルを4倍に拡大し、活性化し、元の大きさに戻す。",
        ),
        source: ffn_note("Vaswani et al. 2017, 3.3; Shazeer 2020"),
        method: Said::new(
            "The shapes of what passes through the first FFN of trained models while they read 64 tokens. It holds for a model whose hidden units are 4 times as many as its width.",
            "学習済みモデルに64トークンを読ませたとき、最初のFFNを通るデータの形。隠れユニットが幅の4倍なら成り立つ。",
        ),
        verdict,
        answer: Said::new(
            format!(
                "{} \u{2192} {} \u{2192} {}, {wide} times, without a gate. A gated FFN has three matrices and expands {narrow} times, so that it has about as many parameters.",
                plain.input, plain.hidden, plain.output
            ),
            format!(
                "ゲートなしでは{} \u{2192} {} \u{2192} {}で{wide}倍。ゲートつきFFNは行列が3つあり、パラメータ数をほぼそろえるため{narrow}倍である。",
                plain.input, plain.hidden, plain.output
            ),
        ),
        tables: vec![Table {
            words: false,
            caption: Said::new("Widths on the way", "途中の幅"),
            head: vec![
                Said::new("activation", "活性化関数"),
                Said::new("input", "入力"),
                Said::new("hidden", "隠れ"),
                Said::new("output", "出力"),
                Said::new("matrices", "行列"),
                Said::new("weights", "重み"),
            ],
            rows: seen.iter().map(row).collect(),
        }],
        figures: seen.iter().map(|(name, widths, config)| figure(name, widths, config.act.gated)).collect(),
    })
}

fn figure(name: &str, widths: &Widths, gated: bool) -> Figure {
    let (stem, meaning) = match gated {
        true => (
            "path-gated",
            Said::new(
                "f of one product decides how much of another passes.",
                "一方の積のfが、もう一方をどれだけ通すかを決める。",
            ),
        ),
        false => (
            "path",
            Said::new(
                "Each token goes this way by itself: nothing passes between tokens here.",
                "各トークンは単独でこの道を通り、ここではトークン間のやりとりはない。",
            ),
        ),
    };
    let title = Said::new(
        format!("One token on its way through an FFN: {name}"),
        format!("FFNを通る1トークン: {name}"),
    );
    let picture = Picture::Flow { input: widths.input, hidden: widths.hidden, gated };
    Figure { stem, title, meaning, picture }
}

/// The widths seen in the first FFN of a model.
fn widths(Trained { model, dataset, .. }: &Trained) -> Result<Widths> {
    let ids = &dataset.val[..model.config.context.min(dataset.val.len())];
    let mut seen = Widths { input: 0, hidden: 0, output: 0 };
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
