//! The kernels as candle operations: the one place where they replace the composition.
//!
//! Each function here computes what the composition of the same name computes, for f32 on a CPU. A
//! custom operation keeps nothing for its backward pass: what it needs it computes again from its
//! arguments, which candle keeps anyway.

use crate::activation::Function;
use crate::kernels::softmax::Causal;
use crate::kernels::{activate, loss, norm, rope, softmax};
use candle_core::{
    CpuStorage, CustomOp1, CustomOp2, CustomOp3, DType, Device, Layout, Result, Shape, Storage, Tensor,
};

/// Whether the kernels can compute on this tensor.
pub fn applies(x: &Tensor) -> bool {
    x.dtype() == DType::F32 && matches!(x.device(), Device::Cpu)
}

/// The values of a contiguous storage.
fn values<'a>(storage: &'a CpuStorage, layout: &Layout) -> Result<&'a [f32]> {
    match layout.contiguous_offsets() {
        Some((start, end)) => Ok(&storage.as_slice::<f32>()?[start..end]),
        None => candle_core::bail!("the kernels need contiguous tensors"),
    }
}

/// Calls `f` with the values of tensors, made contiguous where they are not.
fn with_values<R, const N: usize>(
    tensors: [&Tensor; N],
    f: impl FnOnce([&[f32]; N]) -> Result<R>,
) -> Result<R> {
    let tensors = tensors.map(Tensor::contiguous);
    let mut contiguous = Vec::with_capacity(N);
    for tensor in tensors {
        contiguous.push(tensor?);
    }
    let guards: Vec<_> = contiguous.iter().map(Tensor::storage_and_layout).collect();
    let mut slices = [&[] as &[f32]; N];
    for (slice, (storage, layout)) in slices.iter_mut().zip(&guards) {
        match &**storage {
            Storage::Cpu(storage) => *slice = values(storage, layout)?,
            _ => candle_core::bail!("the kernels compute on the CPU"),
        }
    }
    f(slices)
}

/// A tensor like `like`, filled by `f`.
fn filled(like: &Tensor, f: impl FnOnce(&mut [f32])) -> Result<Tensor> {
    let mut values = vec![0.0; like.elem_count()];
    f(&mut values);
    Tensor::from_vec(values, like.shape(), like.device())
}

type Output = Result<(CpuStorage, Shape)>;

/// A new storage of the layout's shape, filled by `f`.
fn output(layout: &Layout, f: impl FnOnce(&mut [f32])) -> Output {
    let mut values = vec![0.0; layout.shape().elem_count()];
    f(&mut values);
    Ok((CpuStorage::F32(values), layout.shape().clone()))
}

/// f(x)
pub fn activate(function: Function, x: &Tensor) -> Result<Tensor> {
    x.contiguous()?.apply_op1(Activate(function))
}

struct Activate(Function);

impl CustomOp1 for Activate {
    fn name(&self) -> &'static str {
        "activate"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Output {
        let x = values(x, layout)?;
        output(layout, |out| activate::forward(self.0, x, out))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        with_values([x, dy], |[xs, dys]| filled(x, |dx| activate::backward(self.0, xs, dys, dx))).map(Some)
    }
}

/// f(gate) up
pub fn activate_gated(function: Function, gate: &Tensor, up: &Tensor) -> Result<Tensor> {
    gate.contiguous()?.apply_op2(&up.contiguous()?, Gated(function))
}

struct Gated(Function);

impl CustomOp2 for Gated {
    fn name(&self) -> &'static str {
        "activate gated"
    }

    fn cpu_fwd(&self, gate: &CpuStorage, layout: &Layout, up: &CpuStorage, up_layout: &Layout) -> Output {
        let (gate, up) = (values(gate, layout)?, values(up, up_layout)?);
        output(layout, |out| activate::gated_forward(self.0, gate, up, out))
    }

    fn bwd(
        &self,
        gate: &Tensor,
        up: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        with_values([gate, up, dy], |[gates, ups, dys]| {
            let mut d_up = vec![0.0; ups.len()];
            let d_gate = filled(gate, |d_gate| {
                activate::gated_backward(self.0, (gates, ups), dys, (d_gate, &mut d_up));
            })?;
            Ok((Some(d_gate), Some(Tensor::from_vec(d_up, up.shape(), up.device())?)))
        })
    }
}

/// RMSNorm
pub fn rms_norm(x: &Tensor, weight: &Tensor, eps: f64) -> Result<Tensor> {
    x.contiguous()?.apply_op2(weight, Norm { eps: eps as f32 })
}

/// LayerNorm
pub fn layer_norm(x: &Tensor, weight: &Tensor, bias: &Tensor, eps: f64) -> Result<Tensor> {
    x.contiguous()?.apply_op3(weight, bias, Norm { eps: eps as f32 })
}

struct Norm {
    eps: f32,
}

impl CustomOp2 for Norm {
    fn name(&self) -> &'static str {
        "rms norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
    ) -> Output {
        let (x, weight) = (values(x, layout)?, values(weight, weight_layout)?);
        output(layout, |y| norm::forward(x, weight, None, self.eps, y))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        with_values([x, weight, dy], |[xs, weights, dys]| {
            let mut d_weight = vec![0.0; weights.len()];
            let dx = filled(x, |dx| norm::backward(xs, weights, self.eps, dys, dx, &mut d_weight, None))?;
            Ok((Some(dx), Some(Tensor::from_vec(d_weight, weight.shape(), weight.device())?)))
        })
    }
}

impl CustomOp3 for Norm {
    fn name(&self) -> &'static str {
        "layer norm"
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        layout: &Layout,
        weight: &CpuStorage,
        weight_layout: &Layout,
        bias: &CpuStorage,
        bias_layout: &Layout,
    ) -> Output {
        let (x, weight) = (values(x, layout)?, values(weight, weight_layout)?);
        let bias = values(bias, bias_layout)?;
        output(layout, |y| norm::forward(x, weight, Some(bias), self.eps, y))
    }

    fn bwd(
        &self,
        x: &Tensor,
        weight: &Tensor,
        _bias: &Tensor,
        _: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>, Option<Tensor>)> {
        with_values([x, weight, dy], |[xs, weights, dys]| {
            let (mut d_weight, mut d_bias) = (vec![0.0; weights.len()], vec![0.0; weights.len()]);
            let dx = filled(x, |dx| {
                norm::backward(xs, weights, self.eps, dys, dx, &mut d_weight, Some(&mut d_bias));
            })?;
            let vector = |values| Tensor::from_vec(values, weight.shape(), weight.device());
            Ok((Some(dx), Some(vector(d_weight)?), Some(vector(d_bias)?)))
        })
    }
}

/// Causal softmax of scale x scores, (B, H, T, S), the T queries standing at the end of the S keys.
pub fn causal_softmax(scores: &Tensor, scale: f64) -> Result<Tensor> {
    let (_, _, queries, keys) = scores.dims4()?;
    scores.contiguous()?.apply_op1(Softmax(Causal { queries, keys, scale: scale as f32 }))
}

struct Softmax(Causal);

impl CustomOp1 for Softmax {
    fn name(&self) -> &'static str {
        "causal softmax"
    }

    fn cpu_fwd(&self, scores: &CpuStorage, layout: &Layout) -> Output {
        let scores = values(scores, layout)?;
        output(layout, |out| softmax::forward(self.0, scores, out))
    }

    fn bwd(&self, scores: &Tensor, p: &Tensor, dp: &Tensor) -> Result<Option<Tensor>> {
        with_values([p, dp], |[p, dp]| filled(scores, |d_scores| softmax::backward(self.0, p, dp, d_scores)))
            .map(Some)
    }
}

/// Rotary positions: x is (B, H, T, D), cosines and sines of its T positions are (T, D).
pub fn rotate(x: &Tensor, cos: &Tensor, sin: &Tensor) -> Result<Tensor> {
    x.contiguous()?.apply_op1(Rotate { cos: cos.contiguous()?, sin: sin.contiguous()? })
}

struct Rotate {
    cos: Tensor,
    sin: Tensor,
}

impl Rotate {
    fn rotate(&self, x: &[f32], back: bool, out: &mut [f32]) -> Result<()> {
        let head_dim = self.cos.dims()[1];
        with_values([&self.cos, &self.sin], |[cos, sin]| {
            rope::rotate(x, cos, sin, head_dim, back, out);
            Ok(())
        })
    }
}

impl CustomOp1 for Rotate {
    fn name(&self) -> &'static str {
        "rotary positions"
    }

    fn cpu_fwd(&self, x: &CpuStorage, layout: &Layout) -> Output {
        let x = values(x, layout)?;
        let mut out = vec![0.0; x.len()];
        self.rotate(x, false, &mut out)?;
        Ok((CpuStorage::F32(out), layout.shape().clone()))
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, dy: &Tensor) -> Result<Option<Tensor>> {
        let mut dx = vec![0.0; x.elem_count()];
        with_values([dy], |[dy]| self.rotate(dy, true, &mut dx))?;
        Tensor::from_vec(dx, x.shape(), x.device()).map(Some)
    }
}

/// Negative log-likelihoods (N) of targets (N) under logits (N, V).
pub fn token_losses(logits: &Tensor, targets: &Tensor) -> Result<Tensor> {
    let targets: Vec<u32> = targets.to_vec1()?;
    let vocab = logits.dims2()?.1;
    if let Some(target) = targets.iter().find(|target| **target as usize >= vocab) {
        candle_core::bail!("target {target} is not below the vocabulary of {vocab}");
    }
    logits.contiguous()?.apply_op1(Loss { targets })
}

struct Loss {
    targets: Vec<u32>,
}

impl CustomOp1 for Loss {
    fn name(&self) -> &'static str {
        "cross-entropy"
    }

    fn cpu_fwd(&self, logits: &CpuStorage, layout: &Layout) -> Output {
        let logits = values(logits, layout)?;
        let mut losses = vec![0.0; self.targets.len()];
        loss::forward(logits, &self.targets, &mut losses);
        Ok((CpuStorage::F32(losses), Shape::from(self.targets.len())))
    }

    fn bwd(&self, logits: &Tensor, _: &Tensor, d_losses: &Tensor) -> Result<Option<Tensor>> {
        with_values([logits, d_losses], |[values, d_losses]| {
            filled(logits, |d_logits| loss::backward(values, &self.targets, d_losses, d_logits))
        })
        .map(Some)
    }
}
