//! f32 functions that compilers turn into SIMD: no branches, no calls.
//!
//! Each exists with and without fused multiply-add: `FMA` is `fused!` of the function that the loop stands in. Errors
//! against f64, absolute unless said: exp 3e-7 relative, ln 3e-7 on [1, 2], tanh and sigmoid 3e-7, erf 7e-7, sin and cos
//! 3e-7 on [-100, 100].

/// Whether the instruction set that a function is being compiled for multiplies and adds at once.
macro_rules! fused {
    () => {
        multiversion::target::target_cfg_f!(any(target_feature = "fma", target_arch = "aarch64"))
    };
}
pub(crate) use fused;

/// a b + c
#[inline(always)]
pub fn multiply_add<const FMA: bool>(a: f32, b: f32, c: f32) -> f32 {
    if FMA { a.mul_add(b, c) } else { a * b + c }
}

/// The polynomial with these coefficients, the highest first (Horner).
#[inline(always)]
fn polynomial<const FMA: bool, const N: usize>(x: f32, coefficients: [f32; N]) -> f32 {
    let mut sum = coefficients[0];
    for c in &coefficients[1..] {
        sum = multiply_add::<FMA>(sum, x, *c);
    }
    sum
}

/// Below this e^x counts as 0, which is 1e-20. A sum that has a 1 in it does not see the difference; but products
/// of smaller numbers leave what f32 holds as normal numbers, and arithmetic with the others takes a hundred times
/// as long: attention that has become sharp would train eight times more slowly.
const NOTHING: f32 = -46.0;

/// (e^r, n) with e^x = 2^n e^r, for x between -87 and 88.8.
#[inline(always)]
fn exp_parts<const FMA: bool>(x: f32) -> (f32, i32) {
    // x = n ln 2 + r with |r| <= ln 2 / 2; ln 2 in two parts so that r is exact.
    const LN2_HIGH: f32 = 0.693_359_4;
    const LN2_LOW: f32 = -2.121_944_4e-4;
    /// Added to a small number, this leaves its nearest integer in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    let shifted = multiply_add::<FMA>(x, std::f32::consts::LOG2_E, ROUND);
    let n = shifted - ROUND;
    let r = multiply_add::<FMA>(n, -LN2_HIGH, x);
    let r = multiply_add::<FMA>(n, -LN2_LOW, r);
    // The Taylor polynomial of degree 6: its remainder on |r| <= 0.35 is below 1.3e-7.
    let p = polynomial::<FMA, 7>(r, [1.0 / 720.0, 1.0 / 120.0, 1.0 / 24.0, 1.0 / 6.0, 0.5, 1.0, 1.0]);
    (p, shifted.to_bits().wrapping_sub(ROUND.to_bits()) as i32)
}

/// e^x, 0 where that is next to nothing, and no more than e^88.
#[inline(always)]
pub fn exp_or_nothing<const FMA: bool>(x: f32) -> f32 {
    let is_nothing = x < NOTHING;
    let x = if is_nothing { NOTHING } else { x };
    let x = if x > 88.0 { 88.0 } else { x };
    let (p, n) = exp_parts::<FMA>(x);
    let power = p * f32::from_bits((n << 23).wrapping_add(1.0f32.to_bits() as i32) as u32);
    if is_nothing { 0.0 } else { power }
}

/// ln x for normal positive x.
#[inline(always)]
fn ln_of_normal<const FMA: bool>(x: f32) -> f32 {
    // x = 2^e m with m in [sqrt(1/2), sqrt 2): ln m = 2 atanh((m - 1) / (m + 1)).
    let bits = x.to_bits();
    let e = (bits.wrapping_sub(0x3f35_04f3) as i32) >> 23;
    let m = f32::from_bits(bits.wrapping_sub((e as u32) << 23));
    let s = (m - 1.0) / (m + 1.0);
    let series = polynomial::<FMA, 5>(s * s, [1.0 / 9.0, 1.0 / 7.0, 0.2, 1.0 / 3.0, 1.0]);
    multiply_add::<FMA>(e as f32, std::f32::consts::LN_2, 2.0 * s * series)
}

#[inline(always)]
pub fn tanh<const FMA: bool>(x: f32) -> f32 {
    let t = exp_or_nothing::<FMA>(-2.0 * x.abs());
    ((1.0 - t) / (1.0 + t)).copysign(x)
}

#[inline(always)]
pub fn sigmoid<const FMA: bool>(x: f32) -> f32 {
    let t = exp_or_nothing::<FMA>(-x.abs());
    (if x < 0.0 { t } else { 1.0 }) / (1.0 + t)
}

/// Abramowitz & Stegun 1964, formula 7.1.26, of x / sqrt 2.
#[inline(always)]
pub fn erf_of_scaled<const FMA: bool>(x: f32) -> f32 {
    let t = 1.0 / multiply_add::<FMA>(x.abs(), 0.327_591_1 * std::f32::consts::FRAC_1_SQRT_2, 1.0);
    let p = polynomial::<FMA, 5>(t, [1.061_405_4, -1.453_152_1, 1.421_413_8, -0.284_496_74, 0.254_829_6]);
    (1.0 - p * t * exp_or_nothing::<FMA>((x * x) * -0.5)).copysign(x)
}

/// The density of N(0, 1).
#[inline(always)]
pub fn normal_pdf<const FMA: bool>(x: f32) -> f32 {
    const PEAK: f32 = 0.398_942_3;
    PEAK * exp_or_nothing::<FMA>((x * x) * -0.5)
}

/// ln(1 + e^x)
#[inline(always)]
pub fn softplus<const FMA: bool>(x: f32) -> f32 {
    let positive = if x > 0.0 { x } else { 0.0 };
    positive + ln_of_normal::<FMA>(1.0 + exp_or_nothing::<FMA>(-x.abs()))
}

/// e^x over the whole range of f32: infinity above 88.7, and 0 below -87, where f32 has no normal numbers left.
#[inline(always)]
pub fn exp<const FMA: bool>(x: f32) -> f32 {
    const LEAST: f32 = -87.0;
    const MOST: f32 = 88.722_83;
    let within = if x < LEAST { LEAST } else { x };
    let within = if within > MOST { MOST } else { within };
    let (power, n) = exp_parts::<FMA>(within);
    // 2^n in two factors, since 2^128 isn't a number of its own.
    let half = n >> 1;
    let scale = |n: i32| f32::from_bits(((n + 127) as u32) << 23);
    let power = power * scale(half) * scale(n - half);
    let power = if x < LEAST { 0.0 } else { power };
    if x > MOST { f32::INFINITY } else { power }
}

/// ln x: -infinity at 0, NaN below.
#[inline(always)]
pub fn ln<const FMA: bool>(x: f32) -> f32 {
    /// A subnormal number times this is normal.
    const UP: f32 = 8_388_608.0;
    let is_small = x < f32::MIN_POSITIVE;
    let ln = ln_of_normal::<FMA>(if is_small { x * UP } else { x });
    let ln = if is_small { ln - 23.0 * std::f32::consts::LN_2 } else { ln };
    let ln = if x < f32::INFINITY { ln } else { x };
    let edge = if x == 0.0 { f32::NEG_INFINITY } else { f32::NAN };
    if x > 0.0 { ln } else { edge }
}

/// a^b. The power of a negative number is NaN unless b is whole.
#[inline(always)]
pub fn power<const FMA: bool>(a: f32, b: f32) -> f32 {
    /// Numbers from here on are whole. Added to a smaller one, this leaves the nearest integer in the lowest bits.
    const WHOLE: f32 = 8_388_608.0;
    let magnitude = exp::<FMA>(b * ln::<FMA>(a.abs()));
    let size = if b.abs() < WHOLE { b.abs() } else { 0.0 };
    let shifted = size + WHOLE;
    let negative = f32::from_bits(magnitude.to_bits() ^ (shifted.to_bits() << 31));
    let negative = if shifted - WHOLE == size { negative } else { f32::NAN };
    let power = if a < 0.0 { negative } else { magnitude };
    if b == 0.0 { 1.0 } else { power }
}

/// The sine of x + shift pi, for a shift of 0 or 1/2.
#[inline(always)]
fn sine<const FMA: bool>(x: f32, shift: f32) -> f32 {
    // x = (n - shift) pi + r with |r| <= pi / 2; pi in three parts so that r is exact.
    const PI_PARTS: [f32; 3] = [3.140_625, 9.670_257_6e-4, 6.277_114e-7];
    const ROUND: f32 = 12_582_912.0;
    let shifted = multiply_add::<FMA>(x, std::f32::consts::FRAC_1_PI, shift) + ROUND;
    let n = (shifted - ROUND) - shift;
    let r = multiply_add::<FMA>(n, -PI_PARTS[0], x);
    let r = multiply_add::<FMA>(n, -PI_PARTS[1], r);
    let r = multiply_add::<FMA>(n, -PI_PARTS[2], r);
    // The Taylor polynomial of degree 11: its remainder is below 6e-8.
    let series = [-1.0 / 39_916_800.0, 1.0 / 362_880.0, -1.0 / 5040.0, 1.0 / 120.0, -1.0 / 6.0, 1.0];
    let sine = r * polynomial::<FMA, 6>(r * r, series);
    f32::from_bits(sine.to_bits() ^ (shifted.to_bits() << 31))
}

#[inline(always)]
pub fn sin<const FMA: bool>(x: f32) -> f32 {
    sine::<FMA>(x, 0.0)
}

#[inline(always)]
pub fn cos<const FMA: bool>(x: f32) -> f32 {
    sine::<FMA>(x, 0.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The largest error of `fast` on [low, high].
    fn worst(low: f64, high: f64, fast: fn(f32) -> f32, exact: fn(f64) -> f64, relative: bool) -> f64 {
        let points = 200_001;
        (0..points)
            .map(|i| {
                let x = (low + (high - low) * f64::from(i) / f64::from(points - 1)) as f32;
                let (got, want) = (f64::from(fast(x)), exact(f64::from(x)));
                if relative { (got / want - 1.0).abs() } else { (got - want).abs() }
            })
            .fold(0.0, f64::max)
    }

    fn assert_stated_errors<const F: bool>() {
        let errors = [
            (worst(-45.9, 87.0, exp_or_nothing::<F>, f64::exp, true), 3e-7),
            (worst(-87.0, 88.7, exp::<F>, f64::exp, true), 3e-7),
            (worst(1.0, 2.0, ln::<F>, f64::ln, false), 3e-7),
            (worst(-12.0, 12.0, tanh::<F>, f64::tanh, false), 3e-7),
            (worst(-20.0, 20.0, sigmoid::<F>, |x| 1.0 / (1.0 + (-x).exp()), false), 3e-7),
            (
                worst(
                    -6.0,
                    6.0,
                    |x| erf_of_scaled::<F>(x * std::f32::consts::SQRT_2),
                    candle_core::cpu::erf::erf_f64,
                    false,
                ),
                7e-7,
            ),
            (worst(-100.0, 100.0, sin::<F>, f64::sin, false), 3e-7),
            (worst(-100.0, 100.0, cos::<F>, f64::cos, false), 3e-7),
        ];
        assert!(errors.iter().all(|(error, bound)| error < bound), "{errors:?}");
    }

    #[test]
    fn approximations_never_return_numbers_small_enough_to_be_slow() {
        for x in (-2000..2000).map(|i| i as f32 / 10.0) {
            for value in [exp_or_nothing::<true>(x), sigmoid::<true>(x), 1.0 - tanh::<true>(x)] {
                assert!(value == 0.0 || value >= 1e-20, "{value:e} of {x}");
            }
        }
    }

    #[test]
    fn approximations_stay_within_their_stated_errors() {
        assert_stated_errors::<false>();
        assert_stated_errors::<true>();
    }

    #[test]
    fn exp_ln_and_powers_are_right_at_the_ends_of_their_domains() {
        assert_eq!([-1e4, -88.0, 0.0, 89.0].map(exp::<true>), [0.0, 0.0, 1.0, f32::INFINITY]);
        assert!(exp::<true>(f32::NAN).is_nan() && ln::<true>(-1.0).is_nan());
        assert_eq!([0.0, 1.0, f32::INFINITY].map(ln::<true>), [f32::NEG_INFINITY, 0.0, f32::INFINITY]);
        assert!((ln::<true>(1e-40) - 1e-40f32.ln()).abs() < 1e-5);
        let powers = [
            (0.0, 0.0, 1.0),
            (0.0, 2.0, 0.0),
            (0.0, -1.0, f32::INFINITY),
            (-2.0, 3.0, -8.0),
            (-2.0, 2.0, 4.0),
        ];
        for (a, b, want) in powers {
            let got = power::<true>(a, b);
            assert!(got == want || (got / want - 1.0).abs() < 1e-6, "{a}^{b} = {got}");
        }
        assert!(power::<true>(-2.0, 0.5).is_nan());
    }
}
