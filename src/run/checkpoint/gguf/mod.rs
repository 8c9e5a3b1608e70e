//! GGUF, the file format of llama.cpp: one file with a model's shape, tokenizer and weights
//! (<https://github.com/ggml-org/ggml/blob/master/docs/gguf.md>).
//!
//! Its tensors have other names, GPT-2's matrices are transposed, and the rows of query and key projections
//! stand in another order, since llama.cpp rotates neighbouring elements of a head where transformers rotates
//! element i together with element i + D/2.

mod metadata;
mod read;
mod tokenizer;
mod verify;
mod write;

pub use read::{read_config, read_decoder, read_model, read_tokenizer};
pub use write::{Quantization, export_gguf};

use crate::activation::Activation;
use crate::model::{ParamSpec, Part, Role};
use crate::settings::{Backbone, ModelConfig};
use candle_core::{Result, Tensor};
use std::path::Path;

/// The graphs of llama.cpp that this program has a backbone for. Each has its activation built in and reads
/// none from the file.
const GRAPHS: [(&str, Backbone, &str); 3] = [
    ("llama", Backbone::Llama, "swiglu"),
    ("arcee", Backbone::Llama, "relu2"),
    ("gpt2", Backbone::Gpt2, "gelu_tanh"),
];

/// The graph of llama.cpp that computes a checkpoint of this backbone and activation, where there is one.
pub fn llama_cpp_graph(backbone: Backbone, act: Activation) -> Option<&'static str> {
    GRAPHS.iter().find(|graph| (graph.1, graph.2) == (backbone, act.name())).map(|graph| graph.0)
}

/// Whether a path is a GGUF file, by its name.
pub fn is_gguf(path: &Path) -> bool {
    path.is_file() && path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gguf"))
}

/// The name in GGUF of a parameter.
fn gguf_name(spec: &ParamSpec) -> String {
    let name = match spec.role {
        Role::TokenEmbedding => "token_embd",
        Role::PositionEmbedding => "position_embd",
        Role::AttentionNorm => "attn_norm",
        Role::Query => "attn_q",
        Role::Key => "attn_k",
        Role::Value => "attn_v",
        Role::QueryKeyValue => "attn_qkv",
        Role::AttentionOutput => "attn_output",
        Role::FfnNorm => "ffn_norm",
        Role::FfnGate => "ffn_gate",
        Role::FfnUp => "ffn_up",
        Role::FfnDown => "ffn_down",
        // No graph of llama.cpp has them, and a model with them is not exported.
        Role::ActivationScalar => "ffn_act",
        Role::FinalNorm => "output_norm",
        Role::Head => "output",
    };
    let kind = if spec.is_bias { "bias" } else { "weight" };
    match spec.layer {
        Some(layer) => format!("blk.{layer}.{name}.{kind}"),
        None => format!("{name}.{kind}"),
    }
}

/// How a parameter lies in GGUF.
enum Layout {
    Same,
    Transposed,
    /// Rows of so many heads: element i + D/2 follows element i.
    Interleaved(usize),
}

impl Layout {
    fn of(config: &ModelConfig, spec: &ParamSpec) -> Layout {
        match (spec.role, config.backbone) {
            (Role::Query, _) => Layout::Interleaved(config.heads),
            (Role::Key, _) => Layout::Interleaved(config.kv_heads),
            // GPT-2's linear maps are stored as (in, out), its embeddings are not.
            (role, Backbone::Gpt2)
                if spec.is_matrix() && matches!(role.part(), Part::Attention | Part::Ffn) =>
            {
                Layout::Transposed
            }
            _ => Layout::Same,
        }
    }

    /// A parameter as it lies in GGUF.
    fn apply(&self, tensor: &Tensor) -> Result<Tensor> {
        match self {
            Layout::Same => Ok(tensor.clone()),
            Layout::Transposed => tensor.t()?.contiguous(),
            Layout::Interleaved(heads) => {
                let (rows, columns) = tensor.dims2()?;
                let halves = tensor.reshape((*heads, 2, rows / heads / 2, columns))?;
                halves.transpose(1, 2)?.reshape((rows, columns))
            }
        }
    }

    /// Which row in GGUF is each row of the parameter, whose heads are interleaved there.
    fn without_interleaving(heads: usize, rows: usize) -> impl Iterator<Item = usize> {
        let size = rows / heads;
        (0..rows).map(move |row| {
            let (head, i) = (row / size, row % size);
            head * size + i % (size / 2) * 2 + i / (size / 2)
        })
    }

    /// The parameter of what lies in GGUF.
    fn undo(&self, tensor: &Tensor) -> Result<Tensor> {
        match self {
            Layout::Same | Layout::Transposed => self.apply(tensor),
            Layout::Interleaved(heads) => {
                let (rows, columns) = tensor.dims2()?;
                let pairs = tensor.reshape((*heads, rows / heads / 2, 2, columns))?;
                pairs.transpose(1, 2)?.reshape((rows, columns))
            }
        }
    }
}
