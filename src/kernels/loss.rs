//! Cross-entropy of logits against the next tokens.

use super::lane::exp;
use super::{max, shard_rows, sum};
use multiversion::multiversion;
use rayon::prelude::*;

/// `losses[n] = ln(sum(e^logits[n])) - logits[n][targets[n]]`; targets must be below the row's length.
pub fn forward(logits: &[f32], targets: &[u32], losses: &mut [f32]) {
    let vocab = logits.len() / targets.len();
    let rows = shard_rows(vocab);
    let shards =
        losses.par_chunks_mut(rows).zip(logits.par_chunks(rows * vocab)).zip(targets.par_chunks(rows));
    shards.for_each(|((losses, logits), targets)| forward_shard(logits, targets, losses));
}

#[multiversion(targets = "simd")]
fn forward_shard(logits: &[f32], targets: &[u32], losses: &mut [f32]) {
    let rows = logits.chunks_exact(logits.len() / targets.len());
    for ((logits, target), loss) in rows.zip(targets).zip(losses) {
        let largest = max(logits);
        let total = sum(logits.len(), |i| exp(logits[i] - largest));
        *loss = total.ln() + largest - logits[*target as usize];
    }
}

/// The gradient of the logits: (softmax - 1 at the target) times the loss's gradient.
pub fn backward(logits: &[f32], targets: &[u32], d_losses: &[f32], d_logits: &mut [f32]) {
    let vocab = logits.len() / targets.len();
    let rows = shard_rows(vocab);
    let inputs = logits.par_chunks(rows * vocab).zip(targets.par_chunks(rows)).zip(d_losses.par_chunks(rows));
    inputs.zip(d_logits.par_chunks_mut(rows * vocab)).for_each(
        |(((logits, targets), d_losses), d_logits)| {
            backward_shard(logits, targets, d_losses, d_logits);
        },
    );
}

#[multiversion(targets = "simd")]
fn backward_shard(logits: &[f32], targets: &[u32], d_losses: &[f32], d_logits: &mut [f32]) {
    let vocab = logits.len() / targets.len();
    let rows = logits.chunks_exact(vocab).zip(d_logits.chunks_exact_mut(vocab));
    for (((logits, d_logits), target), d_loss) in rows.zip(targets).zip(d_losses) {
        let largest = max(logits);
        for (out, logit) in d_logits.iter_mut().zip(logits) {
            *out = exp(logit - largest);
        }
        let scale = d_loss / sum(vocab, |i| d_logits[i]);
        for out in d_logits.iter_mut() {
            *out *= scale;
        }
        d_logits[*target as usize] -= d_loss;
    }
}
