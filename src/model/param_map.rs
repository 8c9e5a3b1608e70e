//! The one map of a model's parameters: their names, shapes, roles and initial scale on each backbone.
//!
//! Everything else that deals with parameters reads it: the candle model, the fused kernels, the optimizer,
//! import, export and the model card. Names and layouts are Hugging Face's, so that a checkpoint loads there
//! as it is: `llama` for gated FFNs, `arcee` (llama without the gate) for ungated ones, and `gpt2`, which stores
//! matrices as (in, out) and queries, keys and values in one matrix.

use super::param_spec::{Init, ParamSpec, Role};
use crate::activation::Scalar;
use crate::settings::{Backbone, ModelConfig};

/// A linear map y = x W + b.
#[derive(Clone, Copy, Debug)]
pub struct LinearParams {
    /// Index of W in [`ParamMap::specs`].
    pub weight: usize,
    /// Index of b, where there is one.
    pub bias: Option<usize>,
    pub inputs: usize,
    pub outputs: usize,
    /// W is stored as (out, in), Llama's layout, and not as (in, out), GPT-2's.
    pub outputs_first: bool,
}

/// A norm's parameters by index.
#[derive(Clone, Copy, Debug)]
pub struct NormParams {
    pub weight: usize,
    pub bias: Option<usize>,
}

/// A block's parameters.
#[derive(Clone, Debug)]
pub struct BlockParams {
    pub attention_norm: NormParams,
    /// To queries, keys and values, in this order: three maps, or one with the three side by side.
    pub qkv: Vec<LinearParams>,
    pub attention_output: LinearParams,
    pub ffn_norm: NormParams,
    pub gate: Option<LinearParams>,
    pub up: LinearParams,
    pub down: LinearParams,
    /// The activation's learned scalars: (1) each.
    pub scalars: Vec<usize>,
}

/// All parameters: a flat list for what treats them alike, and the model's structure over it.
#[derive(Clone, Debug)]
pub struct ParamMap {
    /// In an order that is part of the results: the gradient's norm is summed in it.
    pub specs: Vec<ParamSpec>,
    /// (V, C)
    pub embedding: usize,
    /// (context, C), where positions are learned.
    pub positions: Option<usize>,
    pub blocks: Vec<BlockParams>,
    pub norm: NormParams,
    /// (V, C): the embedding where they are tied.
    pub head: LinearParams,
}

/// What a backbone calls its parameters, and how it stores them.
struct Names {
    embedding: &'static str,
    positions: Option<&'static str>,
    /// In front of a block's number.
    blocks: &'static str,
    attention_norm: &'static str,
    qkv: &'static [(Role, &'static str)],
    attention_output: &'static str,
    ffn_norm: &'static str,
    gate: &'static str,
    up: &'static str,
    down: &'static str,
    norm: &'static str,
    outputs_first: bool,
    has_biases: bool,
    /// Both norms of a block stand before its matrices in the order of the parameters.
    norms_first: bool,
}

const LLAMA: Names = Names {
    embedding: "model.embed_tokens",
    positions: None,
    blocks: "model.layers",
    attention_norm: "input_layernorm",
    qkv: &[
        (Role::Query, "self_attn.q_proj"),
        (Role::Key, "self_attn.k_proj"),
        (Role::Value, "self_attn.v_proj"),
    ],
    attention_output: "self_attn.o_proj",
    ffn_norm: "post_attention_layernorm",
    gate: "mlp.gate_proj",
    up: "mlp.up_proj",
    down: "mlp.down_proj",
    norm: "model.norm",
    outputs_first: true,
    has_biases: false,
    norms_first: false,
};

const GPT2: Names = Names {
    embedding: "transformer.wte",
    positions: Some("transformer.wpe"),
    blocks: "transformer.h",
    attention_norm: "ln_1",
    qkv: &[(Role::QueryKeyValue, "attn.c_attn")],
    attention_output: "attn.c_proj",
    ffn_norm: "ln_2",
    gate: "mlp.c_gate",
    up: "mlp.c_fc",
    down: "mlp.c_proj",
    norm: "transformer.ln_f",
    outputs_first: false,
    has_biases: true,
    norms_first: true,
};

const HEAD: &str = "lm_head";

impl ParamMap {
    pub fn new(config: &ModelConfig) -> ParamMap {
        let names = match config.backbone {
            Backbone::Llama => &LLAMA,
            Backbone::Gpt2 => &GPT2,
        };
        let mut list = List { specs: Vec::new(), names, layer: None };
        let matrix = Init::Normal { std: config.init_std };
        let (vocab_size, dim) = (config.vocab_size, config.dim);
        let embedding = list.weight(Role::TokenEmbedding, names.embedding, &[vocab_size, dim], matrix);
        let positions = names
            .positions
            .map(|name| list.weight(Role::PositionEmbedding, name, &[config.context, dim], matrix));
        let blocks = (0..config.layers).map(|layer| list.block(layer, config)).collect();
        list.layer = None;
        let norm = list.norm(Role::FinalNorm, names.norm, dim);
        let head = match config.tied {
            true => embedding,
            false => list.weight(Role::Head, HEAD, &[vocab_size, dim], matrix),
        };
        let head =
            LinearParams { weight: head, bias: None, inputs: dim, outputs: vocab_size, outputs_first: true };
        ParamMap { specs: list.specs, embedding, positions, blocks, norm, head }
    }

    /// Every linear map, the head included.
    pub fn linears(&self) -> impl Iterator<Item = LinearParams> {
        let of_block = |block: &BlockParams| {
            let others = [block.attention_output, block.up, block.down];
            block.qkv.iter().copied().chain(others).chain(block.gate).collect::<Vec<_>>()
        };
        self.blocks.iter().flat_map(of_block).chain([self.head])
    }
}

/// The list of parameters as it grows: each method adds some and returns where they are.
struct List {
    specs: Vec<ParamSpec>,
    names: &'static Names,
    layer: Option<usize>,
}

impl List {
    fn block(&mut self, layer: usize, config: &ModelConfig) -> BlockParams {
        self.layer = Some(layer);
        let (names, dim, ffn_dim) = (self.names, config.dim, config.ffn_dim);
        let matrix = Init::Normal { std: config.init_std };
        // Each block adds to the residual stream twice: keep its variance independent of the depth
        // (Radford et al. 2019, section 2.3).
        let to_residual = Init::Normal { std: config.init_std / (2.0 * config.layers as f64).sqrt() };
        let attention_norm = self.norm(Role::AttentionNorm, names.attention_norm, dim);
        let early = names.norms_first.then(|| self.norm(Role::FfnNorm, names.ffn_norm, dim));
        let qkv = |(role, name): &(Role, &'static str)| {
            let outputs = match role {
                Role::QueryKeyValue => 3 * dim,
                Role::Query => dim,
                _ => config.kv_heads * config.head_dim(),
            };
            self.linear(*role, name, [dim, outputs], matrix)
        };
        let qkv = names.qkv.iter().map(qkv).collect();
        BlockParams {
            attention_norm,
            qkv,
            attention_output: self.linear(
                Role::AttentionOutput,
                names.attention_output,
                [dim, dim],
                to_residual,
            ),
            ffn_norm: early.unwrap_or_else(|| self.norm(Role::FfnNorm, names.ffn_norm, dim)),
            gate: config
                .act
                .is_gated()
                .then(|| self.linear(Role::FfnGate, names.gate, [dim, ffn_dim], matrix)),
            up: self.linear(Role::FfnUp, names.up, [dim, ffn_dim], matrix),
            down: self.linear(Role::FfnDown, names.down, [ffn_dim, dim], to_residual),
            scalars: config.act.program().scalars.iter().map(|scalar| self.scalar(scalar)).collect(),
        }
    }

    fn linear(&mut self, role: Role, name: &str, [inputs, outputs]: [usize; 2], init: Init) -> LinearParams {
        let outputs_first = self.names.outputs_first;
        let shape = if outputs_first { [outputs, inputs] } else { [inputs, outputs] };
        let weight = self.weight(role, name, &shape, init);
        let bias = self.names.has_biases.then(|| self.bias(role, name, outputs));
        LinearParams { weight, bias, inputs, outputs, outputs_first }
    }

    fn norm(&mut self, role: Role, name: &str, dim: usize) -> NormParams {
        let weight = self.weight(role, name, &[dim], Init::Constant(1.0));
        NormParams { weight, bias: self.names.has_biases.then(|| self.bias(role, name, dim)) }
    }

    fn scalar(&mut self, scalar: &Scalar) -> usize {
        let init = Init::Constant(scalar.initial);
        self.add(Role::ActivationScalar, &format!("mlp.act.{}", scalar.name), None, &[1], init)
    }

    fn weight(&mut self, role: Role, name: &str, shape: &[usize], init: Init) -> usize {
        self.add(role, name, Some("weight"), shape, init)
    }

    fn bias(&mut self, role: Role, name: &str, len: usize) -> usize {
        self.add(role, name, Some("bias"), &[len], Init::Constant(0.0))
    }

    fn add(&mut self, role: Role, name: &str, kind: Option<&str>, shape: &[usize], init: Init) -> usize {
        let name = [name].into_iter().chain(kind).collect::<Vec<_>>().join(".");
        let name = match self.layer {
            Some(layer) => format!("{}.{layer}.{name}", self.names.blocks),
            None => name,
        };
        let (layer, is_bias) = (self.layer, kind == Some("bias"));
        self.specs.push(ParamSpec { name, shape: shape.to_vec(), role, layer, is_bias, init });
        self.specs.len() - 1
    }
}
