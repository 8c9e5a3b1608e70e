//! A sigmoid's outputs are not centred on zero; GELU's are.

use super::lab::act;
use super::numbers::{fixed, over_layers};
use super::{Claim, Lab, Said, Table, Verdict, sigmoid_note};
use crate::activation::Activation;
use crate::lab::inspect::on_standard_normal;
use anyhow::Result;

const ACTS: [&str; 6] = ["sigmoid", "relu", "gelu", "silu", "tanh", "identity"];
/// Of those, the ones that a model is trained with.
const TRAINED: [&str; 5] = ["sigmoid", "relu", "gelu", "tanh", "identity"];
/// A mean within this many standard deviations of 0 counts as centred.
const CENTRED: f64 = 0.1;

pub fn measure(lab: &mut Lab) -> Result<Claim> {
    let mut rows = Vec::new();
    for name in ACTS {
        let normal = on_standard_normal(name.parse::<Activation>()?.function);
        let mut row = vec![name.to_string(), fixed(normal.mean, 2), fixed(normal.std, 2)];
        if TRAINED.contains(&name) {
            let found = lab.inspect(&act(name))?;
            row.push(fixed(over_layers(&found, |layer| layer.hidden.output.mean), 2));
            row.push(fixed(over_layers(&found, |layer| layer.hidden.output.std), 2));
        } else {
            row.extend(["\u{2013}".to_string(), "\u{2013}".to_string()]);
        }
        rows.push(row.into_iter().map(Said::from).collect());
    }
    let relative = |name: &str| -> Result<f64> {
        let normal = on_standard_normal(name.parse::<Activation>()?.function);
        Ok(normal.mean / normal.std)
    };
    let (sigmoid, gelu) = (relative("sigmoid")?, relative("gelu")?);
    let verdict = Verdict::of(&[sigmoid.abs() > CENTRED, gelu.abs() <= CENTRED]);
    let in_model = lab.inspect(&act("gelu"))?;
    let in_model = fixed(over_layers(&in_model, |layer| layer.hidden.output.mean), 2);
    let [sigmoid, gelu] = ["sigmoid", "gelu"]
        .map(|name| name.parse::<Activation>().map(|act| on_standard_normal(act.function).mean));
    let (sigmoid, gelu) = (fixed(sigmoid?, 2), fixed(gelu?, 2));
    Ok(Claim {
        name: "centring",
        claim: Said::new(
            "Sigmoid's outputs are not centred on zero. GELU's are.",
            "シグモイドの出力はゼロ中心でない。GELUの出力はゼロ中心である。",
        ),
        source: sigmoid_note("LeCun et al. 1998"),
        method: Said::new(
            "Mean and standard deviation of f(x), for x from a standard normal distribution (by integration) and, over all units, in a trained model. Judged on N(0, 1): centred is a mean within a tenth of the standard deviation of 0.",
            "標準正規分布の入力に対するf(x)の平均と標準偏差(数値積分)、および学習済みモデルの全ユニットでの値。判定はN(0, 1)で行い、平均が標準偏差の十分の一以内ならゼロ中心とする。",
        ),
        verdict,
        answer: Said::new(
            format!(
                "On standard normal inputs sigmoid's mean is {sigmoid} and GELU's {gelu} ({in_model} in the trained model): nearer to zero, but not centred on it. Tanh is."
            ),
            format!(
                "標準正規の入力に対する平均はシグモイドが{sigmoid}、GELUが{gelu}(学習済みモデルでは{in_model})。ゼロに近いが中心ではない。tanhはゼロ中心である。"
            ),
        ),
        tables: vec![Table {
            words: false,
            caption: Said::new("Outputs f(x)", "出力 f(x)"),
            head: vec![
                Said::new("activation", "活性化関数"),
                Said::new("mean on N(0, 1)", "N(0, 1)での平均"),
                Said::new("std on N(0, 1)", "N(0, 1)での標準偏差"),
                Said::new("mean in the model", "モデルでの平均"),
                Said::new("std in the model", "モデルでの標準偏差"),
            ],
            rows,
        }],
        figures: Vec::new(),
    })
}
