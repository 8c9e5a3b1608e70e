//! The activation and its gate: value and gradient in one pass each, compiled once per function.

use super::lane::{Lane, fused};
use crate::activation::{Activation, Function, PerFunction};
use multiversion::multiversion;

/// out = f(before), or f(before) * up where the activation is gated. `up` is empty otherwise.
pub fn forward(act: Activation, before: &[f32], up: &[f32], out: &mut [f32]) {
    struct Task<'a>(bool, [&'a [f32]; 2], &'a mut [f32]);
    impl PerFunction for Task<'_> {
        fn run<const F: usize>(self) {
            let Task(gated, [before, up], out) = self;
            match gated {
                true => gated_forward::<F>(before, up, out),
                false => plain_forward::<F>(before, out),
            }
        }
    }
    act.function.specialize(Task(act.gated, [before, up], out));
}

#[multiversion(targets = "simd")]
fn plain_forward<const F: usize>(before: &[f32], out: &mut [f32]) {
    const FMA: bool = fused!();
    for (out, x) in out.iter_mut().zip(before) {
        *out = Function::ALL[F].value(Lane::<FMA>(*x)).0;
    }
}

#[multiversion(targets = "simd")]
fn gated_forward<const F: usize>(before: &[f32], up: &[f32], out: &mut [f32]) {
    const FMA: bool = fused!();
    for ((out, x), up) in out.iter_mut().zip(before).zip(up) {
        *out = Function::ALL[F].value(Lane::<FMA>(*x)).0 * up;
    }
}

/// The backward pass: from the gradient of the hidden values in `hidden`, the gradient of `before`
/// into `d_before` and of `up` into `d_up` (empty unless gated); `hidden` becomes the hidden values.
pub fn backward(
    act: Activation,
    before: &[f32],
    up: &[f32],
    hidden: &mut [f32],
    d_before: &mut [f32],
    d_up: &mut [f32],
) {
    struct Task<'a>(bool, [&'a [f32]; 2], [&'a mut [f32]; 3]);
    impl PerFunction for Task<'_> {
        fn run<const F: usize>(self) {
            let Task(gated, [before, up], [hidden, d_before, d_up]) = self;
            match gated {
                true => gated_backward::<F>(before, up, hidden, d_before, d_up),
                false => plain_backward::<F>(before, hidden, d_before),
            }
        }
    }
    act.function.specialize(Task(act.gated, [before, up], [hidden, d_before, d_up]));
}

#[multiversion(targets = "simd")]
fn plain_backward<const F: usize>(before: &[f32], hidden: &mut [f32], d_before: &mut [f32]) {
    const FMA: bool = fused!();
    for ((hidden, d_before), x) in hidden.iter_mut().zip(d_before).zip(before) {
        let x = Lane::<FMA>(*x);
        *d_before = Function::ALL[F].derivative(x).0 * *hidden;
        *hidden = Function::ALL[F].value(x).0;
    }
}

#[multiversion(targets = "simd")]
fn gated_backward<const F: usize>(
    before: &[f32],
    up: &[f32],
    hidden: &mut [f32],
    d_before: &mut [f32],
    d_up: &mut [f32],
) {
    const FMA: bool = fused!();
    let outputs = hidden.iter_mut().zip(d_before).zip(d_up);
    for (((hidden, d_before), d_up), (x, up)) in outputs.zip(before.iter().zip(up)) {
        let x = Lane::<FMA>(*x);
        let (value, d_hidden) = (Function::ALL[F].value(x).0, *hidden);
        *d_before = Function::ALL[F].derivative(x).0 * up * d_hidden;
        *d_up = value * d_hidden;
        *hidden = value * up;
    }
}
