//! The operations of the model that have a composition and a kernel, and the choice between them.
//!
//! Each function is the composition, in plain candle; its first line hands over to the kernel of the
//! same name where `--ops fused` asks for it and the tensor is one the kernels can read.

use super::fused;
use crate::activation::{Activation, Element};
use crate::settings::Ops;
use candle_core::{D, Result, Tensor};
use candle_nn::ops::log_softmax;

impl Ops {
    fn kernels(self, x: &Tensor) -> bool {
        self == Ops::Fused && fused::applies(x)
    }

    /// RMSNorm (Zhang & Sennrich 2019) of each row without a bias, LayerNorm (Ba et al. 2016) with
    /// one: (N, C) -> (N, C). candle's own norms have no backward pass; this has.
    pub fn norm(self, x: &Tensor, weight: &Tensor, bias: Option<&Tensor>, eps: f64) -> Result<Tensor> {
        if self.kernels(x) {
            return match bias {
                None => fused::rms_norm(x, weight, eps),
                Some(bias) => fused::layer_norm(x, weight, bias, eps),
            };
        }
        let scaled = |x: &Tensor| {
            let mean_square = x.sqr()?.mean_keepdim(D::Minus1)?; // (N, 1)
            x.broadcast_div(&(mean_square + eps)?.sqrt()?)?.broadcast_mul(weight)
        };
        match bias {
            None => scaled(x),
            Some(bias) => scaled(&x.broadcast_sub(&x.mean_keepdim(D::Minus1)?)?)?.broadcast_add(bias),
        }
    }

    /// f(before), times `up` where the activation is gated: all (N, F).
    pub fn activate(self, act: Activation, before: &Tensor, up: &Tensor) -> Result<Tensor> {
        if self.kernels(before) {
            return match act.gated {
                false => fused::activate(act.function, before),
                true => fused::activate_gated(act.function, before, up),
            };
        }
        let activated = act.function.value(Element::new(before)).into_tensor()?;
        if act.gated { activated * up } else { Ok(activated) }
    }

    /// Rotary position embedding (Su et al. 2021) in the half-split layout of Llama on Hugging Face,
    /// where element i is rotated together with element i + D/2: (B, H, T, D), with the (T, D) cosines
    /// and sines of its positions.
    pub fn rotate(self, x: &Tensor, cos: &Tensor, sin: &Tensor) -> Result<Tensor> {
        if self.kernels(x) {
            return fused::rotate(x, cos, sin);
        }
        let half = x.dims()[3] / 2;
        let first = x.narrow(D::Minus1, 0, half)?;
        let second = x.narrow(D::Minus1, half, half)?;
        let turned = Tensor::cat(&[&second.neg()?, &first], D::Minus1)?;
        x.broadcast_mul(cos)? + turned.broadcast_mul(sin)?
    }

    /// Softmax of `scale` times the scores (B, H, T, S) over the S keys that each of the T queries may
    /// see: those where `mask` (T, S) is 0 and not -infinity; all of them without a mask.
    pub fn causal_softmax(self, scores: &Tensor, scale: f64, mask: Option<&Tensor>) -> Result<Tensor> {
        if self.kernels(scores) {
            return fused::causal_softmax(scores, scale);
        }
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
    pub fn token_losses(self, logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
        if self.kernels(logits) {
            return fused::token_losses(logits, targets);
        }
        log_softmax(logits, D::Minus1)?.gather(&targets.unsqueeze(1)?, 1)?.squeeze(1)?.neg()
    }
}
