//! The forward pass: row by row between attentions, head by head inside them.

use super::linear::Weights;
use super::tiles::{Tile, Tiling};
use super::workspace::{Kept, PassShape};
use crate::model::Dropout;
use crate::model::kernels::attention::{self, AttentionShape};
use crate::model::kernels::rope::Angles;
use crate::model::kernels::scratch::Scratch;
use crate::model::kernels::{activate, add, norm};
use crate::model::param_map::{BlockParams, ParamMap};
use crate::settings::ModelConfig;
use rayon::prelude::*;

/// What every task of a pass reads.
#[derive(Clone, Copy)]
pub struct FusedPass<'a> {
    pub config: &'a ModelConfig,
    pub map: &'a ParamMap,
    pub weights: Weights<'a>,
    pub angles: Option<&'a Angles>,
    pub shape: PassShape,
    pub dropout: Option<Dropout>,
}

/// One task between two attentions.
struct Task<'a> {
    tile: Tile,
    x: &'a [f32],
    after_attention: &'a mut [f32],
    gate: &'a mut [f32],
    up: &'a mut [f32],
    next: &'a mut [f32],
    next_qkv: &'a mut [f32],
}

impl FusedPass<'_> {
    pub fn attention_shape(&self) -> AttentionShape {
        AttentionShape {
            tokens: self.shape.tokens,
            heads: self.config.heads,
            kv_heads: self.config.kv_heads,
            head_dim: self.config.head_dim(),
        }
    }

    /// Drops from rows (N, C) whose first is row `first` of the pass.
    pub fn drop(&self, values: &mut [f32], first: usize, layer: usize, place: &str) {
        if let Some(dropout) = self.dropout {
            dropout.apply(values, (self.shape.first_row + first) * self.config.dim, layer, place);
        }
    }

    /// Leaves the residual stream after the last block in `kept.x`.
    pub fn forward(&self, ids: &[u32], kept: &mut Kept) {
        self.embed(ids, kept);
        for layer in 0..self.config.layers {
            self.attend(layer, kept);
            self.transform(layer, kept);
        }
    }

    /// Embeddings, and the first block's queries, keys and values.
    fn embed(&self, ids: &[u32], kept: &mut Kept) {
        let tiling = self.shape.tiling();
        let (ids, dim) = (tiling.read(ids, 1), self.config.dim);
        let mut x = tiling.write(&mut kept.x[0], dim);
        let mut qkv = tiling.write(&mut kept.qkv[0], self.attention_shape().width());
        let tasks: Vec<_> = tiling.tiles().map(|tile| (tile, x.next(tile), qkv.next(tile))).collect();
        tasks.into_par_iter().for_each(|(tile, x, qkv)| {
            let table = self.weights.get(self.map.embedding);
            for (i, (x, id)) in x.chunks_exact_mut(dim).zip(ids.of(tile)).enumerate() {
                x.copy_from_slice(&table[*id as usize * dim..][..dim]);
                if let Some(positions) = self.map.positions {
                    let position = (tile.first + i) % self.shape.tokens;
                    add(x, &self.weights.get(positions)[position * dim..][..dim]);
                }
            }
            self.drop(x, tile.first, 0, "embedding");
            self.project(&self.map.blocks[0], x, qkv);
        });
    }

    /// (N, C) -> (N, (H + 2 K) D): norm, then queries, keys and values side by side.
    fn project(&self, block: &BlockParams, x: &[f32], qkv: &mut [f32]) {
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
        // The row of this cut is a key/value head of a sequence.
        let units = Tiling { rows: self.shape.sequences * kv_heads, tile_rows: 1 };
        let qkv = &kept.qkv[layer % kept.qkv.len()];
        let slot = layer % kept.mixed.len();
        let mut mixed = units.write(&mut kept.mixed[slot], shape.group() * shape.tokens * shape.head_dim);
        let mut log_sums = units.write(&mut kept.log_sums[slot], shape.group() * shape.tokens);
        let tasks: Vec<_> =
            units.tiles().map(|unit| (unit.first, mixed.next(unit), log_sums.next(unit))).collect();
        tasks.into_par_iter().for_each(|(unit, mixed, log_sums)| {
            let qkv = &qkv[unit / kv_heads * sequence..][..sequence];
            attention::forward(shape, qkv, unit % kv_heads, self.angles, mixed, log_sums);
        });
    }

    /// Attention's output, the FFN, and the next block's queries, keys and values.
    fn transform(&self, layer: usize, kept: &mut Kept) {
        let (config, tiling) = (self.config, self.shape.tiling());
        let (streams, slots) = (kept.x.len(), kept.mixed.len());
        let (slot, next_slot) = (layer % slots, (layer + 1) % slots);
        let [x, next] =
            kept.x.get_disjoint_mut([layer % streams, (layer + 1) % streams]).expect("two streams");
        let (x, mixed) = (tiling.read(x, config.dim), &kept.mixed[slot]);
        let mut after_attention = tiling.write(&mut kept.after_attention[slot], config.dim);
        let mut gate = tiling.write(&mut kept.gate[slot], config.gate_dim());
        let mut up = tiling.write(&mut kept.up[slot], config.ffn_dim);
        let mut next = tiling.write(next, config.dim);
        let mut next_qkv = tiling.write(&mut kept.qkv[next_slot], self.attention_shape().width());
        let tasks: Vec<Task> = tiling
            .tiles()
            .map(|tile| Task {
                tile,
                x: x.of(tile),
                after_attention: after_attention.next(tile),
                gate: gate.next(tile),
                up: up.next(tile),
                next: next.next(tile),
                next_qkv: next_qkv.next(tile),
            })
            .collect();
        tasks.into_par_iter().for_each(|task| {
            self.add_attention(layer, mixed, task.x, task.tile.first, task.after_attention);
            self.add_ffn(layer, task.tile.first, task.after_attention, task.gate, task.up, task.next);
            if let Some(block) = self.map.blocks.get(layer + 1) {
                self.project(block, task.next, task.next_qkv);
            }
        });
    }

    /// out = x + attention's output
    fn add_attention(&self, layer: usize, mixed: &[f32], x: &[f32], first: usize, out: &mut [f32]) {
        let mut rows = Scratch::new(x.len());
        self.gather_heads(mixed, first, &mut rows);
        self.map.blocks[layer].attention_output.forward(self.weights, &rows, out, self.config.dim);
        self.drop(out, first, layer, "attention");
        add(out, x);
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

    /// next = x + FFN(norm(x))
    fn add_ffn(
        &self,
        layer: usize,
        first: usize,
        x: &[f32],
        gate: &mut [f32],
        up: &mut [f32],
        next: &mut [f32],
    ) {
        let (block, ffn_dim) = (&self.map.blocks[layer], self.config.ffn_dim);
        let mut normed = Scratch::new(x.len());
        norm::forward(block.ffn_norm.of(self.weights, self.config.norm_eps), x, &mut normed);
        block.up.forward(self.weights, &normed, up, ffn_dim);
        let (mut hidden, scalars) = (Scratch::new(up.len()), block.scalars(self.weights));
        match &block.gate {
            Some(linear) => {
                linear.forward(self.weights, &normed, gate, ffn_dim);
                activate::forward(self.config.act, &scalars, [gate, up], &mut hidden);
            }
            None => activate::forward(self.config.act, &scalars, [up, &[]], &mut hidden),
        }
        block.down.forward(self.weights, &hidden, next, self.config.dim);
        self.drop(next, first, layer, "ffn");
        add(next, x);
    }
}
