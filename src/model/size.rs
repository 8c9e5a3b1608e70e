//! How large a model is: parameters by part, arithmetic per token, memory to train.

use super::param_map::ParamMap;
use super::param_spec::{ParamSpec, Part};
use crate::settings::{ModelConfig, Ops};

/// Counts of parameters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ModelSize {
    pub total: usize,
    pub embedding: usize,
    pub attention: usize,
    pub ffn: usize,
}

impl ModelSize {
    pub fn new(config: &ModelConfig) -> ModelSize {
        let specs = ParamMap::new(config).specs;
        let count = |keep: &dyn Fn(Part) -> bool| {
            specs.iter().filter(|spec| keep(spec.role.part())).map(ParamSpec::elements).sum()
        };
        ModelSize {
            total: count(&|_| true),
            embedding: count(&|part| matches!(part, Part::Embedding | Part::Head)),
            attention: count(&|part| part == Part::Attention),
            ffn: count(&|part| part == Part::Ffn),
        }
    }

    /// The FFN matrices' size against an ungated FFN of 4 dim: 0.01 is one per cent more.
    pub fn ffn_excess(config: &ModelConfig) -> f64 {
        let matrices = config.act.ffn_matrices() * config.dim * config.ffn_dim;
        matrices as f64 / (8 * config.dim * config.dim) as f64 - 1.0
    }
}

/// Floating-point operations to train on one token: 6 per weight of a matrix product and
/// 12 L C T for attention's two products (Chowdhery et al. 2022, appendix B).
pub fn training_flops_per_token(config: &ModelConfig) -> f64 {
    let weights: usize = ParamMap::new(config).linears().map(|linear| linear.inputs * linear.outputs).sum();
    (6 * weights) as f64 + (12 * config.layers * config.dim * config.context) as f64
}

/// Bytes that training needs, to a third: parameters, gradients, AdamW's two moments and a copy, the gradients of
/// a batch's second half, and what is kept for the backward pass, its gradients included.
pub fn training_bytes(config: &ModelConfig, batch_size: usize, ops: Ops) -> f64 {
    /// The process before it trains.
    const BASE: f64 = 30e6;
    let rows = batch_size as f64 * config.context as f64;
    let (copies, activations) = match ops {
        Ops::Plain => (5.0, reference_values(config, rows)),
        Ops::Fused => (6.0, super::fused::values(config, batch_size) as f64),
    };
    // A batch's ids, targets and losses.
    let batch = 3.0 * rows;
    BASE + 4.0 * (copies * ModelSize::new(config).total as f64 + activations + batch)
}

/// The most values that the reference holds for `rows` tokens, fitted to the peak memory of four shapes (docs/decisions.md).
fn reference_values(config: &ModelConfig, rows: f64) -> f64 {
    let (dim, ffn, heads) = (config.dim as f64, config.ffn_dim as f64, config.heads as f64);
    let kept = 36.0 * dim + 14.0 * ffn + 10.0 * heads * config.context as f64;
    rows * (kept * config.layers as f64 + 6.0 * config.vocab_size as f64)
}
