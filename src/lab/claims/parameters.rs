//! Two thirds of a transformer's parameters are in its FFNs.

use super::numbers::percent;
use super::{Claim, Lab, Said, Table, Verdict, ffn_note};
use crate::lab::inspect::ParameterCounts;
use crate::settings::{ModelConfig, Recipe, Settings};
use crate::support::output::grouped;
use anyhow::Result;

/// GPT-2's vocabulary, which GPT-3 shares (Brown et al. 2020, section 2.1).
const VOCABULARY: usize = 50_257;
/// How near to two thirds.
const NEAR: f64 = 0.02;

struct Model {
    name: Said,
    parameters: ParameterCounts,
}

pub fn measure(lab: &mut Lab) -> Result<Claim> {
    let dataset = lab.dataset(&Settings::default())?;
    let preset = |name: &str| -> Result<ModelConfig> {
        let settings = Settings::preset(name)?;
        Recipe::new(settings)?.model(VOCABULARY)
    };
    let own = lab.recipe(&Settings::default())?.model(dataset.tokenizer.vocab_size())?;
    let models = [
        (Said::from("GPT-3 175B"), preset("gpt3-175b")?),
        (Said::from("GPT-2 124M"), preset("gpt2")?),
        (Said::new("the models trained here", "ここで学習したモデル"), own),
    ];
    let models = models.map(|(name, config)| Model { name, parameters: ParameterCounts::of(&config) });
    let [gpt3, gpt2, own] = [0, 1, 2].map(|i: usize| &models[i].parameters);
    let near = |share: f64| (share - 2.0 / 3.0).abs() <= NEAR;
    let verdict = Verdict::of(&[
        near(gpt3.ffn_share),
        near(gpt2.ffn_share),
        near(gpt2.ffn_share_of_blocks),
        near(own.ffn_share_of_blocks),
    ]);
    let row = |model: &Model| {
        let total = grouped(model.parameters.total);
        let ParameterCounts { ffn_share, ffn_share_of_blocks, .. } = model.parameters;
        vec![model.name.clone(), total.into(), percent(ffn_share).into(), percent(ffn_share_of_blocks).into()]
    };
    let embedding = gpt2.parts.iter().find(|part| part.part == "embedding").map_or(0.0, |part| part.of_all);
    let shares = [gpt3.ffn_share, gpt2.ffn_share, gpt2.ffn_share_of_blocks, embedding];
    let [gpt3, gpt2_all, gpt2_blocks, embedding] = shares.map(percent);
    Ok(Claim {
        name: "parameters",
        claim: Said::new(
            "Two thirds of a transformer's parameters are in its FFNs.",
            "トランスフォーマーのパラメータの3分の2はFFNにある。",
        ),
        source: ffn_note("Brown et al. 2020; Radford et al. 2019; Geva et al. 2021"),
        method: Said::new(
            "Counted from the models' shapes: the FFNs' share of all parameters and of those in the blocks. It holds where that is within 2 points of two thirds.",
            "モデルの構成から数えた、FFNのパラメータの全体に占める割合とブロック内に占める割合。3分の2から2ポイント以内なら成り立つとする。",
        ),
        verdict,
        answer: Said::new(
            format!(
                "In GPT-3 175B the FFNs are {gpt3} of all parameters. In GPT-2 124M they are {gpt2_blocks} of the blocks but {gpt2_all} of all: in a small model embeddings take {embedding}."
            ),
            format!(
                "GPT-3 175Bでは全体の{gpt3}。GPT-2 124Mではブロックの{gpt2_blocks}だが全体では{gpt2_all}で、小さなモデルでは埋め込みが{embedding}を占める。"
            ),
        ),
        tables: vec![Table {
            words: false,
            caption: Said::new("The FFNs' share of the parameters", "FFNのパラメータの割合"),
            head: vec![
                Said::new("model", "モデル"),
                Said::new("parameters", "パラメータ"),
                Said::new("FFN, of all", "FFN(全体)"),
                Said::new("FFN, of the blocks", "FFN(ブロック内)"),
            ],
            rows: models.iter().map(row).collect(),
        }],
        figures: Vec::new(),
    })
}
