//! Which parameter plays which part in the kernels, whatever the backbone calls it.

use crate::kernels::matmul::{Into, Matrix, MatrixMut, matmul};
use crate::kernels::{add_to_rows, norm, transpose};
use crate::model::params::param_specs;
use crate::settings::{Backbone, ModelConfig};
use rayon::prelude::*;

/// The values of all parameters, in the order of `param_specs`.
#[derive(Clone, Copy)]
pub struct Weights<'a> {
    pub values: &'a [&'a [f32]],
    /// Transposed copies of the matrices, or nothing: see [`Layout::turn`].
    pub turned: &'a [Vec<f32>],
}

impl<'a> Weights<'a> {
    pub fn get(self, parameter: usize) -> &'a [f32] {
        self.values[parameter]
    }
}

/// A linear map y = x W + b by the indices of its parameters.
#[derive(Clone, Copy, Debug)]
pub struct Linear {
    pub weight: usize,
    pub bias: Option<usize>,
    pub inputs: usize,
    pub outputs: usize,
    /// W is stored as (out, in), Llama's layout, and not as (in, out), GPT-2's.
    pub outputs_first: bool,
}

impl Linear {
    /// W as (in, out), whichever way round it is stored, or from its copy that is stored in the order
    /// `by_inputs`, where there is one: products read W faster along the columns of their result.
    fn matrix<'a>(&self, weights: Weights<'a>, by_inputs: bool) -> Matrix<'a> {
        let copy = weights.turned.get(self.weight).filter(|_| self.outputs_first == by_inputs);
        let (values, outputs_first) = match copy {
            Some(copy) => (copy.as_slice(), !self.outputs_first),
            None => (weights.get(self.weight), self.outputs_first),
        };
        match outputs_first {
            true => Matrix::new(values, self.outputs, self.inputs).t(),
            false => Matrix::new(values, self.inputs, self.outputs),
        }
    }

    /// y = x W + b: (N, in) -> (N, out), written to the first columns of rows that are `stride` apart.
    pub fn forward(&self, weights: Weights, x: &[f32], y: &mut [f32], stride: usize) {
        let rows = x.len() / self.inputs;
        let out = MatrixMut::strided(y, rows, self.outputs, stride);
        matmul(Matrix::new(x, rows, self.inputs), self.matrix(weights, true), out, Into::Replace);
        if let Some(bias) = self.bias {
            // Maps with a bias have all columns of their rows: see Layout::new.
            add_to_rows(y, weights.get(bias));
        }
    }

    /// dx = dy W^T, or dx += it: (N, out) -> (N, in).
    pub fn backward(&self, weights: Weights, dy: Matrix, dx: &mut [f32], into: Into) {
        let out = MatrixMut::new(dx, dy.rows(), self.inputs);
        matmul(dy, self.matrix(weights, false).t(), out, into);
    }
}

/// A norm by the indices of its parameters.
#[derive(Clone, Copy, Debug)]
pub struct Norm {
    pub weight: usize,
    pub bias: Option<usize>,
}

impl Norm {
    pub fn of<'a>(&self, weights: Weights<'a>, eps: f64) -> norm::Norm<'a> {
        let bias = self.bias.map(|bias| weights.get(bias));
        norm::Norm { weight: weights.get(self.weight), bias, eps: eps as f32 }
    }
}

/// A block's parameters.
#[derive(Clone, Debug)]
pub struct Block {
    pub attention_norm: Norm,
    /// To queries, keys and values, side by side in this order: one map or three.
    pub qkv: Vec<Linear>,
    pub attention_output: Linear,
    pub ffn_norm: Norm,
    pub gate: Option<Linear>,
    pub up: Linear,
    pub down: Linear,
}

/// All parameters by their parts.
#[derive(Clone, Debug)]
pub struct Layout {
    /// (V, C)
    pub embedding: usize,
    /// (context, C)
    pub positions: Option<usize>,
    pub blocks: Vec<Block>,
    pub norm: Norm,
    /// (V, C): the embedding where they are tied.
    pub head: Linear,
}

impl Layout {
    /// Copies every matrix of a linear map transposed: products read one of the two orders much
    /// faster than the other, and a pass over many rows needs both.
    pub fn turn(&self, values: &[&[f32]], turned: &mut Vec<Vec<f32>>) {
        turned.resize_with(values.len(), Vec::new);
        let of_block = |block: &Block| {
            let others = [block.attention_output, block.up, block.down];
            block.qkv.iter().copied().chain(others).chain(block.gate).collect::<Vec<Linear>>()
        };
        let linears = self.blocks.iter().flat_map(of_block).chain([self.head]);
        let mut tasks = Vec::new();
        let mut free: Vec<Option<&mut Vec<f32>>> = turned.iter_mut().map(Some).collect();
        for linear in linears {
            let Some(copy) = free[linear.weight].take() else { continue };
            copy.resize(linear.inputs * linear.outputs, 0.0);
            let columns = if linear.outputs_first { linear.inputs } else { linear.outputs };
            tasks.push((values[linear.weight], columns, copy));
        }
        tasks.into_par_iter().for_each(|(values, columns, copy)| transpose(values, columns, copy));
    }

    pub fn new(config: &ModelConfig) -> Layout {
        let specs = param_specs(config);
        let find = |name: &str| specs.iter().position(|spec| spec.name == name);
        let index = |name: &str| find(name).unwrap_or_else(|| panic!("no parameter {name}"));
        let linear = |name: String| {
            let weight = index(&format!("{name}.weight"));
            let outputs_first = config.backbone == Backbone::Llama;
            let (rows, columns) = (specs[weight].shape[0], specs[weight].shape[1]);
            let (inputs, outputs) = if outputs_first { (columns, rows) } else { (rows, columns) };
            Linear { weight, bias: find(&format!("{name}.bias")), inputs, outputs, outputs_first }
        };
        let norm = |name: String| Norm {
            weight: index(&format!("{name}.weight")),
            bias: find(&format!("{name}.bias")),
        };
        let block = |layer: usize| match config.backbone {
            Backbone::Llama => {
                let at = |rest: &str| format!("model.layers.{layer}.{rest}");
                Block {
                    attention_norm: norm(at("input_layernorm")),
                    qkv: ["q", "k", "v"].map(|part| linear(at(&format!("self_attn.{part}_proj")))).to_vec(),
                    attention_output: linear(at("self_attn.o_proj")),
                    ffn_norm: norm(at("post_attention_layernorm")),
                    gate: config.act.gated.then(|| linear(at("mlp.gate_proj"))),
                    up: linear(at("mlp.up_proj")),
                    down: linear(at("mlp.down_proj")),
                }
            }
            Backbone::Gpt2 => {
                let at = |rest: &str| format!("transformer.h.{layer}.{rest}");
                Block {
                    attention_norm: norm(at("ln_1")),
                    qkv: vec![linear(at("attn.c_attn"))],
                    attention_output: linear(at("attn.c_proj")),
                    ffn_norm: norm(at("ln_2")),
                    gate: config.act.gated.then(|| linear(at("mlp.c_gate"))),
                    up: linear(at("mlp.c_fc")),
                    down: linear(at("mlp.c_proj")),
                }
            }
        };
        let (embedding, positions, last_norm) = match config.backbone {
            Backbone::Llama => (index("model.embed_tokens.weight"), None, "model.norm"),
            Backbone::Gpt2 => {
                (index("transformer.wte.weight"), find("transformer.wpe.weight"), "transformer.ln_f")
            }
        };
        Layout {
            embedding,
            positions,
            blocks: (0..config.layers).map(block).collect(),
            norm: norm(last_norm.to_string()),
            head: Linear {
                weight: if config.tied { embedding } else { index("lm_head.weight") },
                bias: None,
                inputs: config.dim,
                outputs: config.vocab_size,
                outputs_first: true,
            },
        }
    }
}
