//! Scores the beginning of a text one token at a time, as a model reads while it generates. Compares what `eval` can't,
//! since it reads many tokens at once: a GGUF file's quantized matrices with the same matrices in f32.
//!
//!     cargo run --release --example score_token_by_token CHECKPOINT TEXT TOKENS

use anyhow::{Context, Result};
use candle_core::Device;
use std::path::Path;
use tinygpt::run::checkpoint::{load_decoder, load_tokenizer};

pub fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [checkpoint, text, tokens] => score(Path::new(checkpoint), Path::new(text), tokens.parse()?),
        _ => Err(anyhow::anyhow!("give a checkpoint, a text and a number of tokens")),
    }
}

pub fn score(checkpoint: &Path, text: &Path, tokens: usize) -> Result<()> {
    let ids = load_tokenizer(checkpoint)?.encode(&std::fs::read_to_string(text)?)?;
    let ids = ids.get(..tokens).context("the text has fewer tokens")?;
    let mut decoder = load_decoder(checkpoint, &Device::Cpu)?;
    let mut nats = 0.0;
    for pair in ids.windows(2) {
        let logits = decoder.read(&pair[..1])?; // (V)
        let largest = logits.iter().copied().fold(f32::NEG_INFINITY, f32::max);
        let sum: f64 = logits.iter().map(|logit| f64::from(logit - largest).exp()).sum();
        nats += sum.ln() - f64::from(logits[pair[1] as usize] - largest);
    }
    println!("perplexity {:.3}", (nats / (ids.len() - 1) as f64).exp());
    Ok(())
}
