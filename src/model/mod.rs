//! The model: a decoder-only transformer as a composition of candle operations over named tensors.
//!
//! Read it bottom-up: `ops`, `attention`, `ffn`, `gpt`. Shapes use the field's
//! letters: B sequences, T tokens, C width, H heads, K key/value heads, D head size, F FFN hidden
//! size, V vocabulary. Between layers, activations are (B T, C): one row per token.

mod attention;
mod dispatch;
mod dropout;
mod ffn;
mod fused;
mod gpt;
mod linear;
mod norm;
mod ops;
mod params;
mod rope;
mod size;

pub use attention::Cache;
pub use dispatch::Memory;
pub use dropout::Dropout;
pub use ffn::Ffn;
pub use fused::{Exact, Fused, with_all_values_mut};
pub use gpt::{Gpt, Observer, Pass, Site};
pub use params::{Init, ParamSpec, Params, Part, param_specs};
pub use size::{ModelSize, training_bytes, training_flops_per_token};

#[cfg(test)]
mod tests;
