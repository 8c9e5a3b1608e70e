//! Buffers that a pass writes to, kept for the next one.

use crate::settings::ModelConfig;

/// Sequences of one length, a number of them at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    pub sequences: usize,
    pub tokens: usize,
    /// The batch's row that this pass's first row is.
    pub first_row: usize,
}

impl Shape {
    pub fn rows(&self) -> usize {
        self.sequences * self.tokens
    }

    /// Rows of one task: enough for matrix products to be fast, few enough that there are tasks for
    /// many threads and that a task's values stay in its core's cache.
    pub fn tile_rows(&self) -> usize {
        self.rows().div_ceil(2).next_multiple_of(16).min(192)
    }

    pub fn tiles(&self) -> usize {
        self.rows().div_ceil(self.tile_rows())
    }
}

/// Queries, keys and values of a row.
fn qkv_width(config: &ModelConfig) -> usize {
    (config.heads + 2 * config.kv_heads) * config.head_dim()
}

fn gate_width(config: &ModelConfig) -> usize {
    if config.act.gated { config.ffn_dim } else { 0 }
}

/// Values of a row in [`Kept`], for each layer.
pub fn kept_width(config: &ModelConfig) -> usize {
    3 * config.dim + qkv_width(config) + config.heads + config.ffn_dim + gate_width(config)
}

/// Values of a row in [`Gradient`].
pub fn gradient_width(config: &ModelConfig) -> usize {
    6 * config.dim + 2 * qkv_width(config) + 2 * config.ffn_dim + gate_width(config)
}

/// What the forward pass leaves behind: for every layer where a backward pass follows, otherwise for
/// the layer at work. N rows, C = dim, F = ffn_dim.
#[derive(Default)]
pub struct Kept {
    /// The residual stream before each block and after the last: (N, C).
    pub x: Vec<Vec<f32>>,
    /// Queries, keys and values before their positions: (N, (H + 2 K) D).
    pub qkv: Vec<Vec<f32>>,
    /// Attention's mixed values: (B, H, T, D).
    pub mixed: Vec<Vec<f32>>,
    /// Attention's log-sum-exps: (B, H, T).
    pub log_sums: Vec<Vec<f32>>,
    /// The residual stream between attention and FFN: (N, C).
    pub middle: Vec<Vec<f32>>,
    /// What the gate's function reads: (N, F), empty without a gate.
    pub gate: Vec<Vec<f32>>,
    /// (N, F)
    pub up: Vec<Vec<f32>>,
}

impl Kept {
    /// Makes room for `rows` rows of `layers` layers.
    pub fn resize(&mut self, config: &ModelConfig, rows: usize, layers: usize) {
        let (width, gate) = (qkv_width(config), gate_width(config));
        resize(&mut self.x, layers + 1, rows * config.dim);
        resize(&mut self.qkv, layers, rows * width);
        resize(&mut self.mixed, layers, rows * config.dim);
        resize(&mut self.log_sums, layers, rows * config.heads);
        resize(&mut self.middle, layers, rows * config.dim);
        resize(&mut self.gate, layers, rows * gate);
        resize(&mut self.up, layers, rows * config.ffn_dim);
    }
}

fn resize(buffers: &mut Vec<Vec<f32>>, count: usize, len: usize) {
    buffers.resize_with(count, Vec::new);
    for buffer in buffers {
        buffer.resize(len, 0.0);
    }
}

/// What the backward pass of one layer writes. N rows, C = dim, F = ffn_dim.
#[derive(Default)]
pub struct Gradient {
    /// Of the residual stream after the block, then before it: (N, C).
    pub dx: Vec<f32>,
    /// Of the residual stream between attention and FFN: (N, C).
    pub d_middle: Vec<f32>,
    /// `dx` and `d_middle` as dropout lets them through to the FFN and to attention: (N, C), empty
    /// without dropout.
    pub d_ffn: Vec<f32>,
    pub d_attention: Vec<f32>,
    /// What the down projection reads, made again: (N, F).
    pub hidden: Vec<f32>,
    pub d_gate: Vec<f32>,
    pub d_up: Vec<f32>,
    /// What the up projection and what the query, key and value projections read: (N, C).
    pub ffn_normed: Vec<f32>,
    pub attention_normed: Vec<f32>,
    /// Attention's mixed values, made rows again, and their gradient: (N, H D).
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
    pub fn resize(&mut self, config: &ModelConfig, shape: Shape, dropout: bool) {
        let rows = shape.rows();
        let (width, gate) = (qkv_width(config), gate_width(config));
        let (dim, ffn_dim) = (config.dim, config.ffn_dim);
        let masked = if dropout { dim } else { 0 };
        for (buffer, width) in [
            (&mut self.dx, dim),
            (&mut self.d_middle, dim),
            (&mut self.d_ffn, masked),
            (&mut self.d_attention, masked),
            (&mut self.hidden, ffn_dim),
            (&mut self.d_gate, gate),
            (&mut self.d_up, ffn_dim),
            (&mut self.ffn_normed, dim),
            (&mut self.attention_normed, dim),
            (&mut self.mixed_rows, dim),
            (&mut self.d_mixed, dim),
            (&mut self.d_qkv_heads, width),
            (&mut self.d_qkv, width),
        ] {
            buffer.resize(rows * width, 0.0);
        }
        self.d_norm.resize(shape.tiles() * 2 * dim, 0.0);
    }
}
