//! Two thirds of a transformer's parameters are in its FFNs.

use super::{Lab, Measured, Verdict};
use crate::lab::inspect::ParameterCounts;
use crate::settings::{ModelConfig, Recipe, Settings};
use crate::support::numbers::{grouped, percent};
use crate::support::table::Table;
use crate::support::text::Text;
use anyhow::Result;

/// GPT-2's vocabulary, which GPT-3 shares (Brown et al. 2020, section 2.1).
const VOCABULARY: usize = 50_257;
/// A share within this of two thirds counts.
const NEAR: f64 = 0.02;

pub fn measure(lab: &mut Lab) -> Result<Measured> {
    let dataset = lab.dataset(&Settings::default())?;
    let preset =
        |name: &str| -> Result<ModelConfig> { Recipe::new(Settings::shape(name)?)?.model(VOCABULARY) };
    let own = lab.recipe(&Settings::default())?.model(dataset.tokenizer.vocab_size())?;
    let models = [
        (Text::from("GPT-3 175B"), preset("gpt3-175b")?),
        (Text::from("GPT-2 124M"), preset("gpt2")?),
        (text!("claims.parameters.own"), own),
    ];
    let mut table =
        Table::titled("claims.parameters.columns").with_caption(text!("claims.parameters.caption"));
    let mut found = Vec::new();
    for (name, config) in models {
        let parameters = ParameterCounts::of(&config);
        let shares = [parameters.ffn_share, parameters.ffn_share_of_blocks].map(percent);
        let cells = [grouped(parameters.total)].into_iter().chain(shares).map(Text::from);
        table.add_row(std::iter::once(name).chain(cells));
        found.push(parameters);
    }
    let (gpt3, gpt2, own) = (&found[0], &found[1], &found[2]);
    let near = |share: f64| (share - 2.0 / 3.0).abs() <= NEAR;
    let embedding = gpt2.parts.iter().find(|part| part.part == "embedding").map_or(0.0, |part| part.of_all);
    Ok(Measured {
        method: text!("claims.parameters.method"),
        verdict: Verdict::of(&[
            near(gpt3.ffn_share),
            near(gpt2.ffn_share),
            near(gpt2.ffn_share_of_blocks),
            near(own.ffn_share_of_blocks),
        ]),
        answer: text!(
            "claims.parameters.answer",
            gpt3 = percent(gpt3.ffn_share),
            gpt2_blocks = percent(gpt2.ffn_share_of_blocks),
            gpt2 = percent(gpt2.ffn_share),
            embedding = percent(embedding),
        ),
        tables: vec![table],
        figures: Vec::new(),
    })
}
