//! The parameters of a model: their names, shapes, initial values and what they are part of.
//!
//! Names and layouts are Hugging Face's, so that a checkpoint loads there as it is: `llama` for
//! gated FFNs, `arcee` (the same without the gate) for ungated ones, and `gpt2`, whose
//! matrices are (in, out) and whose query, key and value projections are one matrix.

use crate::random;
use crate::settings::{Backbone, ModelConfig};
use candle_core::{Device, Result, Tensor, Var};
use std::collections::HashMap;

/// How a parameter starts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    Normal { std: f64 },
    Ones,
    Zeros,
}

/// What a parameter is counted as.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Embedding,
    Position,
    Attention,
    Ffn,
    Norm,
    Head,
}

/// One parameter tensor before it has values.
#[derive(Clone, Debug, PartialEq)]
pub struct ParamSpec {
    pub name: String,
    pub shape: Vec<usize>,
    pub init: Init,
    pub part: Part,
}

impl ParamSpec {
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }

    /// Matrices decay; norms and biases do not.
    pub fn decays(&self) -> bool {
        self.shape.len() >= 2
    }

    /// A matrix from an FFN's hidden units back to the width.
    pub fn is_ffn_output(&self) -> bool {
        let last = ["mlp.down_proj.weight", "mlp.c_proj.weight"];
        last.iter().any(|name| self.name.ends_with(name))
    }

    /// Initial values: a function of (seed, name) alone.
    pub fn initial_values(&self, seed: u64) -> Vec<f32> {
        match self.init {
            Init::Normal { std } => random::normal(
                &mut random::stream(seed, &format!("init {}", self.name)),
                self.elements(),
                std,
            ),
            Init::Ones => vec![1.0; self.elements()],
            Init::Zeros => vec![0.0; self.elements()],
        }
    }
}

/// Every parameter of the model, in the order of the forward pass.
pub fn param_specs(config: &ModelConfig) -> Vec<ParamSpec> {
    let mut specs = Vec::new();
    let mut add = |name: String, shape: &[usize], init, part| {
        specs.push(ParamSpec { name, shape: shape.to_vec(), init, part });
    };
    let (dim, ffn_dim) = (config.dim, config.ffn_dim);
    let weight = Init::Normal { std: config.init_std };
    // Each block adds to the residual stream twice: keep its variance independent of the depth
    // (Radford et al. 2019, section 2.3).
    let to_residual = Init::Normal { std: config.init_std / (2.0 * config.layers as f64).sqrt() };

    match config.backbone {
        Backbone::Llama => {
            let kv_dim = config.kv_heads * config.head_dim();
            add("model.embed_tokens.weight".into(), &[config.vocab_size, dim], weight, Part::Embedding);
            for layer in 0..config.layers {
                let at = |rest: &str| format!("model.layers.{layer}.{rest}.weight");
                add(at("input_layernorm"), &[dim], Init::Ones, Part::Norm);
                add(at("self_attn.q_proj"), &[dim, dim], weight, Part::Attention);
                add(at("self_attn.k_proj"), &[kv_dim, dim], weight, Part::Attention);
                add(at("self_attn.v_proj"), &[kv_dim, dim], weight, Part::Attention);
                add(at("self_attn.o_proj"), &[dim, dim], to_residual, Part::Attention);
                add(at("post_attention_layernorm"), &[dim], Init::Ones, Part::Norm);
                if config.act.gated {
                    add(at("mlp.gate_proj"), &[ffn_dim, dim], weight, Part::Ffn);
                }
                add(at("mlp.up_proj"), &[ffn_dim, dim], weight, Part::Ffn);
                add(at("mlp.down_proj"), &[dim, ffn_dim], to_residual, Part::Ffn);
            }
            add("model.norm.weight".into(), &[dim], Init::Ones, Part::Norm);
        }
        Backbone::Gpt2 => {
            add("transformer.wte.weight".into(), &[config.vocab_size, dim], weight, Part::Embedding);
            add("transformer.wpe.weight".into(), &[config.context, dim], weight, Part::Position);
            for layer in 0..config.layers {
                let at = |rest: &str| format!("transformer.h.{layer}.{rest}");
                let mut norm = |name: &str| {
                    add(at(&format!("{name}.weight")), &[dim], Init::Ones, Part::Norm);
                    add(at(&format!("{name}.bias")), &[dim], Init::Zeros, Part::Norm);
                };
                norm("ln_1");
                norm("ln_2");
                let mut conv1d = |name: &str, inputs: usize, outputs: usize, init, part| {
                    add(at(&format!("{name}.weight")), &[inputs, outputs], init, part);
                    add(at(&format!("{name}.bias")), &[outputs], Init::Zeros, part);
                };
                conv1d("attn.c_attn", dim, 3 * dim, weight, Part::Attention);
                conv1d("attn.c_proj", dim, dim, to_residual, Part::Attention);
                if config.act.gated {
                    conv1d("mlp.c_gate", dim, ffn_dim, weight, Part::Ffn);
                }
                conv1d("mlp.c_fc", dim, ffn_dim, weight, Part::Ffn);
                conv1d("mlp.c_proj", ffn_dim, dim, to_residual, Part::Ffn);
            }
            add("transformer.ln_f.weight".into(), &[dim], Init::Ones, Part::Norm);
            add("transformer.ln_f.bias".into(), &[dim], Init::Zeros, Part::Norm);
        }
    }
    if !config.tied {
        add("lm_head.weight".into(), &[config.vocab_size, dim], weight, Part::Head);
    }
    specs
}

/// A model's parameters with their values, in the order of [`param_specs`].
pub struct Params {
    pub specs: Vec<ParamSpec>,
    pub vars: Vec<Var>,
    index: HashMap<String, usize>,
}

impl Params {
    /// Fresh parameters.
    pub fn init(config: &ModelConfig, seed: u64, device: &Device) -> Result<Params> {
        Params::init_scaled(config, seed, 1.0, device)
    }

    /// Fresh parameters, of which the FFNs' output matrices are multiplied by `ffn_scale`.
    pub fn init_scaled(config: &ModelConfig, seed: u64, ffn_scale: f64, device: &Device) -> Result<Params> {
        Params::fill(config, |spec| {
            let mut values = spec.initial_values(seed);
            if spec.is_ffn_output() {
                values.iter_mut().for_each(|value| *value *= ffn_scale as f32);
            }
            Tensor::from_vec(values, spec.shape.as_slice(), device)
        })
    }

    /// Parameters whose values come from `value`, which must return the shape of the spec.
    pub fn fill(config: &ModelConfig, mut value: impl FnMut(&ParamSpec) -> Result<Tensor>) -> Result<Params> {
        let specs = param_specs(config);
        let vars = specs.iter().map(|spec| Var::from_tensor(&value(spec)?)).collect::<Result<Vec<_>>>()?;
        let index = specs.iter().enumerate().map(|(i, spec)| (spec.name.clone(), i)).collect();
        Ok(Params { specs, vars, index })
    }

    /// The tensor called `name`; it shares its values with the variable.
    pub fn get(&self, name: &str) -> Result<Tensor> {
        match self.index.get(name) {
            Some(&i) => Ok(self.vars[i].as_tensor().clone()),
            None => candle_core::bail!("the model has no parameter {name}"),
        }
    }
}
