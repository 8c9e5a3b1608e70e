//! The model's operations that candle lacks, or has without a backward pass.

use candle_core::{D, Result, Tensor};
use candle_nn::ops::log_softmax;

/// RMSNorm (Zhang & Sennrich 2019) of each row without a bias, LayerNorm (Ba et al. 2016) with
/// one: (.., C) -> (.., C). candle's own norms have no backward pass; this has.
pub fn norm(x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, eps: f64) -> Result<Tensor> {
    let scaled = |x: &Tensor| {
        let mean_square = x.sqr()?.mean_keepdim(D::Minus1)?; // (.., 1)
        x.broadcast_div(&(mean_square + eps)?.sqrt()?)?.broadcast_mul(weight)
    };
    match bias {
        None => scaled(x),
        Some(bias) => scaled(&x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?)?.broadcast_add(bias),
    }
}

/// Rotary position embedding (Su et al. 2021) in the half-split layout of Llama on Hugging Face,
/// where element i is rotated together with element i + D/2: (B, H, T, D), with the (T, D) cosines
/// and sines of its positions.
pub fn rotate(x: &Tensor, cos: &Tensor, sin: &Tensor) -> Result<Tensor> {
    let half = x.dims()[3] / 2;
    let first = x.narrow(D::Minus1, 0, half)?;
    let second = x.narrow(D::Minus1, half, half)?;
    let rotated = Tensor::cat(&[&second.neg()?, &first], D::Minus1)?;
    x.broadcast_mul(cos)? + rotated.broadcast_mul(sin)?
}

/// Softmax of `scale` times the scores (B, H, T, S) over the S keys that each of the T queries may see:
/// those where `mask` (T, S) is 0 and not -infinity; all of them without a mask.
pub fn causal_softmax(scores: &Tensor, scale: f64, mask: Option<&Tensor>) -> Result<Tensor> {
    let scores = (scores * scale)?;
    let scores = match mask {
        Some(mask) => scores.broadcast_add(mask)?,
        None => scores,
    };
    // The maximum is a constant to autograd: it cancels.
    let powers = scores.broadcast_sub(&scores.max_keepdim(D::Minus1)?.detach())?.exp()?;
    powers.broadcast_div(&powers.sum_keepdim(D::Minus1)?)
}

/// Negative log-likelihood of each target in nats: logits (N, V), targets (N) -> (N).
pub fn token_losses(logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
    log_softmax(logits, D::Minus1)?.gather(&targets.unsqueeze(1)?, 1)?.squeeze(1)?.neg()
}
