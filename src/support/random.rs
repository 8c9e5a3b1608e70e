//! All randomness of the program: independent streams, each named by a seed and a label.
//!
//! Nothing here is kept alive between steps. A tensor's initial values, an epoch's shuffle or a
//! step's dropout mask is always the same function of (seed, label), which is what lets a run be
//! resumed from a step number alone and lets two runs share everything but their activation.

pub use rand_chacha::ChaCha8Rng as Stream;
use rand_chacha::rand_core::{RngCore, SeedableRng};

/// The stream of `(seed, label)`: the seed is ChaCha's key, the label picks its stream number.
pub fn stream(seed: u64, label: &str) -> Stream {
    let mut rng = Stream::seed_from_u64(seed);
    rng.set_stream(fnv1a(label.as_bytes()));
    rng
}

/// 64-bit FNV-1a (Fowler, Noll, Vo): a fixed, portable hash. Not for adversaries.
pub fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// Uniform in [0, 1), with 53 random bits.
pub fn uniform(rng: &mut Stream) -> f64 {
    (rng.next_u64() >> 11) as f64 / (1u64 << 53) as f64
}

/// Goes to where a fresh stream is after `count` calls of [`uniform`].
pub fn skip_uniforms(rng: &mut Stream, count: usize) {
    rng.set_word_pos(2 * count as u128);
}

/// Uniform in 0..n, without modulo bias (Lemire 2019). `n` must not be zero.
pub fn below(rng: &mut Stream, n: u64) -> u64 {
    let threshold = n.wrapping_neg() % n;
    loop {
        let product = u128::from(rng.next_u64()) * u128::from(n);
        if product as u64 >= threshold {
            return (product >> 64) as u64;
        }
    }
}

/// `count` draws from N(0, std^2), by Box and Muller (1958).
pub fn normal(rng: &mut Stream, count: usize, std: f64) -> Vec<f32> {
    let mut values = Vec::with_capacity(count + 1);
    while values.len() < count {
        let radius = (-2.0 * (1.0 - uniform(rng)).ln()).sqrt() * std;
        let angle = std::f64::consts::TAU * uniform(rng);
        values.push((radius * angle.cos()) as f32);
        values.push((radius * angle.sin()) as f32);
    }
    values.truncate(count);
    values
}

/// A random permutation of 0..n (Fisher and Yates).
pub fn permutation(rng: &mut Stream, n: usize) -> Vec<u32> {
    let mut order: Vec<u32> = (0..n as u32).collect();
    for i in (1..n).rev() {
        order.swap(i, below(rng, i as u64 + 1) as usize);
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_streams_depend_only_on_seed_and_label() {
        let draw = |seed, label| normal(&mut stream(seed, label), 4, 1.0);
        assert_eq!(draw(1, "a"), draw(1, "a"));
        assert_ne!(draw(1, "a"), draw(2, "a"));
        assert_ne!(draw(1, "a"), draw(1, "b"));
    }

    #[test]
    fn normal_samples_have_the_requested_mean_and_deviation() {
        let n = 200_000;
        let draws = normal(&mut stream(7, "moments"), n, 0.5);
        let mean = draws.iter().map(|x| f64::from(*x)).sum::<f64>() / n as f64;
        let variance = draws.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>() / n as f64;
        // Five standard errors: 0.5 / sqrt(n) for the mean, 0.25 sqrt(2 / n) for the variance.
        assert!(mean.abs() < 5.0 * 0.5 / (n as f64).sqrt(), "mean {mean}");
        assert!((variance - 0.25).abs() < 5.0 * 0.25 * (2.0 / n as f64).sqrt(), "variance {variance}");
    }

    #[test]
    fn permutations_visit_every_index_once() {
        let mut order = permutation(&mut stream(3, "p"), 1000);
        assert_ne!(order, (0..1000).collect::<Vec<u32>>());
        order.sort_unstable();
        assert_eq!(order, (0..1000).collect::<Vec<u32>>());
    }
}
