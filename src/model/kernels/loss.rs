//! Cross-entropy of logits against the next tokens.

use super::lane::{exp_or_nothing, fused};
use super::{max, replace_and_sum, sum};
use multiversion::multiversion;

/// `losses[n] = ln(sum(e^logits[n])) - logits[n][targets[n]]` in nats; targets must be below the row's
/// length.
#[multiversion(targets = "simd")]
pub fn forward(logits: &[f32], targets: &[u32], losses: &mut [f32]) {
    const FMA: bool = fused!();
    let rows = logits.chunks_exact(logits.len() / targets.len());
    for ((logits, target), loss) in rows.zip(targets).zip(losses) {
        let largest = max(logits);
        let total = sum([logits], |[logit]| exp_or_nothing::<FMA>(logit - largest));
        *loss = total.ln() + largest - logits[*target as usize];
    }
}

/// The losses, and in place of the logits the gradient of `scale` times their sum: scale (softmax - 1 at the target).
#[multiversion(targets = "simd")]
pub fn forward_and_backward(logits: &mut [f32], targets: &[u32], scale: f32, losses: &mut [f32]) {
    const FMA: bool = fused!();
    let rows = logits.chunks_exact_mut(logits.len() / targets.len());
    for ((logits, target), loss) in rows.zip(targets).zip(losses) {
        let (largest, at_target) = (max(logits), logits[*target as usize]);
        let total = replace_and_sum(logits, |logit| exp_or_nothing::<FMA>(logit - largest));
        *loss = total.ln() + largest - at_target;
        let factor = scale / total;
        for p in logits.iter_mut() {
            *p *= factor;
        }
        logits[*target as usize] -= scale;
    }
}
