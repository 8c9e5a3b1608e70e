//! The feed-forward network: expand each token's row, activate, compress.

use super::gpt::{Pass, Site};
use super::linear::Linear;
use super::ops;
use super::params::Params;
use crate::activation::Activation;
use crate::settings::{Backbone, ModelConfig};
use candle_core::{Result, Tensor};

/// The FFN of one layer.
pub struct Ffn {
    act: Activation,
    gate: Option<Linear>,
    up: Linear,
    down: Linear,
}

impl Ffn {
    /// The FFN of `layer` over the model's parameters.
    pub fn new(params: &Params, layer: usize, config: &ModelConfig) -> Result<Ffn> {
        let linear = |llama: &str, gpt2: &str| match config.backbone {
            Backbone::Llama => Linear::llama(params, &format!("model.layers.{layer}.mlp.{llama}")),
            Backbone::Gpt2 => Linear::gpt2(params, &format!("transformer.h.{layer}.mlp.{gpt2}")),
        };
        let gate = config.act.gated.then(|| linear("gate_proj", "c_gate")).transpose()?;
        Ok(Ffn {
            act: config.act,
            gate,
            up: linear("up_proj", "c_fc")?,
            down: linear("down_proj", "c_proj")?,
        })
    }

    /// (N, C) -> (N, C): `down(f(up x))`, or `down(f(gate x) * up x)`.
    pub fn forward(&self, x: &Tensor, layer: usize, pass: &mut Pass) -> Result<Tensor> {
        pass.observe(Site::FfnInput, layer, x);
        let up = self.up.forward(x)?; // (N, F)
        let before = match &self.gate {
            Some(gate) => gate.forward(x)?, // (N, F)
            None => up.clone(),
        };
        pass.observe(Site::PreActivation, layer, &before);
        let hidden = ops::activate(self.act, &before, &up)?;
        pass.observe(Site::FfnHidden, layer, &hidden);
        let output = self.down.forward(&hidden)?; // (N, C)
        pass.observe(Site::FfnOutput, layer, &output);
        Ok(output)
    }
}
