//! Where a model's parameters are. Counted from its configuration: nothing is allocated.

use crate::model::{ParamMap, ParamSpec, Part};
use crate::settings::ModelConfig;
use serde::Serialize;

/// Parameters by part.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Parameters {
    pub total: usize,
    /// Those inside the blocks: without embeddings, final norm and head.
    pub in_blocks: usize,
    /// The FFNs' share of all parameters.
    pub ffn_share: f64,
    /// The FFNs' share of the parameters inside the blocks.
    pub ffn_share_of_blocks: f64,
    /// Embedding (positions included), attention, FFN, norms, head; one that does not exist counts 0.
    pub parts: Vec<PartSize>,
}

/// The parameters of one part.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PartSize {
    pub part: &'static str,
    pub parameters: usize,
    /// Share of all parameters.
    pub of_all: f64,
    /// Its parameters inside the blocks as a share of all inside the blocks.
    pub of_blocks: f64,
}

impl Parameters {
    pub fn of(config: &ModelConfig) -> Parameters {
        let specs = ParamMap::new(config).specs;
        // A model without blocks has exactly what is outside them.
        let outside = ParamMap::new(&ModelConfig { layers: 0, ..config.clone() }).specs;
        let (total, in_blocks) = (elements(&specs), elements(&specs) - elements(&outside));
        let parts = ["embedding", "attention", "FFN", "norm", "head"].map(|part| {
            let count =
                |specs: &[ParamSpec]| elements(specs.iter().filter(|spec| name(spec.role.part()) == part));
            let parameters = count(&specs);
            PartSize {
                part,
                parameters,
                of_all: parameters as f64 / total as f64,
                of_blocks: (parameters - count(&outside)) as f64 / in_blocks as f64,
            }
        });
        let [_, _, ffn, ..] = &parts;
        Parameters {
            total,
            in_blocks,
            ffn_share: ffn.of_all,
            ffn_share_of_blocks: ffn.of_blocks,
            parts: parts.into(),
        }
    }
}

fn elements<'a>(specs: impl IntoIterator<Item = &'a ParamSpec>) -> usize {
    specs.into_iter().map(ParamSpec::elements).sum()
}

fn name(part: Part) -> &'static str {
    match part {
        Part::Embedding => "embedding",
        Part::Attention => "attention",
        Part::Ffn => "FFN",
        Part::Norm => "norm",
        Part::Head => "head",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Backbone;

    fn gpt(layers: usize, dim: usize, heads: usize, context: usize) -> ModelConfig {
        ModelConfig {
            backbone: Backbone::Gpt2,
            act: "gelu_tanh".parse().unwrap(),
            layers,
            heads,
            kv_heads: heads,
            dim,
            ffn_dim: 4 * dim,
            context,
            vocab_size: 50_257,
            tied: true,
            init_std: 0.02,
            norm_eps: 1e-5,
            rope_theta: 10_000.0,
        }
    }

    /// Brown et al. 2020, table 2.1: 96 layers, width 12288, 96 heads, context 2048, 175.0 billion.
    #[test]
    fn two_thirds_of_gpt3_are_ffn() {
        let parameters = Parameters::of(&gpt(96, 12_288, 96, 2048));
        assert!((parameters.total as f64 / 175.0e9 - 1.0).abs() < 0.005, "{}", parameters.total);
        assert!((parameters.ffn_share - 0.66).abs() < 0.005, "{}", parameters.ffn_share);
    }

    /// GPT-2 small by transformers: 124,439,808 parameters, 12 FFNs of 8 x 768^2 + 5 x 768.
    #[test]
    fn gpt2_small_is_45_percent_ffn_and_its_blocks_two_thirds() {
        let parameters = Parameters::of(&gpt(12, 768, 12, 1024));
        assert_eq!(parameters.total, 124_439_808);
        assert_eq!(parameters.in_blocks, 12 * 7_087_872);
        assert!((parameters.ffn_share - 0.455).abs() < 0.001, "{}", parameters.ffn_share);
        let of_blocks = parameters.ffn_share_of_blocks;
        assert!((of_blocks - 2.0 / 3.0).abs() < 0.001, "{of_blocks}");
    }

    #[test]
    fn the_parts_are_everything_and_the_final_norm_is_in_no_block() {
        for (backbone, tied) in [(Backbone::Gpt2, true), (Backbone::Llama, false)] {
            let config = ModelConfig { backbone, tied, ..gpt(3, 48, 4, 64) };
            let parameters = Parameters::of(&config);
            let sum = |value: &dyn Fn(&PartSize) -> f64| parameters.parts.iter().map(value).sum::<f64>();
            assert_eq!(parameters.parts.iter().map(|size| size.parameters).sum::<usize>(), parameters.total);
            assert!((sum(&|size| size.of_all) - 1.0).abs() < 1e-12);
            assert!((sum(&|size| size.of_blocks) - 1.0).abs() < 1e-12);
            let final_norm = if backbone == Backbone::Gpt2 { 2 * 48 } else { 48 };
            let norms = parameters.parts[3].parameters as f64;
            let in_blocks = parameters.parts[3].of_blocks * parameters.in_blocks as f64;
            assert!((norms - in_blocks - f64::from(final_norm)).abs() < 1e-6);
            assert_eq!(parameters.parts[4].parameters > 0, !tied);
        }
    }
}
