//! Fast arithmetic on slices: SIMD by plain loops, threads by ranges of rows, no candle types.
//!
//! Each loop is compiled for several instruction sets and the best one the processor has is taken
//! when it runs. Sums are kept in a fixed number of lanes and shards depend on shapes alone, so that
//! the same input gives the same bits with any number of threads.

pub mod activate;
pub mod lane;
pub mod loss;
pub mod norm;
pub mod rope;
pub mod softmax;

/// Elements that one task works on, about: enough to be worth a task, little enough for the cache.
const SHARD: usize = 16 * 1024;

/// Rows of `width` elements in a shard.
fn shard_rows(width: usize) -> usize {
    (SHARD / width.max(1)).max(1)
}

/// Partial sums of a reduction: as many lanes as the widest registers hold.
const LANES: usize = 16;

/// The sum of `f(i)` over 0..n, in lanes.
#[inline(always)]
fn sum(n: usize, f: impl Fn(usize) -> f32) -> f32 {
    let mut lanes = [0.0f32; LANES];
    let whole = n - n % LANES;
    for start in (0..whole).step_by(LANES) {
        for (lane, sum) in lanes.iter_mut().enumerate() {
            *sum += f(start + lane);
        }
    }
    let rest: f32 = (whole..n).map(f).sum();
    lanes.iter().sum::<f32>() + rest
}

/// The largest value, in lanes.
#[inline(always)]
fn max(values: &[f32]) -> f32 {
    let mut lanes = [f32::NEG_INFINITY; LANES];
    let chunks = values.chunks_exact(LANES);
    let rest = chunks.remainder();
    for chunk in chunks {
        for (largest, value) in lanes.iter_mut().zip(chunk) {
            *largest = if *value > *largest { *value } else { *largest };
        }
    }
    lanes.iter().chain(rest).copied().fold(f32::NEG_INFINITY, f32::max)
}
