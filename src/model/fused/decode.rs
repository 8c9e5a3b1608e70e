//! Reading tokens to predict the next one: a prompt at once, then one token at a time.

use super::forward::FusedPass;
use super::workspace::Kept;
use crate::model::kernels::matvec::Map;
use crate::model::kernels::rope::Rotation;
use crate::model::kernels::scratch::Scratch;
use crate::model::kernels::{activate, add, matvec, norm};
use crate::model::param_map::{LinearParams, NormParams};
use crate::settings::ModelConfig;
use rayon::prelude::*;

/// Keys, rotated to their positions, and values of the tokens read so far: (L, K, context, D) each.
pub struct Cache {
    keys: Vec<f32>,
    values: Vec<f32>,
    len: usize,
}

impl Cache {
    pub fn new(config: &ModelConfig) -> Cache {
        let size = config.layers * config.kv_heads * config.context * config.head_dim();
        Cache { keys: vec![0.0; size], values: vec![0.0; size], len: 0 }
    }

    /// Tokens held.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Forgets them.
    pub fn clear(&mut self) {
        self.len = 0;
    }
}

impl FusedPass<'_> {
    /// Reads a prompt into an empty cache; returns the logits (V) after its last token.
    pub fn prefill(&self, ids: &[u32], kept: &mut Kept, cache: &mut Cache) -> Vec<f32> {
        self.forward(ids, kept);
        let shape = self.attention_shape();
        let d = shape.head_dim;
        for (layer, rows) in kept.qkv.iter().enumerate() {
            for kv in 0..shape.kv_heads {
                let start = (layer * shape.kv_heads + kv) * self.config.context * d;
                for (token, row) in rows.chunks_exact(shape.width()).enumerate() {
                    let key = &mut cache.keys[start + token * d..][..d];
                    key.copy_from_slice(&row[(shape.heads + kv) * d..][..d]);
                    self.rotate(key, token);
                    let value = &mut cache.values[start + token * d..][..d];
                    value.copy_from_slice(&row[(shape.heads + shape.kv_heads + kv) * d..][..d]);
                }
            }
        }
        cache.len = ids.len();
        let last = &kept.x[self.config.layers];
        self.next_logits(&last[last.len() - self.config.dim..])
    }

    /// Reads the token after those in the cache; returns the logits (V) after it.
    pub fn read(&self, id: u32, cache: &mut Cache) -> Vec<f32> {
        let (config, position) = (self.config, cache.len);
        let mut x = self.weights.get(self.map.embedding)[id as usize * config.dim..][..config.dim].to_vec();
        if let Some(positions) = self.map.positions {
            add(&mut x, &self.weights.get(positions)[position * config.dim..][..config.dim]);
        }
        for (layer, block) in self.map.blocks.iter().enumerate() {
            let normed = self.normed(block.attention_norm, &x);
            let mut qkv = Scratch::new(self.attention_shape().width());
            let mut rest = &mut *qkv;
            let mut maps = Vec::new();
            for linear in &block.qkv {
                let (y, others) = rest.split_at_mut(linear.outputs);
                maps.push((linear, y));
                rest = others;
            }
            self.apply(maps, &normed);
            let mut mixed = Scratch::new(config.dim);
            self.attend_last(layer, &mut qkv, cache, &mut mixed);
            self.add_map(&block.attention_output, &mixed, &mut x);

            let normed = self.normed(block.ffn_norm, &x);
            let (mut up, mut hidden) = (Scratch::new(config.ffn_dim), Scratch::new(config.ffn_dim));
            let scalars = block.scalars(self.weights);
            match &block.gate {
                Some(linear) => {
                    let mut gate = Scratch::new(config.ffn_dim);
                    self.apply(vec![(linear, &mut gate), (&block.up, &mut up)], &normed);
                    activate::forward(config.act, &scalars, [&gate, &up], &mut hidden);
                }
                None => {
                    self.apply(vec![(&block.up, &mut up)], &normed);
                    activate::forward(config.act, &scalars, [&up, &[]], &mut hidden);
                }
            }
            self.add_map(&block.down, &hidden, &mut x);
        }
        cache.len += 1;
        self.next_logits(&x)
    }

    /// Rotates a query or a key to its position, on a backbone that rotates.
    fn rotate(&self, row: &mut [f32], position: usize) {
        if let Some(angles) = self.angles {
            angles.rotate(row, position, Rotation::Forward);
        }
    }

    fn normed(&self, norm: NormParams, x: &[f32]) -> Scratch {
        let mut out = Scratch::new(x.len());
        norm::forward(norm.of(self.weights, self.config.norm_eps), x, &mut out);
        out
    }

    /// y = x W + b, for several maps of the same x.
    fn apply(&self, mut maps: Vec<(&LinearParams, &mut [f32])>, x: &[f32]) {
        let products = maps.iter_mut().map(|(linear, y)| Map {
            weights: self.weights.get(linear.weight),
            outputs_first: linear.outputs_first,
            y,
        });
        matvec::apply(products.collect(), x);
        for (linear, y) in maps {
            if let Some(bias) = linear.bias {
                add(y, self.weights.get(bias));
            }
        }
    }

    /// sum += x W + b
    fn add_map(&self, linear: &LinearParams, x: &[f32], sum: &mut [f32]) {
        let mut y = Scratch::new(linear.outputs);
        self.apply(vec![(linear, &mut y)], x);
        add(sum, &y);
    }

    /// The logits (V) of the final hidden state (C).
    fn next_logits(&self, x: &[f32]) -> Vec<f32> {
        let normed = self.normed(self.map.norm, x);
        let mut logits = vec![0.0; self.config.vocab_size];
        self.apply(vec![(&self.map.head, &mut logits)], &normed);
        logits
    }

    /// Attention of the newest token, whose row is `qkv`, over itself and all in the cache.
    fn attend_last(&self, layer: usize, qkv: &mut [f32], cache: &mut Cache, mixed: &mut [f32]) {
        let shape = self.attention_shape();
        let (d, position) = (shape.head_dim, cache.len);
        let head_size = self.config.context * d;
        let (rotated, values) = qkv.split_at_mut((shape.heads + shape.kv_heads) * d);
        for row in rotated.chunks_exact_mut(d) {
            self.rotate(row, position);
        }
        let (queries, keys) = rotated.split_at(shape.heads * d);
        for kv in 0..shape.kv_heads {
            let at = (layer * shape.kv_heads + kv) * head_size + position * d;
            cache.keys[at..at + d].copy_from_slice(&keys[kv * d..][..d]);
            cache.values[at..at + d].copy_from_slice(&values[kv * d..][..d]);
        }
        let held = (position + 1) * d;
        let attend = |(head, mixed): (usize, &mut [f32])| {
            let start = (layer * shape.kv_heads + head / shape.group()) * head_size;
            let (keys, values) = (&cache.keys[start..][..held], &cache.values[start..][..held]);
            matvec::attend(&queries[head * d..][..d], keys, values, shape.scale(), mixed);
        };
        mixed.par_chunks_mut(d).enumerate().for_each(attend);
    }
}
