//! Times each kernel on one thread. Run all with `cargo bench`, or some with `cargo bench -- attention`.

use divan::Bencher;
use divan::counter::ItemsCount;
use tinygpt::model::kernels::matmul::{Accumulate, Matrix, MatrixMut, matmul};

fn main() {
    divan::main();
}

fn values(n: usize) -> Vec<f32> {
    (0..n).map(|i| ((i * 2_654_435_761) % 1000) as f32 / 500.0 - 1.0).collect()
}

/// Linear maps of many rows, (rows, in) x (in, out), in floating-point operations per second.
mod products {
    use super::*;

    const SHAPES: &[(usize, usize, usize)] = &[
        (48, 128, 512),
        (96, 128, 512),
        (96, 512, 128),
        (128, 128, 512),
        (256, 384, 1536),
        (256, 1536, 384),
    ];

    fn time(bencher: Bencher, (rows, inputs, outputs): (usize, usize, usize), outputs_first: bool) {
        let (x, w) = (values(rows * inputs), values(inputs * outputs));
        let mut y = vec![0.0; rows * outputs];
        bencher.counter(ItemsCount::new(2 * rows * inputs * outputs)).bench_local(|| {
            let w = match outputs_first {
                true => Matrix::new(&w, outputs, inputs).t(),
                false => Matrix::new(&w, inputs, outputs),
            };
            matmul(
                Matrix::new(&x, rows, inputs),
                w,
                MatrixMut::new(&mut y, rows, outputs),
                Accumulate::Overwrite,
            );
        });
    }

    #[divan::bench(args = SHAPES.iter().map(|s| format!("{s:?}")))]
    fn inputs_first(bencher: Bencher, shape: &str) {
        time(bencher, parse(shape), false);
    }

    #[divan::bench(args = SHAPES.iter().map(|s| format!("{s:?}")))]
    fn outputs_first(bencher: Bencher, shape: &str) {
        time(bencher, parse(shape), true);
    }

    /// x^T dy over all rows, a block of a weight gradient.
    #[divan::bench(args = ["(768, 128, 256)", "(768, 64, 128)", "(2048, 88, 384)", "(2048, 176, 384)"])]
    fn weight_gradient(bencher: Bencher, shape: &str) {
        let (rows, a_columns, b_columns) = parse(shape);
        let (a, b) = (values(rows * a_columns), values(rows * b_columns));
        let mut out = vec![0.0; a_columns * b_columns];
        bencher.counter(ItemsCount::new(2 * rows * a_columns * b_columns)).bench_local(|| {
            let (a, b) = (Matrix::new(&a, rows, a_columns), Matrix::new(&b, rows, b_columns));
            matmul(a.t(), b, MatrixMut::new(&mut out, a_columns, b_columns), Accumulate::Add);
        });
    }

    fn parse(shape: &str) -> (usize, usize, usize) {
        let sizes: Vec<usize> =
            shape.trim_matches(['(', ')']).split(", ").map(|size| size.parse().unwrap()).collect();
        (sizes[0], sizes[1], sizes[2])
    }
}

/// Linear maps of one vector with weights too large for the caches, in bytes of weights per second.
mod vector_products {
    use super::*;
    use divan::counter::BytesCount;
    use tinygpt::model::kernels::matvec::{Map, apply};

    #[divan::bench]
    fn outputs_first(bencher: Bencher) {
        let (w, x, mut y) = (values(32_000 * 288), values(288), vec![0.0; 32_000]);
        bencher.counter(BytesCount::of_slice(&w)).bench_local(|| {
            apply(vec![Map { weights: &w, outputs_first: true, y: &mut y }], &x);
        });
    }

    #[divan::bench]
    fn inputs_first(bencher: Bencher) {
        let (w, x, mut y) = (values(768 * 3072), values(768), vec![0.0; 3072]);
        bencher.counter(BytesCount::of_slice(&w)).bench_local(|| {
            apply(vec![Map { weights: &w, outputs_first: false, y: &mut y }], &x);
        });
    }
}

/// Attention of one sequence with one head.
mod attention {
    use super::*;
    use tinygpt::model::kernels::attention::{self, AttentionShape};

    const SHAPES: [(usize, usize); 3] = [(64, 32), (256, 64), (1024, 64)];

    fn shape(tokens: usize, head_dim: usize) -> AttentionShape {
        AttentionShape { tokens, heads: 1, kv_heads: 1, head_dim }
    }

    #[divan::bench(args = SHAPES)]
    fn forward(bencher: Bencher, (tokens, d): (usize, usize)) {
        let qkv = values(tokens * 3 * d);
        let (mut mixed, mut sums) = (vec![0.0; tokens * d], vec![0.0; tokens]);
        bencher.counter(ItemsCount::new(4 * tokens * tokens * d)).bench_local(|| {
            attention::forward(shape(tokens, d), &qkv, 0, None, &mut mixed, &mut sums);
        });
    }

    #[divan::bench(args = SHAPES)]
    fn backward(bencher: Bencher, (tokens, d): (usize, usize)) {
        let (qkv, d_mixed) = (values(tokens * 3 * d), values(tokens * d));
        let (mut mixed, mut sums) = (vec![0.0; tokens * d], vec![0.0; tokens]);
        let mut d_qkv = vec![0.0; tokens * 3 * d];
        attention::forward(shape(tokens, d), &qkv, 0, None, &mut mixed, &mut sums);
        bencher.counter(ItemsCount::new(10 * tokens * tokens * d)).bench_local(|| {
            attention::backward(shape(tokens, d), &qkv, 0, None, &mixed, &sums, &d_mixed, &mut d_qkv);
        });
    }
}

/// Norms of rows of width 384.
mod norm {
    use super::*;
    use tinygpt::model::kernels::norm::{self, Norm};

    #[divan::bench(args = [false, true])]
    fn forward(bencher: Bencher, centred: bool) {
        let (x, weight, bias, mut y) = (values(96 * 384), values(384), values(384), vec![0.0; 96 * 384]);
        let norm = Norm { weight: &weight, bias: centred.then_some(&bias), eps: 1e-5 };
        bencher.counter(ItemsCount::new(x.len())).bench_local(|| norm::forward(norm, &x, &mut y));
    }

    #[divan::bench(args = [false, true])]
    fn backward(bencher: Bencher, centred: bool) {
        let (x, weight, bias, mut dx) = (values(96 * 384), values(384), values(384), vec![0.0; 96 * 384]);
        let norm = Norm { weight: &weight, bias: centred.then_some(&bias), eps: 1e-5 };
        let (mut d_weight, mut d_bias) = (vec![0.0; 384], vec![0.0; if centred { 384 } else { 0 }]);
        bencher.counter(ItemsCount::new(x.len())).bench_local(|| {
            norm::backward(norm, &x, &x, &x, &mut dx, &mut d_weight, &mut d_bias);
        });
    }
}

/// Cross-entropy losses and gradients of 96 rows.
#[divan::bench(args = [65, 32_000])]
fn cross_entropy(bencher: Bencher, vocab: usize) {
    let (mut logits, targets, mut losses) = (values(96 * vocab), vec![1; 96], vec![0.0; 96]);
    bencher.counter(ItemsCount::new(96 * vocab)).bench_local(|| {
        tinygpt::model::kernels::loss::forward_and_backward(&mut logits, &targets, 0.01, &mut losses);
    });
}

#[divan::bench]
fn adamw(bencher: Bencher) {
    use tinygpt::model::kernels::adamw::{self, Update};
    let mut slices: Vec<Vec<f32>> = (0..4).map(|_| values(32 * 1024)).collect();
    let [p, g, m, v] = slices.get_disjoint_mut([0, 1, 2, 3]).unwrap();
    v.fill(1.0);
    let update = Update {
        beta1: 0.9,
        beta2: 0.99,
        eps: 1e-8,
        gradient_scale: 1.0,
        mean_scale: 1e-3,
        square_scale: 1.0,
        keep: 0.999,
    };
    bencher.counter(ItemsCount::new(32 * 1024usize)).bench_local(|| adamw::update(update, p, g, m, v));
}
