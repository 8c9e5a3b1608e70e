//! A sigmoid at the output gives no distribution over tokens; softmax does.

use super::numbers::{fixed, percent};
use super::{Claim, Lab, Said, Table, Verdict, sigmoid_note};
use crate::lab::inspect::{Output, Outputs, train_output};
use crate::settings::Settings;
use crate::support::waiting::waiting;
use anyhow::Result;

/// Validation tokens read.
const READ: usize = 8192;
/// A distribution's sum may be off by rounding at hardly any token.
const OFF: f64 = 0.01;

pub fn measure(lab: &mut Lab) -> Result<Claim> {
    let steps = lab.output_steps()?;
    let dataset = lab.dataset(&Settings::default())?;
    let recipe = lab.recipe(&Settings::default())?;
    let train = |output| {
        let waiting = waiting(format!("training with {output:?} as the output, steps"));
        train_output(&recipe, &dataset, output, steps, READ, &mut lab.following(&waiting))
    };
    let (softmax, sigmoid) = (train(Output::Softmax)?, train(Output::Sigmoid)?);
    let verdict = Verdict::of(&[sigmoid.off > OFF, softmax.off <= OFF]);
    let row = |(name, found): (&str, &Outputs)| {
        let cells = [
            fixed(found.sum, 3),
            format!("{} \u{2026} {}", fixed(found.sum_low, 3), fixed(found.sum_high, 3)),
            percent(found.off),
            fixed(found.loss, 4),
            fixed(found.loss.exp(), 2),
        ];
        std::iter::once(name.to_string()).chain(cells).map(Said::from).collect()
    };
    let (low, high) = (fixed(sigmoid.sum_low, 2), fixed(sigmoid.sum_high, 2));
    let (off, mean) = (percent(sigmoid.off), fixed(sigmoid.sum, 2));
    let (own, other) = (fixed(sigmoid.loss.exp(), 2), fixed(softmax.loss.exp(), 2));
    Ok(Claim {
        name: "output",
        claim: Said::new(
            "A sigmoid at the output gives no probability distribution over the tokens; softmax does.",
            "出力にシグモイドを使うとトークンの確率分布にならない。softmaxならなる。",
        ),
        source: sigmoid_note(""),
        method: Said::new(
            format!(
                "The same model trained for {steps} steps twice: with softmax and cross-entropy, and with a sigmoid per token and binary cross-entropy, which starts at 1/V for every token. The sum of all probabilities at {} tokens; perplexity after dividing by it. Held if sigmoid's sum is more than 1% off 1 at more than 1% of the tokens, and softmax's is not.",
                softmax.tokens
            ),
            format!(
                "同じモデルを{steps}ステップ、softmaxと交差エントロピー、およびトークンごとのシグモイドと二値交差エントロピー(初期確率は1/V)で学習。{}トークンでの確率の総和と、総和で割った後のパープレキシティ。シグモイドの総和が1から1%を超えてずれるトークンが1%を超え、softmaxではそうならないとき成り立つ。",
                softmax.tokens
            ),
        ),
        verdict,
        answer: Said::new(
            format!(
                "The sigmoids' sum is {mean} in the mean, but off by more than 1% at {off} of the tokens: {low} to {high} between 5 and 95% of them. Divided by it, perplexity is {own}; with softmax it is {other}."
            ),
            format!(
                "シグモイドの総和は平均{mean}だが、{off}のトークンで1%を超えてずれ、5〜95%の範囲で{low}〜{high}。総和で割ったパープレキシティは{own}、softmaxでは{other}。"
            ),
        ),
        tables: vec![Table {
            words: false,
            caption: Said::new("Two outputs, trained alike", "同じ条件で学習した2つの出力"),
            head: vec![
                Said::new("output", "出力"),
                Said::new("mean sum", "総和の平均"),
                Said::new("5 \u{2026} 95% of the tokens", "5〜95%の範囲"),
                Said::new("off by more than 1%", "1%を超えるずれ"),
                Said::new("loss, divided by the sum", "総和で割った損失"),
                Said::new("perplexity", "パープレキシティ"),
            ],
            rows: [("softmax", &softmax), ("sigmoid", &sigmoid)].map(row).to_vec(),
        }],
        figures: Vec::new(),
    })
}
