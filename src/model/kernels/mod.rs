//! Fast arithmetic on slices: SIMD by plain loops, no candle types.
//!
//! Each loop is compiled for several instruction sets and the best one the processor has is taken
//! when it runs. A kernel works on the rows it is given, on the thread that calls it, and who calls it
//! cuts the rows by shape alone; only `matvec`, which has a single row, divides its own work.
//! Sums are kept in a fixed number of lanes. So the same input gives the same bits with any number of threads.

pub mod activate;
pub mod adamw;
pub mod attention;
mod instructions;
pub mod lane;
pub mod loss;
pub mod matmul;
pub mod matvec;
pub mod norm;
pub mod rope;
pub mod scratch;
mod vector;

pub use instructions::instruction_set;

use multiversion::multiversion;

/// Partial sums of a reduction: two of the widest registers, so that an addition need not wait for the
/// one before it.
const LANES: usize = 32;

/// The sum of `f` over the elements of slices that are as long as the first, in lanes.
#[inline(always)]
fn sum<const N: usize>(slices: [&[f32]; N], f: impl Fn([f32; N]) -> f32) -> f32 {
    let n = slices[0].len();
    let slices = slices.map(|slice| &slice[..n]);
    let mut lanes = [0.0f32; LANES];
    let whole = n - n % LANES;
    for start in (0..whole).step_by(LANES) {
        let chunks = slices.map(|slice| &slice[start..start + LANES]);
        for lane in 0..LANES {
            lanes[lane] += f(chunks.map(|chunk| chunk[lane]));
        }
    }
    let rest: f32 = (whole..n).map(|i| f(slices.map(|slice| slice[i]))).sum();
    fold(lanes, |a, b| a + b) + rest
}

/// Replaces each value x by f(x) and returns their sum.
#[inline(always)]
fn replace_and_sum(values: &mut [f32], f: impl Fn(f32) -> f32) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let mut chunks = values.chunks_exact_mut(LANES);
    for chunk in &mut chunks {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *value = f(*value);
            *lane += *value;
        }
    }
    let mut rest = 0.0;
    for value in chunks.into_remainder() {
        *value = f(*value);
        rest += *value;
    }
    fold(lanes, |a, b| a + b) + rest
}

/// All lanes combined, half with half: few steps that wait for each other.
#[inline(always)]
fn fold(mut lanes: [f32; LANES], combine: impl Fn(f32, f32) -> f32) -> f32 {
    let mut width = LANES / 2;
    while width > 0 {
        for lane in 0..width {
            lanes[lane] = combine(lanes[lane], lanes[lane + width]);
        }
        width /= 2;
    }
    lanes[0]
}

/// The largest value, in lanes.
#[inline(always)]
fn max(values: &[f32]) -> f32 {
    let larger = |a: f32, b: f32| if a > b { a } else { b };
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let chunks = values.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (largest, value) in lanes.iter_mut().zip(chunk) {
            *largest = larger(*largest, *value);
        }
    }
    rest.iter().copied().fold(fold(lanes, larger), larger)
}

/// total += part
#[multiversion(targets = "simd")]
pub fn add(total: &mut [f32], part: &[f32]) {
    for (total, part) in total.iter_mut().zip(part) {
        *total += part;
    }
}

/// total += factor * part
#[multiversion(targets = "simd")]
fn scale_add(total: &mut [f32], part: &[f32], factor: f32) {
    for (total, part) in total.iter_mut().zip(part) {
        *total += factor * part;
    }
}

/// Adds `row` to every row of `rows`.
pub fn add_to_rows(rows: &mut [f32], row: &[f32]) {
    for each in rows.chunks_exact_mut(row.len()) {
        add(each, row);
    }
}

/// Adds each column's sum to `totals`.
pub fn add_columns(rows: matmul::Matrix, totals: &mut [f32]) {
    for row in 0..rows.rows() {
        add(totals, rows.row(row));
    }
}

/// (rows, columns) -> (columns, rows), by strips of rows so that whole cache lines are written.
#[multiversion(targets = "simd")]
pub fn transpose(values: &[f32], columns: usize, out: &mut [f32]) {
    const STRIP: usize = 16;
    let rows = values.len() / columns;
    for start in (0..rows).step_by(STRIP) {
        let strip = &values[start * columns..];
        let height = STRIP.min(rows - start);
        for column in 0..columns {
            let out = &mut out[column * rows + start..][..height];
            for (row, out) in out.iter_mut().enumerate() {
                *out = strip[row * columns + column];
            }
        }
    }
}
