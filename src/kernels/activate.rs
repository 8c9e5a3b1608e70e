//! The activation and its gate: value and gradient in one pass each, compiled once per function.

use super::SHARD;
use super::lane::Lane;
use crate::activation::{Function, PerFunction};
use multiversion::multiversion;
use rayon::prelude::*;

/// out = f(x)
pub fn forward(function: Function, x: &[f32], out: &mut [f32]) {
    struct Task<'a>(&'a [f32], &'a mut [f32]);
    impl PerFunction for Task<'_> {
        fn run<const F: usize>(self) {
            let Task(x, out) = self;
            let shards = out.par_chunks_mut(SHARD).zip(x.par_chunks(SHARD));
            shards.for_each(|(out, x)| forward_shard::<F>(x, out));
        }
    }
    function.specialize(Task(x, out));
}

#[multiversion(targets = "simd")]
fn forward_shard<const F: usize>(x: &[f32], out: &mut [f32]) {
    for (out, x) in out.iter_mut().zip(x) {
        *out = Function::ALL[F].value(Lane(*x)).0;
    }
}

/// dx = f'(x) dy
pub fn backward(function: Function, x: &[f32], dy: &[f32], dx: &mut [f32]) {
    struct Task<'a>(&'a [f32], &'a [f32], &'a mut [f32]);
    impl PerFunction for Task<'_> {
        fn run<const F: usize>(self) {
            let Task(x, dy, dx) = self;
            let shards = dx.par_chunks_mut(SHARD).zip(x.par_chunks(SHARD)).zip(dy.par_chunks(SHARD));
            shards.for_each(|((dx, x), dy)| backward_shard::<F>(x, dy, dx));
        }
    }
    function.specialize(Task(x, dy, dx));
}

#[multiversion(targets = "simd")]
fn backward_shard<const F: usize>(x: &[f32], dy: &[f32], dx: &mut [f32]) {
    for ((dx, x), dy) in dx.iter_mut().zip(x).zip(dy) {
        *dx = Function::ALL[F].derivative(Lane(*x)).0 * dy;
    }
}

/// out = f(gate) up
pub fn gated_forward(function: Function, gate: &[f32], up: &[f32], out: &mut [f32]) {
    struct Task<'a>(&'a [f32], &'a [f32], &'a mut [f32]);
    impl PerFunction for Task<'_> {
        fn run<const F: usize>(self) {
            let Task(gate, up, out) = self;
            let shards = out.par_chunks_mut(SHARD).zip(gate.par_chunks(SHARD)).zip(up.par_chunks(SHARD));
            shards.for_each(|((out, gate), up)| gated_forward_shard::<F>(gate, up, out));
        }
    }
    function.specialize(Task(gate, up, out));
}

#[multiversion(targets = "simd")]
fn gated_forward_shard<const F: usize>(gate: &[f32], up: &[f32], out: &mut [f32]) {
    for ((out, gate), up) in out.iter_mut().zip(gate).zip(up) {
        *out = Function::ALL[F].value(Lane(*gate)).0 * up;
    }
}

/// The gradients of [`gated_forward`]: d_gate = f'(gate) up dy and d_up = f(gate) dy.
pub fn gated_backward(
    function: Function,
    (gate, up): (&[f32], &[f32]),
    dy: &[f32],
    (d_gate, d_up): (&mut [f32], &mut [f32]),
) {
    struct Task<'a>([&'a [f32]; 3], [&'a mut [f32]; 2]);
    impl PerFunction for Task<'_> {
        fn run<const F: usize>(self) {
            let Task([gate, up, dy], [d_gate, d_up]) = self;
            let inputs = gate.par_chunks(SHARD).zip(up.par_chunks(SHARD)).zip(dy.par_chunks(SHARD));
            let outputs = d_gate.par_chunks_mut(SHARD).zip(d_up.par_chunks_mut(SHARD));
            inputs.zip(outputs).for_each(|(((gate, up), dy), (d_gate, d_up))| {
                gated_backward_shard::<F>(gate, up, dy, d_gate, d_up);
            });
        }
    }
    function.specialize(Task([gate, up, dy], [d_gate, d_up]));
}

#[multiversion(targets = "simd")]
fn gated_backward_shard<const F: usize>(
    gate: &[f32],
    up: &[f32],
    dy: &[f32],
    d_gate: &mut [f32],
    d_up: &mut [f32],
) {
    let outputs = d_gate.iter_mut().zip(d_up);
    for (((gate, up), dy), (d_gate, d_up)) in gate.iter().zip(up).zip(dy).zip(outputs) {
        *d_gate = Function::ALL[F].derivative(Lane(*gate)).0 * up * dy;
        *d_up = Function::ALL[F].value(Lane(*gate)).0 * dy;
    }
}
