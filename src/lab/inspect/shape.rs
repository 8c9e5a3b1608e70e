//! What a model's configuration tells by itself. Nothing is allocated, so models of any size can be described.

use crate::activation::Activation;
use crate::model::{ParamMap, ParamSpec, Part, training_flops_per_token};
use crate::settings::ModelConfig;
use serde::Serialize;

/// A model's shape and what it costs.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ModelShape {
    pub act: Activation,
    pub config: ModelConfig,
    pub parameters: ParameterCounts,
    pub bytes: TrainingBytes,
    pub flops_per_token: FlopsPerToken,
}

/// Bytes in f32, the format that tinygpt trains in.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct TrainingBytes {
    pub weights: usize,
    pub gradients: usize,
    /// AdamW's two moments of every gradient.
    pub optimizer: usize,
}

/// Floating-point operations per token with a full context.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct FlopsPerToken {
    /// A third of training's: the backward pass has two products for each of the forward pass.
    pub forward: f64,
    /// See `training_flops_per_token`.
    pub training: f64,
}

/// Parameters by part.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ParameterCounts {
    pub total: usize,
    /// Those inside the blocks: without embeddings, final norm and head.
    pub in_blocks: usize,
    /// The FFNs' share of all parameters.
    pub ffn_share: f64,
    /// The FFNs' share of the parameters inside the blocks.
    pub ffn_share_of_blocks: f64,
    /// Embedding (positions included), attention, FFN, norms, head. A part that doesn't exist counts 0.
    pub parts: Vec<PartCount>,
}

/// The parameters of one part.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PartCount {
    pub part: &'static str,
    pub parameters: usize,
    /// Share of all parameters.
    pub of_all: f64,
    /// Its parameters inside the blocks as a share of all inside the blocks.
    pub of_blocks: f64,
}

impl ModelShape {
    pub fn of(config: &ModelConfig) -> ModelShape {
        let parameters = ParameterCounts::of(config);
        let f32s = 4 * parameters.total;
        let training = training_flops_per_token(config);
        ModelShape {
            act: config.act,
            config: config.clone(),
            bytes: TrainingBytes { weights: f32s, gradients: f32s, optimizer: 2 * f32s },
            flops_per_token: FlopsPerToken { forward: training / 3.0, training },
            parameters,
        }
    }
}

impl ParameterCounts {
    pub fn of(config: &ModelConfig) -> ParameterCounts {
        let specs = ParamMap::new(config).specs;
        // A model without blocks has only what is outside them.
        let outside = ParamMap::new(&ModelConfig { layers: 0, ..config.clone() }).specs;
        let (total, in_blocks) = (elements(&specs), elements(&specs) - elements(&outside));
        let parts = [
            ("embedding", Part::Embedding),
            ("attention", Part::Attention),
            ("FFN", Part::Ffn),
            ("norm", Part::Norm),
            ("head", Part::Head),
        ];
        let parts = parts.map(|(name, part)| {
            let count = |specs: &[ParamSpec]| elements(specs.iter().filter(|spec| spec.role.part() == part));
            let parameters = count(&specs);
            PartCount {
                part: name,
                parameters,
                of_all: parameters as f64 / total as f64,
                of_blocks: (parameters - count(&outside)) as f64 / in_blocks as f64,
            }
        });
        let (ffn_share, ffn_share_of_blocks) = (parts[2].of_all, parts[2].of_blocks);
        ParameterCounts { total, in_blocks, ffn_share, ffn_share_of_blocks, parts: parts.into() }
    }
}

fn elements<'a>(specs: impl IntoIterator<Item = &'a ParamSpec>) -> usize {
    specs.into_iter().map(ParamSpec::elements).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Backbone, Recipe, Settings};

    fn shapes(preset: &str, vocabulary: usize) -> ModelShape {
        let recipe = Recipe::new(Settings::shape(preset).unwrap()).unwrap();
        ModelShape::of(&recipe.model(vocabulary).unwrap())
    }

    /// Brown et al. 2020: 175.0 billion parameters (table 2.1), and 3.14e23 operations to train on 300
    /// billion tokens without those of attention's products (appendix D).
    #[test]
    fn gpt3_has_its_published_size_and_cost() {
        let found = shapes("gpt3-175b", 50_257);
        assert!((found.parameters.total as f64 / 175.0e9 - 1.0).abs() < 0.005);
        assert!((found.parameters.ffn_share - 0.66).abs() < 0.005);
        let total = found.flops_per_token.training * 300e9;
        assert!((total / 3.14e23 - 1.0).abs() < 0.06, "{total}");
        assert_eq!(found.bytes.optimizer, 8 * found.parameters.total);
    }

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
        let parameters = ParameterCounts::of(&gpt(96, 12_288, 96, 2048));
        assert!((parameters.total as f64 / 175.0e9 - 1.0).abs() < 0.005, "{}", parameters.total);
        assert!((parameters.ffn_share - 0.66).abs() < 0.005, "{}", parameters.ffn_share);
    }

    /// GPT-2 small by transformers: 124,439,808 parameters, 12 FFNs of 8 x 768^2 + 5 x 768.
    #[test]
    fn ffns_are_45_percent_of_gpt2_small_and_two_thirds_of_its_blocks() {
        let parameters = ParameterCounts::of(&gpt(12, 768, 12, 1024));
        assert_eq!(parameters.total, 124_439_808);
        assert_eq!(parameters.in_blocks, 12 * 7_087_872);
        assert!((parameters.ffn_share - 0.455).abs() < 0.001, "{}", parameters.ffn_share);
        let of_blocks = parameters.ffn_share_of_blocks;
        assert!((of_blocks - 2.0 / 3.0).abs() < 0.001, "{of_blocks}");
    }

    #[test]
    fn parts_add_up_and_the_final_norm_is_outside_the_blocks() {
        for (backbone, tied) in [(Backbone::Gpt2, true), (Backbone::Llama, false)] {
            let config = ModelConfig { backbone, tied, ..gpt(3, 48, 4, 64) };
            let parameters = ParameterCounts::of(&config);
            let sum = |value: &dyn Fn(&PartCount) -> f64| parameters.parts.iter().map(value).sum::<f64>();
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
