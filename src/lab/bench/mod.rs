//! How fast this machine trains and generates, and how near that is to what its arithmetic allows.

use crate::activation::Activation;
use crate::data::Batch;
use crate::generate::{Sampler, Sampling};
use crate::model::kernels::activate;
use crate::model::kernels::matmul::{Accumulate, Matrix, MatrixMut, matmul};
use crate::model::{Model, training_flops_per_token};
use crate::settings::{ModelConfig, Training};
use crate::support::random;
use crate::train::{Optimizer, clip_scale};
use anyhow::Result;
use rayon::prelude::*;
use std::time::{Duration, Instant};

/// Times of repeated work, in seconds.
pub struct Times(Vec<f64>);

impl Times {
    /// Repeats `work` for `duration`, three times at least, after one that does not count.
    pub fn of(duration: Duration, mut work: impl FnMut() -> Result<()>) -> Result<Times> {
        work()?;
        let (mut times, began) = (Vec::new(), Instant::now());
        while times.len() < 3 || began.elapsed() < duration {
            let start = Instant::now();
            work()?;
            times.push(start.elapsed().as_secs_f64());
        }
        times.sort_by(f64::total_cmp);
        Ok(Times(times))
    }

    pub fn median(&self) -> f64 {
        self.0[self.0.len() / 2]
    }

    pub fn best(&self) -> f64 {
        self.0[0]
    }
}

/// Tokens per second of full training steps (forward, backward, clipping, update) on random tokens.
pub fn training(model: &Model, training: &Training, duration: Duration) -> Result<f64> {
    let count = training.batch_size * model.config.context;
    let mut rng = random::stream(training.seed, "bench tokens");
    let mut ids = || -> Vec<u32> {
        (0..count).map(|_| random::below(&mut rng, model.config.vocab_size as u64) as u32).collect()
    };
    let batch = Batch { inputs: ids(), targets: ids() };
    let (mut gradients, mut optimizer) = (model.gradients(), Optimizer::new(&model.params, training)?);
    let mut step = 0;
    let times = Times::of(duration, || {
        for _ in 0..training.grad_accum {
            gradients.add(&batch.inputs, &batch.targets, model.config.context, None)?;
        }
        let parts = training.grad_accum as f64;
        let clip = clip_scale(gradients.norm()? / parts, training.grad_clip);
        optimizer.update(&model.params, &mut gradients, clip / parts, training.lr, step)?;
        step += 1;
        Ok(())
    })?;
    Ok((count * training.grad_accum) as f64 / times.median())
}

/// Tokens per second of greedy decoding, one sequence from a single token to a full context.
pub fn generation(model: &Model, duration: Duration) -> Result<f64> {
    let tokens = model.config.context.saturating_sub(1).max(1);
    let mut sampler = Sampler::new(Sampling { temperature: 0.0, ..Sampling::DEFAULT }, 0);
    let times = Times::of(duration, || {
        let mut decoder = model.decoder();
        let mut id = 0;
        for _ in 0..tokens {
            id = sampler.choose(&decoder.read(&[id])?, &[])?;
        }
        Ok(())
    })?;
    Ok(tokens as f64 / times.median())
}

/// GFLOP/s of matrix products of 512 x 512 x 512 on every thread at once: the best that training can
/// come near to.
pub fn matmul_peak(duration: Duration) -> Result<f64> {
    const N: usize = 512;
    let threads = rayon::current_num_threads();
    let operand = vec![0.5f32; N * N];
    let mut results = vec![vec![0.0f32; N * N]; threads];
    let products = 4;
    let times = Times::of(duration, || {
        results.par_iter_mut().for_each(|result| {
            for _ in 0..products {
                let (a, b) = (Matrix::new(&operand, N, N), Matrix::new(&operand, N, N));
                matmul(a, b, MatrixMut::new(result, N, N), Accumulate::Overwrite);
            }
        });
        Ok(())
    })?;
    Ok((2 * N * N * N * products * threads) as f64 / times.best() / 1e9)
}

/// The share of the matmul peak that training at this speed uses.
pub fn mfu(config: &ModelConfig, tokens_per_second: f64, peak_gflops: f64) -> f64 {
    tokens_per_second * training_flops_per_token(config) / (peak_gflops * 1e9)
}

/// What an activation costs on one thread: nanoseconds per hidden value.
pub struct ActivationCost {
    pub act: Activation,
    pub forward: f64,
    pub backward: f64,
}

/// Times each activation's kernels on values that stay in the cache.
pub fn activation_costs(acts: &[Activation], duration: Duration) -> Result<Vec<ActivationCost>> {
    const N: usize = 16 * 1024;
    let mut rng = random::stream(1, "bench activations");
    let mut normal = || random::normal(&mut rng, N, 1.0);
    let (before, up) = (normal(), normal());
    let (mut hidden, mut d_before, mut d_up) = (vec![0.0; N], vec![0.0; N], vec![0.0; N]);
    let mut costs = Vec::new();
    for &act in acts {
        let scalars: Vec<f32> = act.program().initial().iter().map(|scalar| *scalar as f32).collect();
        let mut of_scalars = vec![0.0; scalars.len()];
        let inputs: [&[f32]; 2] = if act.is_gated() { [&before, &up] } else { [&before, &[]] };
        let forward = Times::of(duration, || {
            activate::forward(act, &scalars, inputs, &mut hidden);
            Ok(())
        })?;
        let backward = Times::of(duration, || {
            let gradients = [&mut d_before[..], &mut d_up[..]];
            activate::backward(act, &scalars, inputs, &mut hidden, gradients, &mut of_scalars);
            hidden.fill(1.0);
            Ok(())
        })?;
        let per_value = |times: Times| times.median() * 1e9 / N as f64;
        costs.push(ActivationCost { act, forward: per_value(forward), backward: per_value(backward) });
    }
    Ok(costs)
}
