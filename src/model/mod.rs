//! The model: a decoder-only transformer, twice.
//!
//! [`Gpt`] is the reference, built from candle modules; it runs on every device. `fused::FusedGpt`
//! computes the same function with kernels, faster, for f32 on a CPU. [`Model`] holds the parameters and chooses
//! between the two once. [`ParamMap`] says which parameters there are, for both.
//!
//! Read it bottom-up: `ops`, `attention`, `ffn`, `gpt`. Shapes use the field's letters: B sequences, T tokens,
//! C width, H heads, K key/value heads, D head size, F FFN hidden size, V vocabulary, N rows (tokens of all
//! sequences).

mod attention;
mod decoder;
mod dropout;
mod engine;
mod ffn;
mod fused;
mod gpt;
mod gradients;
pub mod kernels;
mod linear;
mod norm;
mod observe;
mod ops;
mod param_map;
mod param_spec;
mod params;
mod parts;
mod positions;
mod size;

pub use candle_nn::kv_cache::KvCache;
pub use decoder::Decoder;
pub use dropout::Dropout;
pub use engine::Model;
pub use ffn::{Ffn, Hidden};
pub use fused::with_all_values_mut;
pub use gpt::{Gpt, Pass};
pub use gradients::Gradients;
pub use linear::{Linear, is_full, rows};
pub use observe::Site;
pub use param_map::{BlockParams, LinearParams, NormParams, ParamMap};
pub use param_spec::{Init, ParamSpec, Part, Role};
pub use params::Params;
pub use parts::Tensors;
pub use size::ModelSize;
pub(crate) use size::{training_bytes, training_flops_per_token};

#[cfg(test)]
mod tests;
