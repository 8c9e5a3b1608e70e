//! The derivative of a sigmoid is at most 1/4, so that gradients vanish with depth.

use super::figures::Picture;
use super::numbers::{fixed, ratio};
use super::{Claim, Figure, Lab, Said, Table, Verdict, sigmoid_note};
use crate::activation::Activation;
use crate::lab::inspect::{Architecture, FreshModels, InitialGradients, fresh_models, gradient_factor};
use crate::settings::Settings;
use crate::support::waiting::waiting;
use anyhow::Result;

const ACTS: [&str; 4] = ["relu", "gelu", "tanh", "sigmoid"];
const DEPTHS: [usize; 4] = [2, 6, 12, 24];
/// Tokens whose loss is differentiated.
const TOKENS: usize = 256;
/// Without residuals: by which factor sigmoid's ratio must be below relu's. With them: by which it would
/// have to be for the claim to hold there too.
const VANISHES: f64 = 1e-3;
const VANISHES_WITH_RESIDUALS: f64 = 0.1;

pub fn measure(lab: &mut Lab) -> Result<Claim> {
    let with = gradients(lab, Architecture::Model)?;
    let without = gradients(lab, Architecture::Stack)?;
    let deepest = |found: &FreshModels, name: &str| {
        let of = |one: &&InitialGradients| one.act.name() == name && one.layers == DEPTHS[DEPTHS.len() - 1];
        found.gradients.iter().find(of).map_or(f64::NAN, |one| one.first_over_last)
    };
    let [(sigmoid, relu), (sigmoid_with, relu_with)] =
        [&without, &with].map(|found| (deepest(found, "sigmoid"), deepest(found, "relu")));
    let verdict =
        Verdict::of(&[sigmoid < VANISHES * relu, sigmoid_with < VANISHES_WITH_RESIDUALS * relu_with]);
    let function = "sigmoid".parse::<Activation>()?.function;
    let (own, centred) = (gradient_factor(function, 0.0), gradient_factor(function, -0.5));
    let [sigmoid, relu, sigmoid_with, relu_with] = [sigmoid, relu, sigmoid_with, relu_with].map(ratio);
    let [own, centred] = [own, centred].map(|factor| fixed(factor, 2));
    Ok(Claim {
        name: "vanishing",
        claim: Said::new(
            "Sigmoid's derivative is at most 0.25, so that gradients vanish in deep networks.",
            "シグモイドの微分は最大でも0.25なので、深いネットワークでは勾配が消える。",
        ),
        source: sigmoid_note("Glorot & Bengio 2010; He et al. 2015"),
        method: Said::new(
            "Norm of the loss's gradient in the first FFN over that in the last, in fresh models of 2 to 24 layers: FFNs alone, and whole models with residual additions, norms and attention. The FFNs alone start with the mean square of every value at 1, whatever the function. It vanishes if at 24 layers sigmoid's ratio is below a thousandth of ReLU's without them, and below a tenth with them.",
            "初期化直後の2層から24層のモデルで、最初のFFNの勾配ノルムを最後のFFNのもので割った比。FFNだけを重ねた場合(どの関数でも値の二乗平均が1になるよう初期化)と、残差接続と正規化とattentionのある完全なモデルの場合。24層でシグモイドの比がReLUの比の千分の一(残差ありでは十分の一)を下回れば消えるとする。",
        ),
        verdict,
        answer: Said::new(
            format!(
                "In 24 FFNs alone the first gets {sigmoid} of the last one's gradient with sigmoid and {relu} with ReLU; in whole models, as in a GPT, it is {sigmoid_with} and {relu_with}. The small derivative by itself is not why: by theory a layer of sigmoids multiplies the gradient by {own}, and one of sigmoid(x) \u{2212} 1/2, just as flat but centred on zero, by {centred}.",
            ),
            format!(
                "FFNだけの24層では、最初の層に届く勾配は最後の層の{sigmoid}倍(シグモイド)と{relu}倍(ReLU)。GPTのような完全なモデルでは{sigmoid_with}倍と{relu_with}倍である。微分の小ささだけが原因ではない: 理論上シグモイドの1層は勾配を{own}倍にし、同じ傾きでゼロ中心のsigmoid(x) \u{2212} 1/2なら{centred}倍にする。",
            ),
        ),
        tables: vec![
            table(
                &without,
                Said::new(
                    "FFNs alone: first layer's gradient over the last's",
                    "FFNだけ: 最初の層の勾配 / 最後の層の勾配",
                ),
            ),
            table(&with, Said::new("Whole models: the same", "完全なモデル: 同じ比")),
        ],
        figures: vec![
            figure(
                &without,
                "gradients-ffns-alone",
                Said::new("Gradient by layer, FFNs alone", "層ごとの勾配、FFNだけ"),
            ),
            figure(
                &with,
                "gradients-whole-models",
                Said::new("Gradient by layer, whole models", "層ごとの勾配、完全なモデル"),
            ),
        ],
    })
}

fn gradients(lab: &mut Lab, setting: Architecture) -> Result<FreshModels> {
    let dataset = lab.dataset(&Settings::default())?;
    let recipe = lab.recipe(&Settings::default())?;
    let acts = ACTS.map(str::parse).into_iter().collect::<Result<Vec<Activation>>>()?;
    let waiting = waiting("differentiating fresh models, layers");
    fresh_models(&recipe, &dataset, (&acts, &DEPTHS), TOKENS, setting, &mut lab.following(&waiting))
}

fn table(found: &FreshModels, caption: Said) -> Table {
    let layers = |n: usize| Said::new(format!("{n} layers"), format!("{n}層"));
    let row = |(name, models): (&&str, &[InitialGradients])| {
        let ratios = models.iter().map(|one| Said::from(ratio(one.first_over_last)));
        std::iter::once(Said::from(*name)).chain(ratios).collect()
    };
    Table {
        words: false,
        caption,
        head: std::iter::once(Said::new("activation", "活性化関数")).chain(DEPTHS.map(layers)).collect(),
        rows: ACTS.iter().zip(found.gradients.chunks(DEPTHS.len())).map(row).collect(),
    }
}

fn figure(found: &FreshModels, stem: &'static str, title: Said) -> Figure {
    let deepest = found.gradients.iter().filter(|one| one.layers == DEPTHS[DEPTHS.len() - 1]);
    let line = |one: &InitialGradients| {
        let last = one.norms[one.layers - 1];
        let points = one.norms.iter().enumerate().map(|(i, norm)| ((i + 1) as f64, norm / last));
        (one.act.name(), points.collect())
    };
    let least = deepest.clone().min_by(|a, b| a.first_over_last.total_cmp(&b.first_over_last));
    let (name, share) = least.map_or((String::new(), f64::NAN), |one| (one.act.name(), one.first_over_last));
    Figure {
        stem,
        title,
        meaning: Said::new(
            format!(
                "A line that falls to the left is a gradient that does not arrive: least with {name}, {} of the last layer's.",
                ratio(share)
            ),
            format!(
                "左へ下がる線は、届かない勾配である。最も小さいのは{name}で、最後の層の{}倍。",
                ratio(share)
            ),
        ),
        picture: Picture::Lines {
            x: "layer",
            y: "norm over the last layer's",
            y_log: true,
            series: deepest.map(line).collect(),
        },
    }
}
