//! Each kernel by itself, on one thread: `cargo bench`, or `cargo bench -- matmul` for some.

use divan::Bencher;
use divan::counter::ItemsCount;
use tinygpt::kernels::matmul::{Into, Matrix, MatrixMut, matmul};

fn main() {
    divan::main();
}

fn values(n: usize) -> Vec<f32> {
    (0..n).map(|i| ((i * 2_654_435_761) % 1000) as f32 / 500.0 - 1.0).collect()
}

/// Rows through a linear map, (rows, in) x (in, out): floating-point operations per second.
mod products {
    use super::*;

    const SHAPES: &[(usize, usize, usize)] =
        &[(48, 128, 512), (96, 128, 512), (96, 512, 128), (128, 128, 512), (256, 384, 1536), (256, 1536, 384)];

    fn time(bencher: Bencher, (rows, inputs, outputs): (usize, usize, usize), outputs_first: bool) {
        let (x, w) = (values(rows * inputs), values(inputs * outputs));
        let mut y = vec![0.0; rows * outputs];
        bencher.counter(ItemsCount::new(2 * rows * inputs * outputs)).bench_local(|| {
            let w = match outputs_first {
                true => Matrix::new(&w, outputs, inputs).t(),
                false => Matrix::new(&w, inputs, outputs),
            };
            matmul(Matrix::new(&x, rows, inputs), w, MatrixMut::new(&mut y, rows, outputs), Into::Replace);
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

    /// x^T dy over all rows: a block of a weight's gradient.
    #[divan::bench(args = ["(768, 128, 256)", "(768, 64, 128)", "(2048, 88, 384)", "(2048, 176, 384)"])]
    fn weight_gradient(bencher: Bencher, shape: &str) {
        let (rows, a_columns, b_columns) = parse(shape);
        let (a, b) = (values(rows * a_columns), values(rows * b_columns));
        let mut out = vec![0.0; a_columns * b_columns];
        bencher.counter(ItemsCount::new(2 * rows * a_columns * b_columns)).bench_local(|| {
            let (a, b) = (Matrix::new(&a, rows, a_columns), Matrix::new(&b, rows, b_columns));
            matmul(a.t(), b, MatrixMut::new(&mut out, a_columns, b_columns), Into::Add);
        });
    }

    fn parse(shape: &str) -> (usize, usize, usize) {
        let sizes: Vec<usize> =
            shape.trim_matches(['(', ')']).split(", ").map(|size| size.parse().unwrap()).collect();
        (sizes[0], sizes[1], sizes[2])
    }
}

/// A vector through a linear map that is too large for the caches: bytes of weights per second.
mod vector_products {
    use super::*;
    use divan::counter::BytesCount;
    use tinygpt::kernels::matvec;

    #[divan::bench]
    fn outputs_first(bencher: Bencher) {
        let (w, x, mut y) = (values(32_000 * 288), values(288), vec![0.0; 32_000]);
        bencher.counter(BytesCount::of_slice(&w)).bench_local(|| matvec::outputs_first(&w, &x, &mut y));
    }

    #[divan::bench]
    fn inputs_first(bencher: Bencher) {
        let (w, x, mut y) = (values(768 * 3072), values(768), vec![0.0; 3072]);
        bencher.counter(BytesCount::of_slice(&w)).bench_local(|| matvec::inputs_first(&w, &x, &mut y));
    }
}
