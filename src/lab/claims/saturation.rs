//! Sigmoid saturates; ReLU and GELU do not, wholly, for negative inputs.

use super::figures::{Arguments, Picture, Shown};
use super::lab::act;
use super::numbers::{over_layers, percent};
use super::{Claim, Figure, Lab, Said, Table, Verdict, sigmoid_note};
use crate::lab::inspect::Inspection;
use anyhow::Result;

/// From how much of its values on a function counts as saturating.
const SATURATES: f64 = 0.01;
/// Up to which share of its negative inputs a function counts as avoiding it there.
const AVOIDS: f64 = 0.5;

struct Seen {
    name: &'static str,
    negative: f64,
    positive: f64,
    /// Share of the arguments up to 0 that are saturated.
    of_negative: f64,
}

impl Seen {
    fn of(name: &'static str, inspection: &Inspection) -> Seen {
        let negative = over_layers(inspection, |layer| layer.hidden.saturated_negative);
        let below_zero = over_layers(inspection, |layer| layer.hidden.histogram.below_zero());
        Seen {
            name,
            negative,
            positive: over_layers(inspection, |layer| layer.hidden.saturated_positive),
            of_negative: negative / below_zero,
        }
    }
}

pub fn measure(lab: &mut Lab) -> Result<Claim> {
    let names = ["sigmoid", "relu", "gelu", "tanh"];
    let found = names.map(|name| lab.inspect(&act(name)));
    let [sigmoid, relu, gelu, tanh] = found;
    let (sigmoid, relu, gelu, tanh) = (sigmoid?, relu?, gelu?, tanh?);
    let seen = [("sigmoid", &sigmoid), ("relu", &relu), ("gelu", &gelu), ("tanh", &tanh)]
        .map(|(name, inspection)| Seen::of(name, inspection));
    let both = seen[0].negative + seen[0].positive;
    let (relu_share, gelu_share) = (seen[1].of_negative, seen[2].of_negative);
    let verdict = Verdict::of(&[both >= SATURATES, relu_share < AVOIDS, gelu_share < AVOIDS]);
    let row = |seen: &Seen| {
        let numbers = [seen.negative, seen.positive, seen.of_negative].map(percent);
        std::iter::once(seen.name.to_string()).chain(numbers).map(Said::from).collect()
    };
    let models = [("sigmoid", &sigmoid), ("relu", &relu), ("gelu", &gelu)]
        .map(|(name, inspection)| Arguments::of(name, inspection));
    Ok(Claim {
        name: "saturation",
        claim: Said::new(
            "Sigmoid saturates. ReLU and GELU avoid full saturation for negative inputs.",
            "シグモイドは飽和する。ReLUとGELUは負の入力でも完全な飽和を避ける。",
        ),
        source: sigmoid_note("Hendrycks & Gimpel 2016"),
        method: Said::new(
            "Share of the hidden units' values at which |f'| is below 1% of its maximum, in trained models, where their own pre-activations lie. Sigmoid saturates if that is 1% or more of all; a function avoids full saturation for negative inputs if it is less than half of those.",
            "学習済みモデル自身の活性化前の値のうち、|f'|が最大値の1%を下回るものの割合。全体の1%以上ならシグモイドは飽和するとし、負の入力の半分未満ならその関数は負の側の完全な飽和を避けるとする。",
        ),
        verdict,
        answer: Said::new(
            format!(
                "Of sigmoid's values {} are saturated. Of ReLU's negative inputs {} are, for its derivative there is 0: a unit that is off does not learn. Of GELU's negative inputs {} are, {} of all its values, some of them at its minimum near \u{2212}0.75, where it is flat and not saturated.",
                percent(both),
                percent(relu_share),
                percent(gelu_share),
                percent(seen[2].negative + seen[2].positive)
            ),
            format!(
                "シグモイドの値の{}が飽和している。ReLUは負の入力の{}で微分が0になり、そこでは学習しない。GELUでは負の入力の{}(全体の{})で、一部は最小値(\u{2212}0.75付近)の平らなところにあり飽和ではない。",
                percent(both),
                percent(relu_share),
                percent(gelu_share),
                percent(seen[2].negative + seen[2].positive)
            ),
        ),
        tables: vec![Table {
            words: false,
            caption: Said::new(
                "Saturated values, mean over the layers of a trained model",
                "飽和している値の割合(学習済みモデルの層の平均)",
            ),
            head: vec![
                Said::new("activation", "活性化関数"),
                Said::new("of all, x \u{2264} 0", "全体のうち x \u{2264} 0"),
                Said::new("of all, x > 0", "全体のうち x > 0"),
                Said::new("of those x \u{2264} 0", "x \u{2264} 0 のうち"),
            ],
            rows: seen.iter().map(row).collect(),
        }],
        figures: vec![Figure {
            stem: "slopes",
            title: Said::new("How steep f is where the model uses it", "モデルが使うところでのfの傾き"),
            meaning: Said::new(
                format!(
                    "{} of sigmoid's inputs, {} of ReLU's and {} of GELU's lie where the curve is near 0 and nothing is learned.",
                    percent(both),
                    percent(seen[1].negative + seen[1].positive),
                    percent(seen[2].negative + seen[2].positive)
                ),
                format!(
                    "入力のうちシグモイドの{}、ReLUの{}、GELUの{}は、傾きがほぼ0で学習が進まないところにある。",
                    percent(both),
                    percent(seen[1].negative + seen[1].positive),
                    percent(seen[2].negative + seen[2].positive)
                ),
            ),
            picture: Picture::Functions { what: Shown::Slope, models: models.to_vec() },
        }],
    })
}
