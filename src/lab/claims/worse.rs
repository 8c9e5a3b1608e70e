//! Sigmoid is worse in practice.

use super::lab::Lab;
use super::numbers::fixed;
use super::paired::{compared, losses, table};
use super::{Claim, Said, Verdict, sigmoid_note};
use crate::lab::compare::Tested;
use anyhow::Result;

pub fn measure(lab: &mut Lab) -> Result<Claim> {
    let pairs = [("sigmoid", "relu"), ("sigmoid", "gelu")];
    let tested = compared(lab, &pairs)?;
    let verdict = Verdict::of(&[is_worse(&tested[0]), is_worse(&tested[1])]);
    let relu = losses(lab, "relu")?.iter().sum::<f64>() / tested[0].summary.n as f64;
    let mean = tested[0].summary.mean;
    let share = fixed(100.0 * mean / relu, 1);
    let (low, high) = tested[0].interval.unwrap_or((f64::NAN, f64::NAN));
    let (mean, low, high) = (fixed(mean, 3), fixed(low, 3), fixed(high, 3));
    Ok(Claim {
        name: "worse",
        claim: Said::new(
            "In practice models with sigmoid are worse.",
            "実際にシグモイドのモデルは性能が劣る。",
        ),
        source: sigmoid_note("Narang et al. 2021"),
        method: Said::new(
            format!(
                "Final validation loss of models that differ in nothing else, paired by {} seeds. Held if the intervals of sigmoid's differences to ReLU and to GELU both lie above 0 (95% together, Holm).",
                tested[0].summary.n
            ),
            format!(
                "活性化関数だけが違うモデルの最終検証損失({}シードの対)。ReLUとGELUに対するシグモイドの差の区間がどちらも0より上なら成り立つ(ホルムの方法で合わせて95%)。",
                tested[0].summary.n
            ),
        ),
        verdict,
        answer: Said::new(
            format!(
                "Sigmoid's loss is {mean} ({low} to {high}) above ReLU's, {share}% of it, at one learning rate and after a short training. Narang et al. (223M parameters) saw 2.291 against 2.182 early, 5.0%, and 1.867 against 1.838 at the end, 1.6%."
            ),
            format!(
                "ひとつの学習率と短い学習で、シグモイドの損失はReLUより{mean}({low}〜{high})高く、その{share}%にあたる。Narangら(2億2300万パラメータ)では学習初期に2.291対2.182(5.0%)、最後は1.867対1.838(1.6%)だった。"
            ),
        ),
        tables: vec![table(&pairs, &tested)],
        figures: Vec::new(),
    })
}

/// Whether the first of a pair has the higher loss, surely.
fn is_worse(tested: &Tested) -> bool {
    tested.interval.is_some_and(|(low, _)| low > 0.0)
}
