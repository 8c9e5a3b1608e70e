//! The largest products of a matrix's rows with a vector, found by reading a quarter of its memory.
//!
//! A copy of the matrix in eight bits says of each product, in whole numbers, what it is at least and at most.
//! Only rows that can be among the largest are then multiplied in f32, so that these are not approximate.

use super::matvec::dot_rows;
use super::{LANES, fold};
use multiversion::multiversion;
use rayon::prelude::*;

/// Elements that one task reads.
const TASK: usize = 128 * 1024;

/// Rows whose largest product is looked at together. There must be as many blocks as products are wanted, or all
/// are computed.
pub const BLOCK: usize = 64;

/// A matrix (rows, columns): each row whole numbers of -127 to 127, times a factor of its own.
pub struct Coarse {
    values: Vec<i8>,
    factors: Vec<f32>,
    columns: usize,
}

impl Coarse {
    /// Of a matrix that is stored row by row.
    pub fn new(matrix: &[f32], columns: usize) -> Coarse {
        let (mut values, mut factors) = (vec![0; matrix.len()], vec![0.0; matrix.len() / columns]);
        let rows = (TASK / columns).max(1);
        let to = values.par_chunks_mut(rows * columns).zip(factors.par_chunks_mut(rows));
        to.zip(matrix.par_chunks(rows * columns)).for_each(|((values, factors), matrix)| {
            let rows = matrix.chunks_exact(columns).zip(values.chunks_exact_mut(columns));
            for ((row, values), factor) in rows.zip(factors) {
                *factor = round(row, values);
            }
        });
        Coarse { values, factors, columns }
    }

    /// y = `matrix` x, where `matrix` is the one that this was made of: the `count` largest elements, and all
    /// that equal one of them, are what [`dot_rows`] makes of their rows. The others are near their products, and
    /// smaller than those.
    pub fn largest(&self, matrix: &[f32], x: &[f32], count: usize, y: &mut [f32]) {
        let (numbers, factor_of_x) = whole_numbers(x);
        let tolerance = self.tolerance(x, factor_of_x);
        let rows = (TASK / self.columns).max(1);
        let tasks = y.par_chunks_mut(rows).zip(self.values.par_chunks(rows * self.columns));
        tasks.zip(self.factors.par_chunks(rows)).for_each(|((y, values), factors)| {
            products(values, factors, &numbers, factor_of_x, y);
        });
        if !factor_of_x.is_normal() {
            // x is zero, or too small or too large to be counted in factors: every row is multiplied.
            return dot_rows(matrix, x, y);
        }
        // At least `count` products reach the count-th largest of the blocks' largest lower ends.
        let lower = |(y, factor): (&f32, &f32)| y - factor * tolerance;
        let blocks = y.chunks(BLOCK).zip(self.factors.chunks(BLOCK));
        let mut ends: Vec<f32> =
            blocks.map(|(y, factors)| y.iter().zip(factors).map(lower).fold(f32::MIN, f32::max)).collect();
        let bound = match count.checked_sub(1) {
            Some(nth) if nth < ends.len() => *ends.select_nth_unstable_by(nth, |a, b| b.total_cmp(a)).1,
            _ => f32::MIN,
        };
        let tasks = y.par_chunks_mut(BLOCK).zip(self.factors.par_chunks(BLOCK));
        let tasks = tasks.zip(matrix.par_chunks(BLOCK * self.columns)).with_min_len(32);
        tasks.for_each(|((y, factors), matrix)| {
            for ((y, factor), row) in y.iter_mut().zip(factors).zip(matrix.chunks_exact(self.columns)) {
                // NaN rules nothing out.
                let ruled_out = *y + factor * tolerance < bound;
                if !ruled_out {
                    dot_rows(row, x, std::slice::from_mut(y));
                }
            }
        });
    }

    /// How far a coarse product may be from the one of [`dot_rows`], over the row's factor.
    ///
    /// A whole number is off by half a factor at most, and a little more by the rounding of its division: by so
    /// much of each x for a row's elements, and by so much of 127 factors for the elements of x. A sum in f32 is
    /// off by its length times half an epsilon of the sum of its terms' sizes (Higham 2002, section 4.2), which
    /// are at most 128 factors times those of x; the whole numbers' sums are exact until they become f32.
    fn tolerance(&self, x: &[f32], factor_of_x: f32) -> f32 {
        const HALF: f64 = 0.501;
        let (columns, factor_of_x) = (self.columns as f64, f64::from(factor_of_x));
        let sizes: f64 = x.iter().map(|x| f64::from(x.abs())).sum();
        let rounding = 2.0 * 128.0 * (columns + 8.0) * f64::from(f32::EPSILON) / 2.0;
        ((HALF + rounding) * sizes + HALF * 127.0 * columns * factor_of_x) as f32 * 1.001
    }
}

/// The vector as whole numbers of -32,767 to 32,767, and their factor.
fn whole_numbers(x: &[f32]) -> (Vec<i16>, f32) {
    let largest = x.iter().fold(0.0f32, |largest, x| largest.max(x.abs()));
    let factor = largest / 32767.0;
    (x.iter().map(|x| (x / factor).round_ties_even() as i16).collect(), factor)
}

/// Added to a number of less than 2^22, leaves it as a whole number in the lowest bits.
const ROUND: f32 = 1.5 * (1 << 23) as f32;

/// Writes a row as whole numbers and returns their factor.
#[multiversion(targets = "simd")]
fn round(row: &[f32], values: &mut [i8]) -> f32 {
    // NaN stays.
    let larger = |a: f32, b: f32| if a > b || a.is_nan() { a } else { b };
    let mut lanes = [0.0; LANES];
    let (chunks, rest) = row.as_chunks::<LANES>();
    for chunk in chunks {
        for (largest, value) in lanes.iter_mut().zip(chunk) {
            *largest = larger(*largest, value.abs());
        }
    }
    let largest = rest.iter().fold(fold(lanes, larger), |largest, value| larger(largest, value.abs()));
    let per_factor = 127.0 / largest;
    if !per_factor.is_finite() {
        // Nothing but zeros, or almost, too small to be counted in factors; or no numbers.
        values.fill(0);
        return 2.0 * largest;
    }
    for (value, weight) in values.iter_mut().zip(row) {
        *value = (weight * per_factor + ROUND).to_bits() as i8;
    }
    largest / 127.0
}

/// Columns whose products add up to less than 2^31.
const EXACT_COLUMNS: usize = 512;

/// y = the rows' products with x.
#[multiversion(targets = "simd")]
fn products(values: &[i8], factors: &[f32], x: &[i16], factor_of_x: f32, y: &mut [f32]) {
    for ((row, factor), y) in values.chunks_exact(x.len()).zip(factors).zip(y) {
        let mut total = 0.0;
        for (row, x) in row.chunks(EXACT_COLUMNS).zip(x.chunks(EXACT_COLUMNS)) {
            let mut sum = 0;
            for (value, x) in row.iter().zip(x) {
                sum += i32::from(*value) * i32::from(*x);
            }
            total += sum as f32;
        }
        *y = factor * (factor_of_x * total);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::random;

    /// (rows, columns) of normal values, some rows a hundred times as large, some of zeros or almost, some
    /// equal.
    fn matrix(rows: usize, columns: usize) -> Vec<f32> {
        let mut rng = random::stream(1, "coarse matrix");
        let mut matrix = random::normal(&mut rng, rows * columns, 1.0);
        for (i, row) in matrix.chunks_exact_mut(columns).enumerate() {
            match i % 50 {
                7 => row.fill(0.0),
                11 => row.iter_mut().for_each(|value| *value *= 100.0),
                13 => row.fill(0.25),
                17 => row.fill(1e-40),
                _ => (),
            }
        }
        matrix
    }

    #[test]
    fn the_largest_products_are_those_of_the_whole_matrix_bit_by_bit() {
        for (rows, columns) in [(1, 1), (70, 5), (1000, 33), (3000, 288), (200, 1100)] {
            let matrix = matrix(rows, columns);
            let coarse = Coarse::new(&matrix, columns);
            let x = random::normal(&mut random::stream(2, "coarse vector"), columns, 1.0);
            let mut whole = vec![0.0; rows];
            dot_rows(&matrix, &x, &mut whole);
            let mut sorted = whole.clone();
            sorted.sort_by(|a, b| b.total_cmp(a));
            for count in [1, 2, 40, 2000] {
                let mut found = vec![0.0; rows];
                coarse.largest(&matrix, &x, count, &mut found);
                let last = sorted[count.min(rows) - 1];
                for (row, (found, whole)) in found.iter().zip(&whole).enumerate() {
                    let case = format!("{rows} x {columns}, {count} largest, row {row}: {found}, {whole}");
                    match *whole >= last {
                        true => assert_eq!(found.to_bits(), whole.to_bits(), "{case}"),
                        false => assert!(*found < last, "{case}"),
                    }
                }
            }
        }
    }

    /// Coarse products are as near to those in f64 as is promised: where all that is rounded errs in one direction,
    /// for the rows and for x, and where whole numbers add up to the most they can.
    #[test]
    fn no_product_is_farther_off_than_the_tolerance() {
        let halves = |columns: usize, most: f32, part: f32| -> Vec<f32> {
            (0..columns).map(|i| if i == 0 { 1.0 } else { ((i % 20) as f32 + part) / most }).collect()
        };
        for columns in [8, 512, 513, 1100] {
            let ones = vec![1.0; columns];
            let signs: Vec<f32> = (0..columns).map(|i| if i % 2 == 0 { 1.0 } else { -1.0 }).collect();
            let mut worst = 0.0f64;
            for row in
                [halves(columns, 127.0, 0.499), halves(columns, 127.0, 0.501), ones.clone(), signs.clone()]
            {
                for scale in [1e-36, 1e-3, 1.0, 1e6] {
                    for x in
                        [&ones, &signs, &halves(columns, 32767.0, 0.499), &halves(columns, 32767.0, 0.501)]
                    {
                        let x: Vec<f32> = x.iter().map(|x| x * scale).collect();
                        let coarse = Coarse::new(&row, columns);
                        let (numbers, factor_of_x) = whole_numbers(&x);
                        if !factor_of_x.is_normal() {
                            continue;
                        }
                        let mut got = [0.0];
                        products(&coarse.values, &coarse.factors, &numbers, factor_of_x, &mut got);
                        let exact: f64 = row.iter().zip(&x).map(|(w, x)| f64::from(*w) * f64::from(*x)).sum();
                        let tolerance =
                            f64::from(coarse.factors[0]) * f64::from(coarse.tolerance(&x, factor_of_x));
                        let error = (f64::from(got[0]) - exact).abs() / tolerance;
                        assert!(error <= 1.0, "{columns} columns, x {scale:e}: {error} of the tolerance");
                        worst = worst.max(error);
                    }
                }
            }
            assert!(worst > 0.85, "{columns} columns: {worst} of the tolerance at most");
        }
    }

    #[test]
    fn few_rows_are_multiplied_in_f32() {
        let (rows, columns) = (4000, 128);
        let matrix = random::normal(&mut random::stream(3, "coarse matrix"), rows * columns, 1.0);
        let x = random::normal(&mut random::stream(4, "coarse vector"), columns, 1.0);
        let (mut found, mut whole) = (vec![0.0; rows], vec![0.0; rows]);
        Coarse::new(&matrix, columns).largest(&matrix, &x, 1, &mut found);
        dot_rows(&matrix, &x, &mut whole);
        let exact =
            found.iter().zip(&whole).filter(|(found, whole)| found.to_bits() == whole.to_bits()).count();
        assert!(exact < rows / 20, "{exact} of {rows}");
    }

    #[test]
    fn what_is_no_number_stays_visible() {
        let (mut matrix, mut y) = (matrix(100, 70), vec![0.0; 100]);
        Coarse::new(&matrix, 70).largest(&matrix, &[f32::NAN; 70], 1, &mut y);
        assert!(y.iter().all(|y| y.is_nan()));
        matrix[3 * 70] = f32::NAN;
        Coarse::new(&matrix, 70).largest(&matrix, &[1.0; 70], 1, &mut y);
        assert!(y[3].is_nan() && !y[4].is_nan());
    }

    #[test]
    fn a_vector_too_small_to_be_counted_is_multiplied_in_f32() {
        let (matrix, x) = (matrix(100, 8), [1e-38, -2e-38, 0.0, 3e-39, 1e-38, 1e-38, 0.0, 0.0]);
        let (mut found, mut whole) = (vec![1.0; 100], vec![2.0; 100]);
        Coarse::new(&matrix, 8).largest(&matrix, &x, 1, &mut found);
        dot_rows(&matrix, &x, &mut whole);
        assert_eq!(found, whole);
    }
}
