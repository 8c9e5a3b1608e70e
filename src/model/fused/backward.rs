//! The backward pass of the blocks, from the last to the first.
//!
//! Three phases a layer, each cut into tasks by shape: the FFN and attention's output by rows;
//! attention by heads, beside the gradients of the weights that are known by then; the queries, keys
//! and values by rows. Their weights' gradients are left to the next layer's first phase.

use super::forward::Context;
use super::layout::Linear;
use super::weight_gradients::{Gradients, Product};
use super::workspace::{Gradient, Kept};
use crate::kernels::matmul::{Into, Matrix};
use crate::kernels::scratch::Scratch;
use crate::kernels::{activate, add, attention, norm};
use rayon::prelude::*;

/// The rows of one task of the first phase.
struct FfnTile<'a> {
    first: usize,
    middle: &'a [f32],
    gate: &'a [f32],
    up: &'a [f32],
    dx: &'a [f32],
    d_ffn: &'a mut [f32],
    hidden: &'a mut [f32],
    d_gate: &'a mut [f32],
    d_up: &'a mut [f32],
    normed: &'a mut [f32],
    d_middle: &'a mut [f32],
    d_attention: &'a mut [f32],
    mixed_rows: &'a mut [f32],
    d_mixed: &'a mut [f32],
    d_norm: &'a mut [f32],
}

/// The rows of one task of the third phase.
struct QkvTile<'a> {
    first: usize,
    x: &'a [f32],
    d_middle: &'a [f32],
    normed: &'a mut [f32],
    d_qkv: &'a mut [f32],
    dx: &'a mut [f32],
    d_norm: &'a mut [f32],
}

/// Chunks of `rows` rows of a buffer, for ever: empty ones once it is used up.
fn tiles<'a>(buffer: &'a mut [f32], rows: usize, width: usize) -> impl FnMut() -> &'a mut [f32] {
    let mut chunks = buffer.chunks_mut((rows * width).max(1));
    move || chunks.next().unwrap_or_default()
}

impl Context<'_> {
    /// From the gradient of the last residual stream in `to.dx` to that of the first, in the same
    /// place, adding the blocks' gradients up in `sums`.
    pub fn backward(&self, kept: &Kept, to: &mut Gradient, sums: &mut Gradients) {
        let layers = self.config.layers;
        for layer in (0..layers).rev() {
            self.ffn_phase(layer, kept, to, sums, layer + 1 < layers);
            sums.add_norm(self.layout.blocks[layer].ffn_norm, &to.d_norm);
            self.attention_phase(layer, kept, to, sums);
            self.qkv_phase(layer, kept, to);
            sums.add_norm(self.layout.blocks[layer].attention_norm, &to.d_norm);
        }
        sums.add_products(&self.qkv_products(0, &to.attention_normed, &to.d_qkv));
    }

    /// dx -> d_middle, d_mixed and all that the weights' gradients are made of. Beside it, where
    /// there is one above, the gradients of that layer's query, key and value projections.
    fn ffn_phase(&self, layer: usize, kept: &Kept, to: &mut Gradient, sums: &mut Gradients, above: bool) {
        let config = self.config;
        let (rows, dim, ffn_dim) = (self.shape.tile_rows(), config.dim, config.ffn_dim);
        let gate_width = if config.act.gated { ffn_dim } else { 0 };
        let mut d_ffn = tiles(&mut to.d_ffn, rows, dim);
        let mut hidden = tiles(&mut to.hidden, rows, ffn_dim);
        let mut d_gate = tiles(&mut to.d_gate, rows, gate_width);
        let mut d_up = tiles(&mut to.d_up, rows, ffn_dim);
        let mut normed = tiles(&mut to.ffn_normed, rows, dim);
        let mut d_middle = tiles(&mut to.d_middle, rows, dim);
        let mut d_attention = tiles(&mut to.d_attention, rows, dim);
        let mut mixed_rows = tiles(&mut to.mixed_rows, rows, dim);
        let mut d_mixed = tiles(&mut to.d_mixed, rows, dim);
        let mut d_norm = tiles(&mut to.d_norm, 2, dim);
        let mut gate = kept.gate[layer].chunks((rows * gate_width).max(1));
        let inputs = kept.middle[layer].chunks(rows * dim).zip(kept.up[layer].chunks(rows * ffn_dim));
        let mut tasks = Vec::new();
        for (i, ((middle, up), dx)) in inputs.zip(to.dx.chunks(rows * dim)).enumerate() {
            tasks.push(FfnTile {
                first: i * rows,
                middle,
                gate: gate.next().unwrap_or_default(),
                up,
                dx,
                d_ffn: d_ffn(),
                hidden: hidden(),
                d_gate: d_gate(),
                d_up: d_up(),
                normed: normed(),
                d_middle: d_middle(),
                d_attention: d_attention(),
                mixed_rows: mixed_rows(),
                d_mixed: d_mixed(),
                d_norm: d_norm(),
            });
        }
        let mixed = &kept.mixed[layer];
        let products = match above {
            true => self.qkv_products(layer + 1, &to.attention_normed, &to.d_qkv),
            false => Vec::new(),
        };
        rayon::join(
            || tasks.into_par_iter().for_each(|tile| self.ffn_tile(layer, mixed, tile)),
            || sums.add_products(&products),
        );
    }

    fn ffn_tile(&self, layer: usize, mixed: &[f32], tile: FfnTile) {
        let FfnTile { first, middle, gate, up, dx, normed, d_middle, .. } = tile;
        let (config, weights, block) = (self.config, self.weights, &self.layout.blocks[layer]);
        let rows = middle.len() / config.dim;
        let dropping = self.dropout.is_some();
        let masked = |to: &mut [f32], from: &[f32], site: &str| {
            to.copy_from_slice(from);
            self.drop(to, first, layer, site);
        };
        if dropping {
            masked(tile.d_ffn, dx, "ffn");
        }
        let d_output = if dropping { &*tile.d_ffn } else { dx };
        let d_output = Matrix::new(d_output, rows, config.dim);
        block.down.backward(weights, d_output, tile.hidden, Into::Replace);
        let mut d_normed = Scratch::new(middle.len());
        let d_rows = |values| Matrix::new(values, rows, config.ffn_dim);
        match &block.gate {
            Some(linear) => {
                activate::backward(config.act, gate, up, tile.hidden, tile.d_gate, tile.d_up);
                block.up.backward(weights, d_rows(tile.d_up), &mut d_normed, Into::Replace);
                linear.backward(weights, d_rows(tile.d_gate), &mut d_normed, Into::Add);
            }
            None => {
                activate::backward(config.act, up, &[], tile.hidden, tile.d_up, &mut []);
                block.up.backward(weights, d_rows(tile.d_up), &mut d_normed, Into::Replace);
            }
        }
        let ffn_norm = block.ffn_norm.of(weights, config.norm_eps);
        norm::forward(ffn_norm, middle, normed);
        self.norm_backward(ffn_norm, middle, &d_normed, dx, d_middle, tile.d_norm);
        if dropping {
            masked(tile.d_attention, d_middle, "attention");
        }
        let d_attention = if dropping { &*tile.d_attention } else { &*d_middle };
        let d_attention = Matrix::new(d_attention, rows, config.dim);
        block.attention_output.backward(weights, d_attention, tile.d_mixed, Into::Replace);
        self.gather_heads(mixed, first, tile.mixed_rows);
    }

    /// A norm's backward pass over a tile, whose sums for weight and bias go to `d_norm` (2 C).
    pub fn norm_backward(
        &self,
        norm: norm::Norm,
        x: &[f32],
        dy: &[f32],
        residual: &[f32],
        dx: &mut [f32],
        d_norm: &mut [f32],
    ) {
        d_norm.fill(0.0);
        let (d_weight, d_bias) = d_norm.split_at_mut(self.config.dim);
        let d_bias = if norm.bias.is_some() { d_bias } else { &mut [] };
        norm::backward(norm, x, dy, residual, dx, d_weight, d_bias);
    }

    /// d_mixed -> d_qkv_heads, and beside it the gradients of the FFN's and attention's output weights.
    fn attention_phase(&self, layer: usize, kept: &Kept, to: &mut Gradient, sums: &mut Gradients) {
        let (shape, block, rows) = (self.attention_shape(), &self.layout.blocks[layer], self.shape.rows());
        let (kv_heads, head_size) = (shape.kv_heads, shape.tokens * shape.head_dim);
        let (qkv, mixed, log_sums) = (&kept.qkv[layer], &kept.mixed[layer], &kept.log_sums[layer]);
        let d_mixed = &to.d_mixed;
        let unit_size = (shape.group() + 2) * head_size;
        let attend = |(unit, d_qkv): (usize, &mut [f32])| {
            let (sequence, kv) = (unit / kv_heads, unit % kv_heads);
            attention::backward(
                shape,
                &qkv[sequence * shape.tokens * shape.width()..][..shape.tokens * shape.width()],
                kv,
                self.angles,
                &mixed[unit * shape.group() * head_size..][..shape.group() * head_size],
                &log_sums[unit * shape.group() * shape.tokens..][..shape.group() * shape.tokens],
                &d_mixed[sequence * shape.heads * head_size..][..shape.heads * head_size],
                d_qkv,
            );
        };
        let dropping = self.dropout.is_some();
        let d_output = if dropping { &to.d_ffn } else { &to.dx };
        let d_attention = if dropping { &to.d_attention } else { &to.d_middle };
        let product = |linear: Linear, x, dy| Product::new(linear, x, Matrix::new(dy, rows, linear.outputs));
        let mut products = vec![
            product(block.down, &to.hidden, d_output),
            product(block.up, &to.ffn_normed, &to.d_up),
            product(block.attention_output, &to.mixed_rows, d_attention),
        ];
        products.extend(block.gate.map(|gate| product(gate, &to.ffn_normed, &to.d_gate)));
        let d_qkv_heads = &mut to.d_qkv_heads;
        rayon::join(
            || d_qkv_heads.par_chunks_mut(unit_size).enumerate().for_each(attend),
            || sums.add_products(&products),
        );
    }

    /// The query, key and value projections of a layer, for their gradients.
    fn qkv_products<'a>(&self, layer: usize, normed: &'a [f32], d_qkv: &'a [f32]) -> Vec<Product<'a>> {
        let (mut column, width) = (0, self.attention_shape().width());
        let mut products = Vec::new();
        for linear in &self.layout.blocks[layer].qkv {
            let dy = Matrix::strided(&d_qkv[column..], self.shape.rows(), linear.outputs, width);
            products.push(Product::new(*linear, normed, dy));
            column += linear.outputs;
        }
        products
    }

    /// d_qkv_heads -> d_qkv and, with d_middle, dx before the block.
    fn qkv_phase(&self, layer: usize, kept: &Kept, to: &mut Gradient) {
        let (rows, dim) = (self.shape.tile_rows(), self.config.dim);
        let mut normed = tiles(&mut to.attention_normed, rows, dim);
        let mut d_qkv = tiles(&mut to.d_qkv, rows, self.attention_shape().width());
        let mut dx = tiles(&mut to.dx, rows, dim);
        let mut d_norm = tiles(&mut to.d_norm, 2, dim);
        let mut tasks = Vec::new();
        let inputs = kept.x[layer].chunks(rows * dim).zip(to.d_middle.chunks(rows * dim));
        for (i, (x, d_middle)) in inputs.enumerate() {
            let first = i * rows;
            let (normed, d_qkv, dx, d_norm) = (normed(), d_qkv(), dx(), d_norm());
            tasks.push(QkvTile { first, x, d_middle, normed, d_qkv, dx, d_norm });
        }
        let heads = &to.d_qkv_heads;
        tasks.into_par_iter().for_each(|tile| self.qkv_tile(layer, heads, tile));
    }

    fn qkv_tile(&self, layer: usize, heads: &[f32], tile: QkvTile) {
        let QkvTile { first, x, d_middle, normed, d_qkv, dx, d_norm } = tile;
        let (block, width) = (&self.layout.blocks[layer], self.attention_shape().width());
        self.gather_qkv(heads, first, d_qkv);
        let mut d_normed = Scratch::new(x.len());
        let mut column = 0;
        for linear in &block.qkv {
            let dy = Matrix::strided(&d_qkv[column..], d_qkv.len() / width, linear.outputs, width);
            let into = if column == 0 { Into::Replace } else { Into::Add };
            linear.backward(self.weights, dy, &mut d_normed, into);
            column += linear.outputs;
        }
        let attention_norm = block.attention_norm.of(self.weights, self.config.norm_eps);
        norm::forward(attention_norm, x, normed);
        self.norm_backward(attention_norm, x, &d_normed, d_middle, dx, d_norm);
    }

    /// Rows (N, (H + 2 K) D), the first being row `first`, of what the heads' backward passes wrote:
    /// for each sequence and key/value head its queries (G, T, D), key (T, D) and value (T, D).
    fn gather_qkv(&self, heads: &[f32], first: usize, rows: &mut [f32]) {
        let shape = self.attention_shape();
        let (d, group, tokens) = (shape.head_dim, shape.group(), shape.tokens);
        for (i, row) in rows.chunks_exact_mut(shape.width()).enumerate() {
            let (sequence, token) = ((first + i) / tokens, (first + i) % tokens);
            for (column, part) in row.chunks_exact_mut(d).enumerate() {
                // (key/value head, place in its unit)
                let (kv, place) = match column.checked_sub(shape.heads) {
                    None => (column / group, column % group),
                    Some(key) if key < shape.kv_heads => (key, group),
                    Some(value) => (value - shape.kv_heads, group + 1),
                };
                let unit = (sequence * shape.kv_heads + kv) * (group + 2);
                part.copy_from_slice(&heads[((unit + place) * tokens + token) * d..][..d]);
            }
        }
    }

    /// Adds the gradient of the first residual stream to those of the embeddings.
    pub fn embed_backward(&self, ids: &[u32], to: &mut Gradient, sums: &mut Gradients) {
        self.drop(&mut to.dx, 0, 0, "embedding");
        let dim = self.config.dim;
        for (row, (dx, id)) in to.dx.chunks_exact(dim).zip(ids).enumerate() {
            add(&mut sums.values(self.layout.embedding)[*id as usize * dim..][..dim], dx);
            if let Some(positions) = self.layout.positions {
                add(&mut sums.values(positions)[row % self.shape.tokens * dim..][..dim], dx);
            }
        }
    }
}
