//! Smooth and gated activations are more expressive.

use super::figures::{Arguments, Picture, Shown};
use super::lab::act;
use super::numbers::{fixed, percent};
use super::paired::{compared, table};
use super::{Claim, Figure, Lab, Said, Verdict, ffn_note};
use anyhow::Result;

pub fn measure(lab: &mut Lab) -> Result<Claim> {
    let pairs = [("gelu", "relu"), ("swiglu", "relu")];
    let tested = compared(lab, &pairs)?;
    let is_better = |i: usize| tested[i].interval.is_some_and(|(_, high)| high < 0.0);
    let verdict = Verdict::of(&[is_better(0), is_better(1)]);
    let names = ["relu", "gelu", "swiglu"];
    let mut models = Vec::new();
    for name in names {
        models.push(Arguments::of(name, &*lab.inspect(&act(name))?));
    }
    let near = models[1].histogram.between(-1.0, 1.0);
    let [gelu, swiglu] = [0, 1].map(|i: usize| {
        let (low, high) = tested[i].interval.unwrap_or((f64::NAN, f64::NAN));
        [tested[i].summary.mean, low, high].map(|number| fixed(number, 3))
    });
    Ok(Claim {
        name: "expressive",
        claim: Said::new(
            "GELU and SwiGLU are more expressive than ReLU: smooth, and gated.",
            "GELUとSwiGLUはReLUより表現力が高い。GELUは滑らかで、SwiGLUはゲートをもつからである。",
        ),
        source: ffn_note("Hendrycks & Gimpel 2016; Ramachandran et al. 2017; Shazeer 2020"),
        method: Said::new(
            "What expressiveness should give: a lower validation loss with as many parameters after as many steps, paired by seed; that measures learning as much. It holds for each of the two whose interval is below 0.",
            "表現力が高ければ、同じパラメータ数と同じステップ数で検証損失が下がるはずである(シードごとの対。学習のしやすさも含む)。区間が0を下回った方について成り立つ。",
        ),
        verdict,
        answer: Said::new(
            format!(
                "Against ReLU's loss GELU's differs by {} ({} to {}) and SwiGLU's by {} ({} to {}).",
                gelu[0], gelu[1], gelu[2], swiglu[0], swiglu[1], swiglu[2]
            ),
            format!(
                "ReLUの損失との差はGELUで{}({}〜{})、SwiGLUで{}({}〜{})。",
                gelu[0], gelu[1], gelu[2], swiglu[0], swiglu[1], swiglu[2]
            ),
        ),
        tables: vec![table(&pairs, &tested)],
        figures: vec![Figure {
            stem: "functions",
            title: Said::new("f where the model uses it", "モデルが使うところでのf"),
            meaning: Said::new(
                format!(
                    "Smooth or not differs near the bend: {} of GELU's inputs lie within 1 of it.",
                    percent(near)
                ),
                format!(
                    "滑らかさの違いは折れ目の近くに現れる。GELUの入力の{}がそこから1以内にある。",
                    percent(near)
                ),
            ),
            picture: Picture::Functions { what: Shown::Value, models },
        }],
    })
}
