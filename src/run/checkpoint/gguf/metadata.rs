//! The keys and values at the head of a GGUF file.

use crate::bail_input;
use crate::settings::{Backbone, ModelConfig};
use anyhow::Result;
use candle_core::quantized::gguf_file::Value;
use std::collections::HashMap;

/// The keys of a file whose graph is `architecture`, for reading.
pub struct Metadata<'a> {
    pub values: &'a HashMap<String, Value>,
    pub architecture: &'a str,
}

impl<'a> Metadata<'a> {
    /// The value of a key; `{arch}` in it stands for the graph.
    pub fn get(&self, key: &str) -> Option<&'a Value> {
        self.values.get(&key.replace("{arch}", self.architecture))
    }

    pub fn size(&self, key: &str) -> Result<Option<usize>> {
        let Some(value) = self.get(key) else { return Ok(None) };
        match whole(value) {
            Some(size) => Ok(Some(size)),
            None => {
                bail_input!("its {} is {value:?}, no whole number", key.replace("{arch}", self.architecture))
            }
        }
    }

    pub fn needed_size(&self, key: &str) -> Result<usize> {
        match self.size(key)? {
            Some(size) => Ok(size),
            None => bail_input!("it has no {}", key.replace("{arch}", self.architecture)),
        }
    }

    pub fn number(&self, key: &str) -> Option<f64> {
        match self.get(key)? {
            Value::F32(number) => Some(f64::from(*number)),
            Value::F64(number) => Some(*number),
            other => whole(other).map(|whole| whole as f64),
        }
    }

    pub fn text(&self, key: &str) -> Option<&'a str> {
        match self.get(key)? {
            Value::String(text) => Some(text),
            _ => None,
        }
    }

    pub fn list(&self, key: &str) -> &'a [Value] {
        match self.get(key) {
            Some(Value::Array(list)) => list,
            _ => &[],
        }
    }
}

pub fn whole(value: &Value) -> Option<usize> {
    match *value {
        Value::U8(n) => Some(n.into()),
        Value::U16(n) => Some(n.into()),
        Value::U32(n) => usize::try_from(n).ok(),
        Value::U64(n) => usize::try_from(n).ok(),
        Value::I8(n) => usize::try_from(n).ok(),
        Value::I16(n) => usize::try_from(n).ok(),
        Value::I32(n) => usize::try_from(n).ok(),
        Value::I64(n) => usize::try_from(n).ok(),
        _ => None,
    }
}

/// What a file says of a model's shape.
pub fn describe(config: &ModelConfig, architecture: &str) -> Vec<(String, Value)> {
    let size = |n: usize| Value::U32(u32::try_from(n).unwrap_or(u32::MAX));
    let mut values = vec![
        ("context_length", size(config.context)),
        ("embedding_length", size(config.dim)),
        ("block_count", size(config.layers)),
        ("feed_forward_length", size(config.ffn_dim)),
        ("attention.head_count", size(config.heads)),
        ("attention.head_count_kv", size(config.kv_heads)),
        ("vocab_size", size(config.vocab_size)),
    ];
    let eps = Value::F32(config.norm_eps as f32);
    match config.backbone {
        Backbone::Llama => values.extend([
            ("attention.layer_norm_rms_epsilon", eps),
            ("rope.dimension_count", size(config.head_dim())),
            ("rope.freq_base", Value::F32(config.rope_theta as f32)),
        ]),
        Backbone::Gpt2 => values.push(("attention.layer_norm_epsilon", eps)),
    }
    values.into_iter().map(|(key, value)| (format!("{architecture}.{key}"), value)).collect()
}
