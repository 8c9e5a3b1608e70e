//! Matrix products: the one place where they are computed, by the crate `gemm` on the calling thread.

use gemm::Parallelism;
use std::ops::Range;

/// A matrix over a slice: element (i, j) lies at `i * row_stride + j * column_stride`.
#[derive(Clone, Copy)]
pub struct Matrix<'a> {
    values: &'a [f32],
    layout: Layout,
}

/// A matrix to be written.
pub struct MatrixMut<'a> {
    values: &'a mut [f32],
    layout: Layout,
}

#[derive(Clone, Copy)]
struct Layout {
    rows: usize,
    columns: usize,
    row_stride: usize,
    column_stride: usize,
}

impl Layout {
    /// Rows of `columns` elements, each `row_stride` after the one before it.
    ///
    /// # Panics
    /// If the slice is too short for them: every product relies on this check.
    fn new(rows: usize, columns: usize, row_stride: usize, len: usize) -> Layout {
        assert!(columns <= row_stride || rows <= 1, "rows overlap");
        if rows > 0 && columns > 0 {
            let needed = (rows - 1).checked_mul(row_stride).and_then(|start| start.checked_add(columns));
            assert!(needed.is_some_and(|needed| needed <= len), "{rows} x {columns} in {len} values");
        }
        Layout { rows, columns, row_stride, column_stride: 1 }
    }
}

impl<'a> Matrix<'a> {
    /// `rows` x `columns`, row by row.
    pub fn new(values: &'a [f32], rows: usize, columns: usize) -> Matrix<'a> {
        Matrix::strided(values, rows, columns, columns)
    }

    /// The first `columns` of rows that are `row_stride` apart.
    pub fn strided(values: &'a [f32], rows: usize, columns: usize, row_stride: usize) -> Matrix<'a> {
        Matrix { values, layout: Layout::new(rows, columns, row_stride, values.len()) }
    }

    pub fn rows(&self) -> usize {
        self.layout.rows
    }

    pub fn columns(&self) -> usize {
        self.layout.columns
    }

    /// The transposed matrix, of the same values.
    pub fn t(self) -> Matrix<'a> {
        let Layout { rows, columns, row_stride, column_stride } = self.layout;
        let layout =
            Layout { rows: columns, columns: rows, row_stride: column_stride, column_stride: row_stride };
        Matrix { values: self.values, layout }
    }

    /// A row of a matrix that is stored row by row.
    pub fn row(&self, row: usize) -> &'a [f32] {
        assert_eq!(self.layout.column_stride, 1, "rows lie in one piece");
        &self.values[row * self.layout.row_stride..][..self.layout.columns]
    }

    /// Some of the rows.
    pub fn row_range(self, range: Range<usize>) -> Matrix<'a> {
        assert!(range.start < range.end && range.end <= self.layout.rows);
        let values = &self.values[range.start * self.layout.row_stride..];
        Matrix { values, layout: Layout { rows: range.len(), ..self.layout } }
    }
}

impl<'a> MatrixMut<'a> {
    /// `rows` x `columns`, row by row.
    pub fn new(values: &'a mut [f32], rows: usize, columns: usize) -> MatrixMut<'a> {
        MatrixMut::strided(values, rows, columns, columns)
    }

    /// The first `columns` of rows that are `row_stride` apart.
    pub fn strided(values: &'a mut [f32], rows: usize, columns: usize, row_stride: usize) -> MatrixMut<'a> {
        let layout = Layout::new(rows, columns, row_stride, values.len());
        MatrixMut { values, layout }
    }
}

/// What becomes of the values that a product is written over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accumulate {
    Overwrite,
    Add,
}

/// out = a b, or out += a b: (m, k) x (k, n) -> (m, n).
///
/// # Panics
/// If the shapes do not fit.
pub fn matmul(a: Matrix, b: Matrix, out: MatrixMut, accumulate: Accumulate) {
    let MatrixMut { values, layout } = out;
    let (m, k, n) = (a.layout.rows, a.layout.columns, b.layout.columns);
    assert!(b.layout.rows == k && layout.rows == m && layout.columns == n, "shapes do not fit");
    let stride = |stride: usize| stride as isize;
    // SAFETY: Layout::new and row_range checked that every element of the three matrices lies inside
    // its slice, and `out` is borrowed alone.
    unsafe {
        gemm::gemm(
            m,
            n,
            k,
            values.as_mut_ptr(),
            stride(layout.column_stride),
            stride(layout.row_stride),
            accumulate == Accumulate::Add,
            a.values.as_ptr(),
            stride(a.layout.column_stride),
            stride(a.layout.row_stride),
            b.values.as_ptr(),
            stride(b.layout.column_stride),
            stride(b.layout.row_stride),
            1.0,
            1.0,
            false,
            false,
            false,
            Parallelism::None,
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(n: usize, phase: f32) -> Vec<f32> {
        (0..n).map(|i| (0.7 * i as f32 + phase).sin()).collect()
    }

    /// Odd sizes, one row, strided and transposed operands, and rows of the result that are apart, against
    /// sums in f64.
    #[test]
    fn products_match_sums_in_f64() {
        for (m, k, n) in [(1, 1, 1), (1, 5, 7), (3, 4, 5), (65, 33, 70), (130, 3, 17)] {
            let (a, b, apart) = (values(m * (k + 2), 0.0), values(n * k, 1.0), n + 3);
            let (left, right) = (Matrix::strided(&a, m, k, k + 2), Matrix::new(&b, n, k).t());
            let mut out = values(m * apart, 2.0);
            let before = out.clone();
            for accumulate in [Accumulate::Overwrite, Accumulate::Add] {
                matmul(left, right, MatrixMut::strided(&mut out, m, n, apart), accumulate);
            }
            for i in 0..m {
                for j in 0..apart {
                    let product = |l: usize| f64::from(a[i * (k + 2) + l]) * f64::from(b[j * k + l]);
                    let at = i * apart + j;
                    // Written once and added once; what lies between two rows stays.
                    let want =
                        if j < n { 2.0 * (0..k).map(product).sum::<f64>() } else { f64::from(before[at]) };
                    assert!((f64::from(out[at]) - want).abs() < 1e-4, "{m} x {k} x {n}: {} {want}", out[at]);
                }
            }
        }
    }

    #[test]
    #[should_panic(expected = "in 11 values")]
    fn matrices_larger_than_their_slice_are_rejected() {
        Matrix::new(&[0.0; 11], 3, 4);
    }

    #[test]
    #[should_panic(expected = "shapes do not fit")]
    fn products_with_mismatched_shapes_are_rejected() {
        let (a, mut out) = ([0.0; 12], [0.0; 16]);
        matmul(
            Matrix::new(&a, 4, 3),
            Matrix::new(&a, 4, 3),
            MatrixMut::new(&mut out, 4, 4),
            Accumulate::Overwrite,
        );
    }
}
