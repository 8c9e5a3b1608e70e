//! FFN layers are key-value memories.

use super::lab::act;
use super::numbers::{fixed, percent};
use super::{Claim, Lab, Said, Table, Verdict, ffn_note};
use crate::lab::inspect::{Inspection, Promoted, UnitMemories, UnitMemory};
use crate::support::failure::escape_controls;
use anyhow::Result;

/// How far above chance a layer's agreement must be: this many times chance, and as many standard errors.
const ABOVE: f64 = 2.0;

pub fn measure(lab: &mut Lab) -> Result<Claim> {
    let (relu, swiglu) = (lab.inspect(&act("relu"))?, lab.inspect(&act("swiglu"))?);
    let upper = relu.layers.len() / 2;
    let agrees =
        |found: &Inspection| found.layers[upper..].iter().any(|layer| is_above_chance(&layer.memories));
    let verdict = Verdict::of(&[agrees(&relu), agrees(&swiglu)]);
    let best = |found: &Inspection| {
        let layers = found.layers[upper..].iter();
        let best = layers.max_by(|a, b| a.memories.agreement.total_cmp(&b.memories.agreement));
        best.map(|layer| (layer.layer, layer.memories.agreement, layer.memories.chance))
    };
    let (layer, share, chance) = best(&relu).unwrap_or((0, f64::NAN, f64::NAN));
    let (gated_layer, gated_share, gated_chance) = best(&swiglu).unwrap_or((0, f64::NAN, f64::NAN));
    let [share, chance, gated_share, gated_chance] = [share, chance, gated_share, gated_chance].map(percent);
    Ok(Claim {
        name: "memories",
        claim: Said::new(
            "FFN layers are key-value memories: a unit's key matches contexts, its value promotes what follows them.",
            "FFN層はキー・バリュー型の記憶である。ユニットのキーが文脈に合うと、バリューが続くトークンを押し上げる。",
        ),
        source: ffn_note("Geva et al. 2021"),
        method: Said::new(
            "Agreement (Geva et al., section 4): the share of units whose value promotes most the very token that follows their strongest trigger, beside chance, by layer, in trained models. It holds for a model if in a layer of its upper half that is twice chance and two standard errors above it.",
            "一致率(Gevaら 4節): 最も強く反応した文脈の次のトークンを、バリューが最も強く押し上げるユニットの割合を層ごとに偶然と比べる。上半分のいずれかの層で偶然の2倍、かつ標準誤差の2倍以上上回れば成り立つ。",
        ),
        verdict,
        answer: Said::new(
            format!(
                "With ReLU {share} of the units of layer {layer} (of the upper half the most) promote what follows their trigger, by chance {chance} would; with SwiGLU {gated_share} of layer {gated_layer}, by chance {gated_chance}. Geva et al. saw up to 3.5% in the upper layers of a model with about 270,000 tokens, by chance 0.0004%, with triggers from its training text; here they are from the validation text."
            ),
            format!(
                "ReLUでは層{layer}のユニットの{share}が次のトークンを押し上げ、偶然なら{chance}。SwiGLUでは層{gated_layer}で{gated_share}、偶然なら{gated_chance}。Gevaらは約27万トークンのモデルの上位層で最大3.5%(偶然なら0.0004%)を、学習テキストの文脈で観察した。ここでは検証テキストを使う。"
            ),
        ),
        tables: vec![
            agreement(&relu, &swiglu),
            strongest(&relu, Said::new("The strongest memories with ReLU", "ReLUの最も強い記憶")),
            strongest(
                &swiglu,
                Said::new(
                    "The strongest memories with SwiGLU, whose coefficients take both signs",
                    "SwiGLUの最も強い記憶(係数は正負両方をとる)",
                ),
            ),
        ],
        figures: Vec::new(),
    })
}

/// Whether a layer agrees clearly more often than by chance.
fn is_above_chance(memories: &UnitMemories) -> bool {
    let error = (memories.chance * (1.0 - memories.chance) / memories.fired as f64).sqrt();
    memories.agreement >= ABOVE * memories.chance
        && memories.agreement >= memories.chance + ABOVE * error
        && memories.agreement > 0.0
}

fn agreement(relu: &Inspection, swiglu: &Inspection) -> Table {
    let row =
        |(relu, swiglu): (&crate::lab::inspect::LayerInspection, &crate::lab::inspect::LayerInspection)| {
            let shares =
                [&relu.memories, &swiglu.memories].map(|memories| (memories.agreement, memories.chance));
            let cells = shares.iter().flat_map(|(share, chance)| [percent(*share), percent(*chance)]);
            std::iter::once(relu.layer.to_string()).chain(cells).map(Said::from).collect()
        };
    Table {
        words: false,
        caption: Said::new("Agreement by layer", "層ごとの一致率"),
        head: vec![
            Said::new("layer", "層"),
            "relu".into(),
            Said::new("by chance", "偶然"),
            "swiglu".into(),
            Said::new("by chance", "偶然"),
        ],
        rows: relu.layers.iter().zip(&swiglu.layers).map(row).collect(),
    }
}

/// The strongest units of every layer: what fires them, and what they promote then.
fn strongest(found: &Inspection, caption: Said) -> Table {
    let quoted = |text: &str| format!("\u{201c}{}\u{201d}", escape_controls(&text.replace('\n', "\u{21b5}")));
    let tokens = |promoted: &[Promoted]| {
        let tokens = promoted.iter().take(3).map(|promoted| quoted(&promoted.token));
        tokens.collect::<Vec<String>>().join(" ")
    };
    let row = |layer: usize, memory: &UnitMemory| {
        let trigger = memory.triggers.first();
        let negative = trigger.is_some_and(|trigger| trigger.coefficient < 0.0);
        let promoted = match (&memory.promoted_when_negative, negative) {
            (Some(promoted), true) => promoted,
            _ => &memory.promoted,
        };
        let trigger = trigger
            .map(|trigger| [fixed(trigger.coefficient, 2), quoted(&trigger.context), quoted(&trigger.next)]);
        let trigger = trigger.unwrap_or_default();
        [layer.to_string(), memory.unit.to_string()]
            .into_iter()
            .chain(trigger)
            .chain([tokens(promoted)])
            .map(Said::from)
            .collect()
    };
    let layers = found.layers.iter();
    Table {
        words: true,
        caption,
        head: vec![
            Said::new("layer", "層"),
            Said::new("unit", "ユニット"),
            Said::new("coefficient", "係数"),
            Said::new("fired most by", "最も強く反応した文脈"),
            Said::new("followed by", "その次"),
            Said::new("promotes", "押し上げるトークン"),
        ],
        rows: layers
            .flat_map(|layer| layer.memories.units.iter().map(|unit| row(layer.layer, unit)))
            .collect(),
    }
}
