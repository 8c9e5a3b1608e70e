//! The shape of a model: what a `config.json` says.

use crate::activation::Activation;
use crate::bail_input;
use anyhow::Result;
use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// The architecture around the FFN.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Backbone {
    /// RMSNorm, rotary positions, no biases, optionally grouped key/value heads.
    Llama,
    /// LayerNorm, learned positions, biases.
    Gpt2,
}

/// Largest dimensions: far above what can be trained here, far below overflow of their products.
pub const LARGEST: usize = 1 << 20;
pub const MOST_LAYERS: usize = 1 << 10;
pub const LARGEST_VOCABULARY: usize = 1 << 24;
/// No tensor of a checkpoint shows how long the context is, and these grow with it: the angles of rotary
/// positions (context x head size), and the keys and values of one sequence in all layers.
const MOST_ANGLES: usize = 1 << 28;
const MOST_KEYS_AND_VALUES: usize = 1 << 34;

/// Everything that determines a model's parameters and arithmetic.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all(deserialize = "kebab-case"))]
pub struct ModelConfig {
    pub backbone: Backbone,
    pub act: Activation,
    pub layers: usize,
    pub heads: usize,
    pub kv_heads: usize,
    pub dim: usize,
    pub ffn_dim: usize,
    pub context: usize,
    pub vocab_size: usize,
    /// The output head is the token embedding.
    pub tied: bool,
    pub init_std: f64,
    pub norm_eps: f64,
    pub rope_theta: f64,
}

impl ModelConfig {
    /// Size of one attention head.
    pub fn head_dim(&self) -> usize {
        self.dim / self.heads
    }

    /// Outputs of the FFN's gate; 0 where the activation isn't gated.
    pub fn gate_dim(&self) -> usize {
        if self.act.is_gated() { self.ffn_dim } else { 0 }
    }

    /// Refuses shapes that no model can have, naming the flag to change.
    pub fn validated(self) -> Result<Self> {
        let sizes = [
            ("--layers", self.layers, MOST_LAYERS),
            ("--heads", self.heads, LARGEST),
            ("--kv-heads", self.kv_heads, LARGEST),
            ("--dim", self.dim, LARGEST),
            ("--ffn-dim", self.ffn_dim, LARGEST),
            ("--context", self.context, LARGEST),
            ("the vocabulary size", self.vocab_size, LARGEST_VOCABULARY),
        ];
        for (name, size, largest) in sizes {
            if size == 0 || size > largest {
                bail_input!("{name} is {size}; it must be between 1 and {largest}");
            }
        }
        let (dim, heads, kv_heads) = (self.dim, self.heads, self.kv_heads);
        if dim % heads != 0 {
            bail_input!(
                "--heads {heads} does not divide --dim {dim}; try --heads {}",
                divisor_near(dim, heads)
            );
        }
        match self.backbone {
            Backbone::Llama if !self.head_dim().is_multiple_of(2) => bail_input!(
                "head size {} (--dim {dim} / --heads {heads}) is odd; rotary positions need an even one",
                self.head_dim()
            ),
            Backbone::Llama if heads % kv_heads != 0 => {
                bail_input!("--kv-heads {kv_heads} does not divide --heads {heads}")
            }
            Backbone::Gpt2 if heads != kv_heads => {
                bail_input!(
                    "--kv-heads {kv_heads} needs --backbone llama; gpt2 has one key/value head per head ({heads})"
                )
            }
            _ => {}
        }
        let angles = self.context * self.head_dim();
        // At most 2^1 2^10 2^20 2^20: no product overflows.
        let keys_and_values = 2 * self.layers * self.context * kv_heads * self.head_dim();
        if angles > MOST_ANGLES || keys_and_values > MOST_KEYS_AND_VALUES {
            bail_input!(
                "--context {} is too long for {} layers of {kv_heads} key/value heads of {}",
                self.context,
                self.layers,
                self.head_dim()
            );
        }
        for (name, value) in
            [("--init-std", self.init_std), ("--norm-eps", self.norm_eps), ("--rope-theta", self.rope_theta)]
        {
            if !(value.is_finite() && value > 0.0) {
                bail_input!("{name} is {value}; it must be a positive number");
            }
        }
        Ok(self)
    }
}

/// The divisor of `n` nearest to `wanted`.
fn divisor_near(n: usize, wanted: usize) -> usize {
    (1..=n).filter(|d| n.is_multiple_of(*d)).min_by_key(|d| d.abs_diff(wanted)).unwrap_or(1)
}
