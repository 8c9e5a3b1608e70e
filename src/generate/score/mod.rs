//! How well a model predicts a text: loss, perplexity, bits per byte.

mod pieces;

pub use pieces::Pieces;

use crate::data::Tokenizer;
use crate::model::Model;
use crate::support::follow::Follow;
use anyhow::Result;
use std::ops::Range;

/// Tokens scored in one forward pass, about, and the most logits that they may have.
const TOKENS_PER_PASS: usize = 4096;
const LOGITS_PER_PASS: usize = 1 << 25;

/// The negative log-likelihood of a text.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Score {
    /// Sum over the scored tokens, nats.
    pub nats: f64,
    /// Tokens scored: all but the first.
    pub tokens: usize,
    /// UTF-8 bytes of the text; none if the tokens don't say all of it.
    pub bytes: Option<usize>,
}

impl Score {
    /// Mean negative log-likelihood, nats per token.
    pub fn loss(&self) -> f64 {
        self.nats / self.tokens as f64
    }

    /// exp(loss): among how many equally likely tokens the model is undecided.
    pub fn perplexity(&self) -> f64 {
        self.loss().exp()
    }

    /// Comparable across tokenizers that drop no text.
    pub fn bits_per_byte(&self) -> Option<f64> {
        self.bytes.map(|bytes| self.nats / (std::f64::consts::LN_2 * bytes as f64))
    }
}

/// A window of the text: the model reads `inputs`, and the targets from `scored_from` on count.
#[derive(Clone, Debug, PartialEq)]
struct Window {
    inputs: Range<usize>,
    scored_from: usize,
}

/// Windows of at most `context` inputs starting at 0, `stride`, 2 `stride`, ...; each scores the
/// targets that no window before it did, so that every token but the first is scored once.
fn windows(tokens: usize, context: usize, stride: usize) -> Vec<Window> {
    let mut windows = Vec::new();
    let mut scored = 0; // index of the last token scored
    let mut start = 0;
    while scored + 1 < tokens {
        let end = (start + context).min(tokens - 1);
        windows.push(Window { inputs: start..end, scored_from: scored + 1 });
        scored = end;
        start += stride;
    }
    windows
}

/// Scores `tokens`, the encoding of `bytes` bytes of text. `stride` is at most the context. The tokens
/// that the tokenizer puts around documents are read but not scored. `follow` is told how many tokens of how
/// many are done; its error ends the scoring.
pub fn score(
    model: &Model,
    tokens: &[u32],
    bytes: Option<usize>,
    stride: usize,
    tokenizer: &Tokenizer,
    follow: Follow,
) -> Result<Score> {
    // Summed piece by piece as in training, so that both print the same loss to the last digit.
    let separator = tokenizer.end_of_text().map(|(id, _)| id);
    let mut pieces = Pieces::of(tokens, separator, model.config.context);
    let mut tell = |index, nats| pieces.add(index, nats);
    each_loss(model, tokens, stride, &tokenizer.around_documents(), &mut tell, follow)?;
    Ok(pieces.score(bytes))
}

/// Scores tokens as [`score`] does, telling of every scored token its index and its negative log-likelihood.
pub fn each_loss(
    model: &Model,
    tokens: &[u32],
    stride: usize,
    not_text: &[u32],
    tell: &mut dyn FnMut(usize, f64),
    follow: Follow,
) -> Result<()> {
    let windows = windows(tokens.len(), model.config.context, stride);
    let tokens_per_pass = TOKENS_PER_PASS.min(LOGITS_PER_PASS / model.config.vocab_size);
    let together = (tokens_per_pass / model.config.context).max(1);
    // Windows of one pass have one length: only the last ones are shorter.
    for group in windows.chunk_by(|a, b| a.inputs.len() == b.inputs.len()) {
        for pass in group.chunks(together) {
            follow(pass[0].inputs.start, tokens.len())?;
            score_pass(model, tokens, pass, not_text, tell)?;
        }
    }
    Ok(())
}

fn score_pass(
    model: &Model,
    tokens: &[u32],
    windows: &[Window],
    not_text: &[u32],
    tell: &mut dyn FnMut(usize, f64),
) -> Result<()> {
    let length = windows[0].inputs.len();
    let gather = |shift: usize| -> Vec<u32> {
        let part = |window: &Window| &tokens[window.inputs.start + shift..window.inputs.end + shift];
        windows.iter().flat_map(part).copied().collect()
    };
    let losses = model.losses(&gather(0), &gather(1), length)?;
    for (window, losses) in windows.iter().zip(losses.chunks_exact(length)) {
        // losses[i] belongs to token inputs.start + i + 1
        let first = window.inputs.start + 1;
        for target in window.scored_from..=window.inputs.end {
            if !not_text.contains(&tokens[target]) {
                tell(target, f64::from(losses[target - first]));
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_token_except_the_first_is_scored_once_at_any_stride() {
        for (tokens, context, stride) in
            [(100, 10, 10), (101, 10, 3), (5, 10, 10), (12, 10, 1), (2, 4, 4), (11, 10, 10)]
        {
            let mut seen = vec![0; tokens];
            for window in windows(tokens, context, stride) {
                assert!(window.inputs.len() <= context);
                assert_eq!(window.inputs.start % stride, 0);
                assert!(window.scored_from > window.inputs.start);
                for count in &mut seen[window.scored_from..=window.inputs.end] {
                    *count += 1;
                }
            }
            assert_eq!(seen[0], 0);
            assert!(seen[1..].iter().all(|count| *count == 1), "{tokens} {context} {stride}: {seen:?}");
        }
    }

    #[test]
    fn perplexity_and_bits_per_byte_follow_from_the_loss() {
        let score = Score { nats: 80.0 * 2.0_f64.ln(), tokens: 10, bytes: Some(20) };
        assert!((score.perplexity() - 256.0).abs() < 1e-9);
        assert!((score.bits_per_byte().unwrap() - 4.0).abs() < 1e-12);
        assert_eq!(Score { bytes: None, ..score }.bits_per_byte(), None);
    }
}
