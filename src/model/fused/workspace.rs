//! Buffers that a pass writes to, kept for the next one.

use super::tiles::Tiling;
use crate::settings::ModelConfig;

/// Tokens that go through the model together, or two sequences if these are more. The others follow, one group of
/// sequences after the other, so that a large batch needs no more memory.
pub const TOKENS_TOGETHER: usize = 1536;

/// Sequences of `tokens` tokens that go through the model together.
pub fn sequences_together(tokens: usize) -> usize {
    (TOKENS_TOGETHER / tokens).max(1)
}

/// Sequences of one length, a number of them at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PassShape {
    pub sequences: usize,
    pub tokens: usize,
    /// The batch's row that this pass's first row is.
    pub first_row: usize,
}

impl PassShape {
    pub fn rows(&self) -> usize {
        self.sequences * self.tokens
    }

    /// Tiles of one task each: enough rows for matrix products to be fast, few enough that there are tasks
    /// for many threads and that a task's values stay in its core's cache.
    pub fn tiling(&self) -> Tiling {
        Tiling { rows: self.rows(), tile_rows: self.rows().div_ceil(2).next_multiple_of(16).min(192) }
    }
}

/// Values of a row of queries, keys and values.
fn qkv_width(config: &ModelConfig) -> usize {
    (config.heads + 2 * config.kv_heads) * config.head_dim()
}

/// What the forward pass leaves behind: for every layer where a backward pass follows, otherwise for
/// the layer at work. N rows, C = dim, F = ffn_dim.
#[derive(Default)]
pub struct Kept {
    /// The residual stream before each block and after the last: (N, C).
    pub x: Vec<Vec<f32>>,
    /// Queries, keys and values before their rotation: (N, (H + 2 K) D).
    pub qkv: Vec<Vec<f32>>,
    /// Attention's mixed values: (B, H, T, D).
    pub mixed: Vec<Vec<f32>>,
    /// Attention's log-sum-exps: (B, H, T).
    pub log_sums: Vec<Vec<f32>>,
    /// The residual stream between attention and FFN: (N, C).
    pub after_attention: Vec<Vec<f32>>,
    /// What the gate's function reads: (N, F), empty without a gate.
    pub gate: Vec<Vec<f32>>,
    /// (N, F)
    pub up: Vec<Vec<f32>>,
}

/// A kind of buffer: values per row, and how many there are for so many layers.
type Size = (usize, usize);

impl Kept {
    /// The size of each buffer, in the order of the fields.
    fn sizes(config: &ModelConfig, layers: usize) -> [Size; 7] {
        [
            (config.dim, layers + 1),
            (qkv_width(config), layers),
            (config.dim, layers),
            (config.heads, layers),
            (config.dim, layers),
            (config.gate_dim(), layers),
            (config.ffn_dim, layers),
        ]
    }

    /// Makes room for `rows` rows of `layers` layers.
    pub fn resize(&mut self, config: &ModelConfig, rows: usize, layers: usize) {
        let Kept { x, qkv, mixed, log_sums, after_attention, gate, up } = self;
        let fields = [x, qkv, mixed, log_sums, after_attention, gate, up];
        for (buffers, (width, count)) in fields.into_iter().zip(Kept::sizes(config, layers)) {
            buffers.resize_with(count, Vec::new);
            buffers.iter_mut().for_each(|buffer| buffer.resize(rows * width, 0.0));
        }
    }

    /// Values per row that [`Kept::resize`] makes room for.
    pub fn width(config: &ModelConfig, layers: usize) -> usize {
        Kept::sizes(config, layers).iter().map(|(width, count)| width * count).sum()
    }
}

/// What the backward pass of one layer writes. N rows, C = dim, F = ffn_dim.
#[derive(Default)]
pub struct Gradient {
    /// Of the residual stream after the block, then before it: (N, C).
    pub dx: Vec<f32>,
    /// Of the residual stream between attention and FFN: (N, C).
    pub d_after_attention: Vec<f32>,
    /// `dx` and `d_after_attention` as dropout lets them through to the FFN and to attention: (N, C), empty
    /// without dropout.
    pub d_ffn: Vec<f32>,
    pub d_attention: Vec<f32>,
    /// What the down projection reads, computed again: (N, F).
    pub hidden: Vec<f32>,
    pub d_gate: Vec<f32>,
    pub d_up: Vec<f32>,
    /// What the up projection and what the query, key and value projections read: (N, C).
    pub ffn_normed: Vec<f32>,
    pub attention_normed: Vec<f32>,
    /// Attention's mixed values by rows, and their gradient: (N, H D).
    pub mixed_rows: Vec<f32>,
    pub d_mixed: Vec<f32>,
    /// Of queries, keys and values: by head as attention leaves them, and by rows.
    pub d_qkv_heads: Vec<f32>,
    pub d_qkv: Vec<f32>,
    /// Each tile's sums for a norm's weight and bias: (tiles, 2 C).
    pub d_norm: Vec<f32>,
    /// (rows of a slab, V)
    pub logits: Vec<f32>,
}

impl Gradient {
    /// Values per row of each buffer, in the order of the fields up to `d_qkv`.
    fn widths(config: &ModelConfig, dropout: bool) -> [usize; 13] {
        let (dim, ffn_dim, gate_dim, qkv) =
            (config.dim, config.ffn_dim, config.gate_dim(), qkv_width(config));
        let masked = if dropout { dim } else { 0 };
        [dim, dim, masked, masked, ffn_dim, gate_dim, ffn_dim, dim, dim, dim, dim, qkv, qkv]
    }

    pub fn resize(&mut self, config: &ModelConfig, shape: PassShape, dropout: bool) {
        let Gradient { dx, d_after_attention, d_ffn, d_attention, hidden, d_gate, d_up, .. } = self;
        let Gradient { ffn_normed, attention_normed, mixed_rows, d_mixed, d_qkv_heads, d_qkv, .. } = self;
        let fields = [
            dx,
            d_after_attention,
            d_ffn,
            d_attention,
            hidden,
            d_gate,
            d_up,
            ffn_normed,
            attention_normed,
            mixed_rows,
            d_mixed,
            d_qkv_heads,
            d_qkv,
        ];
        for (buffer, width) in fields.into_iter().zip(Gradient::widths(config, dropout)) {
            buffer.resize(shape.rows() * width, 0.0);
        }
        self.d_norm.resize(shape.tiling().count() * 2 * config.dim, 0.0);
    }

    /// Values per row that [`Gradient::resize`] makes room for, the few for norms aside.
    pub fn width(config: &ModelConfig) -> usize {
        Gradient::widths(config, false).iter().sum()
    }
}
