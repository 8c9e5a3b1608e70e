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

pub use read::{read_config, read_model, read_tokenizer};
pub use write::{Quantization, export_gguf};

use crate::activation::{Activation, Function};
use crate::settings::{Backbone, ModelConfig};
use candle_core::{Result, Tensor};
use std::path::Path;

/// The graphs of llama.cpp that this program has a backbone for. Each has its activation built in and reads
/// none from the file.
const GRAPHS: [(&str, Backbone, Activation); 3] = [
    ("llama", Backbone::Llama, Activation { function: Function::Silu, gated: true }),
    ("arcee", Backbone::Llama, Activation { function: Function::Relu2, gated: false }),
    ("gpt2", Backbone::Gpt2, Activation { function: Function::GeluTanh, gated: false }),
];

/// The graph of llama.cpp that computes a checkpoint of this backbone and activation, where there is one.
pub fn llama_cpp_graph(backbone: Backbone, act: Activation) -> Option<&'static str> {
    GRAPHS.iter().find(|graph| (graph.1, graph.2) == (backbone, act)).map(|graph| graph.0)
}

/// Whether a path is a GGUF file, by its name.
pub fn is_gguf(path: &Path) -> bool {
    path.is_file() && path.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gguf"))
}

/// Parts of a parameter's name in transformers and in GGUF.
const NAMES: [(&str, &str); 21] = [
    ("model.embed_tokens", "token_embd"),
    ("model.norm", "output_norm"),
    ("input_layernorm", "attn_norm"),
    ("self_attn.q_proj", "attn_q"),
    ("self_attn.k_proj", "attn_k"),
    ("self_attn.v_proj", "attn_v"),
    ("self_attn.o_proj", "attn_output"),
    ("post_attention_layernorm", "ffn_norm"),
    ("mlp.gate_proj", "ffn_gate"),
    ("mlp.up_proj", "ffn_up"),
    ("mlp.down_proj", "ffn_down"),
    ("transformer.wte", "token_embd"),
    ("transformer.wpe", "position_embd"),
    ("transformer.ln_f", "output_norm"),
    ("ln_1", "attn_norm"),
    ("ln_2", "ffn_norm"),
    ("attn.c_attn", "attn_qkv"),
    ("attn.c_proj", "attn_output"),
    ("mlp.c_fc", "ffn_up"),
    ("mlp.c_proj", "ffn_down"),
    ("lm_head", "output"),
];

/// The name in GGUF of the parameter `name`.
fn gguf_name(name: &str) -> String {
    let (module, kind) = name.rsplit_once('.').unwrap_or((name, "weight"));
    let of = |part: &str| {
        NAMES.iter().find(|(ours, _)| *ours == part).map_or(module, |(_, theirs)| theirs).to_string()
    };
    let in_layer = ["model.layers.", "transformer.h."].iter().find_map(|layers| module.strip_prefix(layers));
    match in_layer.and_then(|rest| rest.split_once('.')) {
        Some((layer, part)) => format!("blk.{layer}.{}.{kind}", of(part)),
        None => format!("{}.{kind}", of(module)),
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
    fn of(config: &ModelConfig, name: &str) -> Layout {
        let ends = |part: &str| name.ends_with(&format!("{part}.weight"));
        match config.backbone {
            Backbone::Llama if ends("q_proj") => Layout::Interleaved(config.heads),
            Backbone::Llama if ends("k_proj") => Layout::Interleaved(config.kv_heads),
            Backbone::Gpt2 if ends("c_attn") || ends("c_proj") || ends("c_fc") => Layout::Transposed,
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
