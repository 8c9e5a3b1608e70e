//! The forward pass: row by row between attentions, head by head inside them.

use super::layout::{Block, Layout, Weights};
use super::workspace::{Kept, Shape};
use crate::kernels::attention::{self, Shape as AttentionShape};
use crate::kernels::rope::Angles;
use crate::kernels::scratch::Scratch;
use crate::kernels::{activate, add, norm};
use crate::model::Dropout;
use crate::settings::ModelConfig;
use rayon::prelude::*;

/// What every task of a pass reads.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    pub config: &'a ModelConfig,
    pub layout: &'a Layout,
    pub weights: Weights<'a>,
    pub angles: Option<&'a Angles>,
    pub shape: Shape,
    pub dropout: Option<Dropout>,
}

/// The rows of one task in the phase between two attentions.
struct Tile<'a> {
    first: usize,
    x: &'a [f32],
    middle: &'a mut [f32],
    gate: &'a mut [f32],
    up: &'a mut [f32],
    next: &'a mut [f32],
    next_qkv: &'a mut [f32],
}

impl Context<'_> {
    pub fn attention_shape(&self) -> AttentionShape {
        AttentionShape {
            tokens: self.shape.tokens,
            heads: self.config.heads,
            kv_heads: self.config.kv_heads,
            head_dim: self.config.head_dim(),
        }
    }

    /// Drops from rows (N, C) whose first is row `first` of the pass.
    pub fn drop(&self, values: &mut [f32], first: usize, layer: usize, site: &str) {
        if let Some(dropout) = self.dropout {
            dropout.apply(values, (self.shape.first_row + first) * self.config.dim, layer, site);
        }
    }

    /// Rows of `kept.x` after the last block.
    pub fn forward(&self, ids: &[u32], kept: &mut Kept) {
        self.embed(ids, kept);
        for layer in 0..self.config.layers {
            self.attend(layer, kept);
            self.transform(layer, kept);
        }
    }

    /// Embeddings, and the first block's queries, keys and values.
    fn embed(&self, ids: &[u32], kept: &mut Kept) {
        let (dim, rows) = (self.config.dim, self.shape.tile_rows());
        let x = kept.x[0].par_chunks_mut(rows * dim);
        let qkv = kept.qkv[0].par_chunks_mut(rows * self.attention_shape().width());
        x.zip(qkv).zip(ids.par_chunks(rows)).enumerate().for_each(|(tile, ((x, qkv), ids))| {
            let table = self.weights.get(self.layout.embedding);
            for (i, (x, id)) in x.chunks_exact_mut(dim).zip(ids).enumerate() {
                x.copy_from_slice(&table[*id as usize * dim..][..dim]);
                if let Some(positions) = self.layout.positions {
                    let position = (tile * rows + i) % self.shape.tokens;
                    add(x, &self.weights.get(positions)[position * dim..][..dim]);
                }
            }
            self.drop(x, tile * rows, 0, "embedding");
            self.project(&self.layout.blocks[0], x, qkv);
        });
    }

    /// (N, C) -> (N, (H + 2 K) D): norm, then queries, keys and values side by side.
    fn project(&self, block: &Block, x: &[f32], qkv: &mut [f32]) {
        let mut normed = Scratch::new(x.len());
        norm::forward(block.attention_norm.of(self.weights, self.config.norm_eps), x, &mut normed);
        let (mut column, width) = (0, self.attention_shape().width());
        for linear in &block.qkv {
            linear.forward(self.weights, &normed, &mut qkv[column..], width);
            column += linear.outputs;
        }
    }

    /// Attention, by sequence and key/value head.
    fn attend(&self, layer: usize, kept: &mut Kept) {
        let shape = self.attention_shape();
        let (kv_heads, sequence) = (shape.kv_heads, shape.tokens * shape.width());
        let qkv = &kept.qkv[layer % kept.qkv.len()];
        let slot = layer % kept.mixed.len();
        let mixed = kept.mixed[slot].par_chunks_mut(shape.group() * shape.tokens * shape.head_dim);
        let sums = kept.log_sums[slot].par_chunks_mut(shape.group() * shape.tokens);
        mixed.zip(sums).enumerate().for_each(|(unit, (mixed, sums))| {
            let qkv = &qkv[unit / kv_heads * sequence..][..sequence];
            attention::forward(shape, qkv, unit % kv_heads, self.angles, mixed, sums);
        });
    }

    /// Attention's output, the FFN, and the next block's queries, keys and values.
    fn transform(&self, layer: usize, kept: &mut Kept) {
        let config = self.config;
        let (streams, slots) = (kept.x.len(), kept.mixed.len());
        let [x, next] =
            kept.x.get_disjoint_mut([layer % streams, (layer + 1) % streams]).expect("two streams");
        let (slot, next_slot) = (layer % slots, (layer + 1) % slots);
        let mixed = &kept.mixed[slot];
        let rows = self.shape.tile_rows();
        let gate_width = if config.act.gated { config.ffn_dim } else { 0 };
        // A last block has no next one: its tiles get nothing to write queries, keys and values to.
        let is_last = layer + 1 == config.layers;
        let mut middle = kept.middle[slot].chunks_mut(rows * config.dim);
        let mut gate = kept.gate[slot].chunks_mut((rows * gate_width).max(1));
        let mut up = kept.up[slot].chunks_mut(rows * config.ffn_dim);
        let mut next = next.chunks_mut(rows * config.dim);
        let mut next_qkv = kept.qkv[next_slot].chunks_mut(rows * self.attention_shape().width());
        let mut tiles = Vec::new();
        for (i, x) in x.chunks(rows * config.dim).enumerate() {
            tiles.push(Tile {
                first: i * rows,
                x,
                middle: middle.next().unwrap_or_default(),
                gate: gate.next().unwrap_or_default(),
                up: up.next().unwrap_or_default(),
                next: next.next().unwrap_or_default(),
                next_qkv: next_qkv.next().filter(|_| !is_last).unwrap_or_default(),
            });
        }
        tiles.into_par_iter().for_each(|tile| {
            self.add_attention(layer, mixed, tile.x, tile.first, tile.middle);
            self.add_ffn(layer, tile.first, tile.middle, tile.gate, tile.up, tile.next);
            if !is_last {
                self.project(&self.layout.blocks[layer + 1], tile.next, tile.next_qkv);
            }
        });
    }

    /// middle = x + attention's output
    fn add_attention(&self, layer: usize, mixed: &[f32], x: &[f32], first: usize, middle: &mut [f32]) {
        let mut rows = Scratch::new(x.len());
        self.gather_heads(mixed, first, &mut rows);
        let output = self.layout.blocks[layer].attention_output;
        output.forward(self.weights, &rows, middle, self.config.dim);
        self.drop(middle, first, layer, "attention");
        add(middle, x);
    }

    /// Rows (N, H D), the first being row `first`, of mixed values (B, H, T, D).
    pub fn gather_heads(&self, mixed: &[f32], first: usize, rows: &mut [f32]) {
        let AttentionShape { tokens, heads, head_dim: d, .. } = self.attention_shape();
        for (i, row) in rows.chunks_exact_mut(heads * d).enumerate() {
            let (sequence, token) = ((first + i) / tokens, (first + i) % tokens);
            for (head, part) in row.chunks_exact_mut(d).enumerate() {
                part.copy_from_slice(&mixed[((sequence * heads + head) * tokens + token) * d..][..d]);
            }
        }
    }

    /// next = middle + FFN(norm(middle))
    fn add_ffn(
        &self,
        layer: usize,
        first: usize,
        middle: &[f32],
        gate: &mut [f32],
        up: &mut [f32],
        next: &mut [f32],
    ) {
        let (block, ffn_dim) = (&self.layout.blocks[layer], self.config.ffn_dim);
        let mut normed = Scratch::new(middle.len());
        norm::forward(block.ffn_norm.of(self.weights, self.config.norm_eps), middle, &mut normed);
        block.up.forward(self.weights, &normed, up, ffn_dim);
        let mut hidden = Scratch::new(up.len());
        match &block.gate {
            Some(linear) => {
                linear.forward(self.weights, &normed, gate, ffn_dim);
                activate::forward(self.config.act, gate, up, &mut hidden);
            }
            None => activate::forward(self.config.act, up, &[], &mut hidden),
        }
        block.down.forward(self.weights, &hidden, next, self.config.dim);
        self.drop(next, first, layer, "ffn");
        add(next, middle);
    }
}
