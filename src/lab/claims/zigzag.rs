//! Outputs that are not centred on zero bias the updates: a zigzag.

use super::lab::act;
use super::numbers::fixed;
use super::{Claim, Lab, Said, Table, Verdict, sigmoid_note};
use crate::lab::inspect::{Movement, movement};
use crate::settings::Settings;
use crate::support::waiting::waiting;
use anyhow::Result;

const ACTS: [&str; 4] = ["sigmoid", "relu", "gelu", "tanh"];
/// By how much sigmoid must differ from tanh, which is centred on zero.
const DIFFERS: f64 = 0.05;

pub fn measure(lab: &mut Lab) -> Result<Claim> {
    let steps = if lab.deep { 200 } else { 60 };
    let dataset = lab.dataset(&Settings::default())?;
    let mut found = Vec::new();
    let waiting = waiting("watching models train, models");
    for name in ACTS {
        waiting.reached(found.len(), ACTS.len());
        found.push(movement(&lab.recipe(&act(name))?, &dataset, steps)?);
    }
    drop(waiting);
    let (sigmoid, relu, tanh) = (&found[0], &found[1], &found[3]);
    let verdict = judge(sigmoid, tanh);
    let row = |movement: &Movement| {
        let Movement { one_sign_of_a_token: token, one_sign_of_a_batch: batch, .. } = *movement;
        let numbers = [token, batch, movement.gradient_cosine, movement.update_cosine];
        let cells = numbers.iter().map(|number| Said::from(fixed(*number, 2)));
        std::iter::once(Said::from(movement.act.name())).chain(cells).collect()
    };
    let [token, batch, other] =
        [sigmoid.one_sign_of_a_token, sigmoid.one_sign_of_a_batch, tanh.one_sign_of_a_batch]
            .map(|share| fixed(100.0 * share, 0));
    let [turn, tanh_turn] = [sigmoid.gradient_cosine, tanh.gradient_cosine].map(|cosine| fixed(cosine, 2));
    let relu_token = fixed(100.0 * relu.one_sign_of_a_token, 0);
    let (way, way_ja) = match sigmoid.gradient_cosine > tanh.gradient_cosine {
        true => (
            "the updates share a direction and go on in it, which is no zigzag",
            "更新は同じ向きに偏って進み続け、ジグザグではない。",
        ),
        false => ("the updates turn back on each other more", "更新はより折り返す。"),
    };
    Ok(Claim {
        name: "zigzag",
        claim: Said::new(
            "Outputs that are all positive bias the updates of the weights behind them: they zigzag.",
            "出力がすべて正だと、その先の重みの更新が偏り、ジグザグに進む。",
        ),
        source: sigmoid_note("LeCun et al. 1998, 4.3"),
        method: Said::new(
            format!(
                "The FFNs' output matrices in the first {steps} steps of training: per unit, the share of its weights' gradients that have the commoner sign (0.5 is none in common, zeros left out); the cosine between the gradients of two steps in a row, whose batches differ, every tenth step, and between two AdamW updates in a row. Against tanh, which is centred on zero (and steeper): biased if sigmoid's share is higher by 0.05, a zigzag if its gradients' cosine is lower by 0.05."
            ),
            format!(
                "最初の{steps}ステップのFFN出力行列について、ユニットごとに重みの勾配のうち多い方の符号の割合(0は除く。0.5なら偏りなし)と、10ステップごとの連続する2ステップ(バッチは異なる)の勾配のコサイン、AdamWの更新のコサイン。ゼロ中心の(傾きはより急な)tanhと比べ、割合が0.05以上高ければ偏り、コサインが0.05以上低ければジグザグとする。"
            ),
        ),
        verdict,
        answer: Said::new(
            format!(
                "Through one token all of sigmoid's gradients of a unit share a sign ({token}%), and so do ReLU's ({relu_token}%); in a batch of many tokens {batch}% do, with tanh {other}%. The cosine of two gradients in a row is {turn} with sigmoid and {tanh_turn} with tanh: {way}."
            ),
            format!(
                "1トークンだけの損失では、シグモイドのユニットの勾配はすべて同じ符号になる({token}%)。ReLUも同じ({relu_token}%)。多数のトークンからなるバッチでは{batch}%で、tanhは{other}%。連続する勾配のコサインはシグモイドで{turn}、tanhで{tanh_turn}。{way_ja}"
            ),
        ),
        tables: vec![Table {
            words: false,
            caption: Said::new(
                "Gradients and updates of the FFNs' output matrices",
                "FFN出力行列の勾配と更新",
            ),
            head: vec![
                Said::new("activation", "活性化関数"),
                Said::new("one sign, one token", "同符号、1トークン"),
                Said::new("one sign, a batch", "同符号、バッチ"),
                Said::new("cosine of gradients", "勾配のコサイン"),
                Said::new("cosine of AdamW updates", "AdamW更新のコサイン"),
            ],
            rows: found.iter().map(row).collect(),
        }],
        figures: Vec::new(),
    })
}

fn judge(sigmoid: &Movement, tanh: &Movement) -> Verdict {
    Verdict::of(&[
        sigmoid.one_sign_of_a_batch >= tanh.one_sign_of_a_batch + DIFFERS,
        sigmoid.gradient_cosine <= tanh.gradient_cosine - DIFFERS,
    ])
}
