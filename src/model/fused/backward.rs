//! The backward pass of the blocks, from the last to the first.
//!
//! Three phases a layer, each cut into tasks by shape: the FFN and attention's output by rows;
//! attention by heads, beside the gradients of the weights that are known by then; the queries, keys
//! and values by rows. Their weights' gradients are left to the next layer's first phase.

use super::forward::FusedPass;
use super::tiles::Tile;
use super::weight_gradients::{Product, Sums};
use super::workspace::{Gradient, Kept};
use crate::model::kernels::matmul::{Accumulate, Matrix};
use crate::model::kernels::scratch::Scratch;
use crate::model::kernels::{activate, add, attention, norm};
use crate::model::param_map::LinearParams;
use rayon::prelude::*;

/// One task of the first phase.
struct FfnTask<'a> {
    tile: Tile,
    after_attention: &'a [f32],
    gate: &'a [f32],
    up: &'a [f32],
    dx: &'a [f32],
    d_ffn: &'a mut [f32],
    hidden: &'a mut [f32],
    d_gate: &'a mut [f32],
    d_up: &'a mut [f32],
    normed: &'a mut [f32],
    d_after_attention: &'a mut [f32],
    d_attention: &'a mut [f32],
    mixed_rows: &'a mut [f32],
    d_mixed: &'a mut [f32],
    d_norm: &'a mut [f32],
    d_scalars: &'a mut [f64],
}

/// One task of the third phase.
struct QkvTask<'a> {
    tile: Tile,
    x: &'a [f32],
    d_after_attention: &'a [f32],
    normed: &'a mut [f32],
    d_qkv: &'a mut [f32],
    dx: &'a mut [f32],
    d_norm: &'a mut [f32],
}

impl FusedPass<'_> {
    /// From the gradient of the last residual stream in `to.dx` to that of the first, in the same
    /// place, adding the blocks' gradients up in `sums`.
    pub fn backward(&self, kept: &Kept, to: &mut Gradient, sums: &mut Sums) {
        let layers = self.config.layers;
        for layer in (0..layers).rev() {
            self.ffn_phase(layer, kept, to, sums, layer + 1 < layers);
            sums.add_norm(self.map.blocks[layer].ffn_norm, &to.d_norm);
            self.attention_phase(layer, kept, to, sums);
            self.qkv_phase(layer, kept, to);
            sums.add_norm(self.map.blocks[layer].attention_norm, &to.d_norm);
        }
        sums.add_products(&self.qkv_products(0, &to.attention_normed, &to.d_qkv));
    }

    /// dx -> d_after_attention, d_mixed and all that the weights' gradients are made of. Beside it, where
    /// there is one above, the gradients of that layer's query, key and value projections.
    fn ffn_phase(&self, layer: usize, kept: &Kept, to: &mut Gradient, sums: &mut Sums, above: bool) {
        let (dim, ffn_dim, gate_dim) = (self.config.dim, self.config.ffn_dim, self.config.gate_dim());
        let tiling = self.shape.tiling();
        let masked = if self.dropout.is_some() { dim } else { 0 };
        let after_attention = tiling.read(&kept.after_attention[layer], dim);
        let gate = tiling.read(&kept.gate[layer], gate_dim);
        let up = tiling.read(&kept.up[layer], ffn_dim);
        let dx = tiling.read(&to.dx, dim);
        let mut d_ffn = tiling.write(&mut to.d_ffn, masked);
        let mut hidden = tiling.write(&mut to.hidden, ffn_dim);
        let mut d_gate = tiling.write(&mut to.d_gate, gate_dim);
        let mut d_up = tiling.write(&mut to.d_up, ffn_dim);
        let mut normed = tiling.write(&mut to.ffn_normed, dim);
        let mut d_after_attention = tiling.write(&mut to.d_after_attention, dim);
        let mut d_attention = tiling.write(&mut to.d_attention, masked);
        let mut mixed_rows = tiling.write(&mut to.mixed_rows, dim);
        let mut d_mixed = tiling.write(&mut to.d_mixed, dim);
        let mut d_norm = tiling.write_tiles(&mut to.d_norm, 2 * dim);
        // Of each tile and each learned scalar, added up in the order of the tiles.
        let scalars = &self.map.blocks[layer].scalars;
        let mut d_scalars = vec![0.0f64; tiling.count() * scalars.len()];
        let mut parts_of_scalars = d_scalars.chunks_mut(scalars.len().max(1));
        let task = |tile: Tile| FfnTask {
            tile,
            after_attention: after_attention.of(tile),
            gate: gate.of(tile),
            up: up.of(tile),
            dx: dx.of(tile),
            d_ffn: d_ffn.next(tile),
            hidden: hidden.next(tile),
            d_gate: d_gate.next(tile),
            d_up: d_up.next(tile),
            normed: normed.next(tile),
            d_after_attention: d_after_attention.next(tile),
            d_attention: d_attention.next(tile),
            mixed_rows: mixed_rows.next(tile),
            d_mixed: d_mixed.next(tile),
            d_norm: d_norm.next(),
            d_scalars: parts_of_scalars.next().unwrap_or_default(),
        };
        let tasks: Vec<FfnTask> = tiling.tiles().map(task).collect();
        let mixed = &kept.mixed[layer];
        let products = match above {
            true => self.qkv_products(layer + 1, &to.attention_normed, &to.d_qkv),
            false => Vec::new(),
        };
        rayon::join(
            || tasks.into_par_iter().for_each(|task| self.ffn_task(layer, mixed, task)),
            || sums.add_products(&products),
        );
        sums.add_scalars(scalars, &d_scalars);
    }

    fn ffn_task(&self, layer: usize, mixed: &[f32], task: FfnTask) {
        let FfnTask { tile: Tile { first, rows }, after_attention, gate, up, dx, .. } = task;
        let FfnTask { normed, d_after_attention, .. } = task;
        let (config, weights, block) = (self.config, self.weights, &self.map.blocks[layer]);
        let dropping = self.dropout.is_some();
        let masked = |to: &mut [f32], from: &[f32], site: &str| {
            to.copy_from_slice(from);
            self.drop(to, first, layer, site);
        };
        if dropping {
            masked(task.d_ffn, dx, "ffn");
        }
        let d_output = if dropping { &*task.d_ffn } else { dx };
        let d_output = Matrix::new(d_output, rows, config.dim);
        block.down.backward(weights, d_output, task.hidden, Accumulate::Overwrite);
        let mut d_normed = Scratch::new(after_attention.len());
        let d_rows = |values| Matrix::new(values, rows, config.ffn_dim);
        let scalars = block.scalars(weights);
        match &block.gate {
            Some(linear) => {
                let gradients = [&mut *task.d_gate, &mut *task.d_up];
                activate::backward(config.act, &scalars, [gate, up], task.hidden, gradients, task.d_scalars);
                block.up.backward(weights, d_rows(task.d_up), &mut d_normed, Accumulate::Overwrite);
                linear.backward(weights, d_rows(task.d_gate), &mut d_normed, Accumulate::Add);
            }
            None => {
                let gradients = [&mut *task.d_up, &mut []];
                activate::backward(config.act, &scalars, [up, &[]], task.hidden, gradients, task.d_scalars);
                block.up.backward(weights, d_rows(task.d_up), &mut d_normed, Accumulate::Overwrite);
            }
        }
        let ffn_norm = block.ffn_norm.of(weights, config.norm_eps);
        norm::forward(ffn_norm, after_attention, normed);
        self.norm_backward(ffn_norm, after_attention, &d_normed, dx, d_after_attention, task.d_norm);
        if dropping {
            masked(task.d_attention, d_after_attention, "attention");
        }
        let d_attention = if dropping { &*task.d_attention } else { &*d_after_attention };
        let d_attention = Matrix::new(d_attention, rows, config.dim);
        block.attention_output.backward(weights, d_attention, task.d_mixed, Accumulate::Overwrite);
        self.gather_heads(mixed, first, task.mixed_rows);
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
    fn attention_phase(&self, layer: usize, kept: &Kept, to: &mut Gradient, sums: &mut Sums) {
        let (shape, block, rows) = (self.attention_shape(), &self.map.blocks[layer], self.shape.rows());
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
        let d_attention = if dropping { &to.d_attention } else { &to.d_after_attention };
        let product =
            |linear: LinearParams, x, dy| Product::new(linear, x, Matrix::new(dy, rows, linear.outputs));
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
        for linear in &self.map.blocks[layer].qkv {
            let dy = Matrix::strided(&d_qkv[column..], self.shape.rows(), linear.outputs, width);
            products.push(Product::new(*linear, normed, dy));
            column += linear.outputs;
        }
        products
    }

    /// d_qkv_heads -> d_qkv and, with d_after_attention, dx before the block.
    fn qkv_phase(&self, layer: usize, kept: &Kept, to: &mut Gradient) {
        let (tiling, dim) = (self.shape.tiling(), self.config.dim);
        let x = tiling.read(&kept.x[layer], dim);
        let d_after_attention = tiling.read(&to.d_after_attention, dim);
        let mut normed = tiling.write(&mut to.attention_normed, dim);
        let mut d_qkv = tiling.write(&mut to.d_qkv, self.attention_shape().width());
        let mut dx = tiling.write(&mut to.dx, dim);
        let mut d_norm = tiling.write_tiles(&mut to.d_norm, 2 * dim);
        let task = |tile: Tile| QkvTask {
            tile,
            x: x.of(tile),
            d_after_attention: d_after_attention.of(tile),
            normed: normed.next(tile),
            d_qkv: d_qkv.next(tile),
            dx: dx.next(tile),
            d_norm: d_norm.next(),
        };
        let tasks: Vec<QkvTask> = tiling.tiles().map(task).collect();
        let heads = &to.d_qkv_heads;
        tasks.into_par_iter().for_each(|task| self.qkv_task(layer, heads, task));
    }

    fn qkv_task(&self, layer: usize, heads: &[f32], task: QkvTask) {
        let QkvTask { tile: Tile { first, rows }, x, d_after_attention, normed, d_qkv, dx, d_norm } = task;
        let (block, width) = (&self.map.blocks[layer], self.attention_shape().width());
        self.gather_qkv(heads, first, d_qkv);
        let mut d_normed = Scratch::new(x.len());
        let mut column = 0;
        for linear in &block.qkv {
            let dy = Matrix::strided(&d_qkv[column..], rows, linear.outputs, width);
            let accumulate = if column == 0 { Accumulate::Overwrite } else { Accumulate::Add };
            linear.backward(self.weights, dy, &mut d_normed, accumulate);
            column += linear.outputs;
        }
        let attention_norm = block.attention_norm.of(self.weights, self.config.norm_eps);
        norm::forward(attention_norm, x, normed);
        self.norm_backward(attention_norm, x, &d_normed, d_after_attention, dx, d_norm);
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
    pub fn embed_backward(&self, ids: &[u32], to: &mut Gradient, sums: &mut Sums) {
        self.drop(&mut to.dx, 0, 0, "embedding");
        let dim = self.config.dim;
        for (row, (dx, id)) in to.dx.chunks_exact(dim).zip(ids).enumerate() {
            add(&mut sums.values(self.map.embedding)[*id as usize * dim..][..dim], dx);
            if let Some(positions) = self.map.positions {
                add(&mut sums.values(positions)[row % self.shape.tokens * dim..][..dim], dx);
            }
        }
    }
}
