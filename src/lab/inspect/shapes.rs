//! What a model is by its configuration alone: nothing is allocated, so that any size can be asked about.

use super::parameters::Parameters;
use crate::activation::Activation;
use crate::model::training_flops_per_token;
use crate::settings::ModelConfig;
use serde::Serialize;

/// A model's shapes and what they cost.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Shapes {
    pub act: Activation,
    pub config: ModelConfig,
    pub parameters: Parameters,
    /// A token's way through one FFN.
    pub ffn: Vec<Step>,
    pub bytes: Bytes,
    pub flops_per_token: Flops,
}

/// One step of a token's way through an FFN: a product with a matrix, or a function of each value.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Step {
    /// expand, gate, activate, multiply or compress.
    pub step: &'static str,
    pub formula: String,
    /// (inputs, outputs) of the matrix; none where there is none.
    pub matrix: Option<(usize, usize)>,
    /// Values that come out.
    pub values: usize,
}

/// Bytes in f32, as this program trains.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Bytes {
    pub weights: usize,
    pub gradients: usize,
    /// AdamW's two moments of every gradient.
    pub optimizer: usize,
}

/// Floating-point operations per token with a full context.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Flops {
    /// A third of training's: the backward pass has two products for each of the forward pass.
    pub forward: f64,
    /// See `training_flops_per_token`.
    pub training: f64,
}

impl Shapes {
    pub fn of(config: &ModelConfig) -> Shapes {
        let parameters = Parameters::of(config);
        let f32s = 4 * parameters.total;
        let training = training_flops_per_token(config);
        Shapes {
            act: config.act,
            config: config.clone(),
            ffn: ffn_path(config),
            bytes: Bytes { weights: f32s, gradients: f32s, optimizer: 2 * f32s },
            flops_per_token: Flops { forward: training / 3.0, training },
            parameters,
        }
    }

    /// By how much the FFN's hidden size exceeds the width.
    pub fn expansion(&self) -> f64 {
        self.config.ffn_dim as f64 / self.config.dim as f64
    }
}

fn ffn_path(config: &ModelConfig) -> Vec<Step> {
    let (dim, hidden) = (config.dim, config.ffn_dim);
    let f = config.act.function.facts();
    let into_hidden = |step, formula: &str| Step {
        step,
        formula: formula.to_string(),
        matrix: Some((dim, hidden)),
        values: hidden,
    };
    let each =
        |step, formula: &str| Step { step, formula: formula.to_string(), matrix: None, values: hidden };
    let compress =
        |formula: &str| Step { matrix: Some((hidden, dim)), values: dim, ..each("compress", formula) };
    let activate = each("activate", &format!("{}(u)", f.name));
    if config.act.gated {
        let activate = each("activate", &format!("{}(g)", f.name));
        return vec![
            into_hidden("gate", "g = V x"),
            into_hidden("expand", "u = W x"),
            activate,
            each("multiply", &format!("h = {}(g) * u", f.name)),
            compress("W' h"),
        ];
    }
    vec![into_hidden("expand", "u = W x"), activate, compress(&format!("W' {}(u)", f.name))]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{Recipe, Settings};

    fn shapes(preset: &str, vocabulary: usize) -> Shapes {
        let recipe = Recipe::new(Settings::preset(preset).unwrap()).unwrap();
        Shapes::of(&recipe.model(vocabulary).unwrap())
    }

    /// Brown et al. 2020: 175.0 billion parameters (table 2.1), and 3.14e23 operations to train on 300
    /// billion tokens without those of attention's products (appendix D).
    #[test]
    fn the_preset_of_gpt3_has_its_published_size_and_cost() {
        let found = shapes("gpt3-175b", 50_257);
        assert!((found.parameters.total as f64 / 175.0e9 - 1.0).abs() < 0.005);
        assert!((found.parameters.ffn_share - 0.66).abs() < 0.005);
        let total = found.flops_per_token.training * 300e9;
        assert!((total / 3.14e23 - 1.0).abs() < 0.06, "{total}");
        assert_eq!(found.bytes.optimizer, 8 * found.parameters.total);
    }

    #[test]
    fn a_token_is_expanded_activated_and_compressed() {
        let path = |preset: &str| -> Vec<(&'static str, usize)> {
            shapes(preset, 100).ffn.iter().map(|step| (step.step, step.values)).collect()
        };
        assert_eq!(path("gpt2"), [("expand", 3072), ("activate", 3072), ("compress", 768)]);
        assert_eq!(
            path("stories260k"),
            [("gate", 172), ("expand", 172), ("activate", 172), ("multiply", 172), ("compress", 64)]
        );
        assert_eq!(shapes("gpt2", 100).expansion(), 4.0);
    }
}
