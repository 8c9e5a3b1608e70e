//! Activation functions of standard normal arguments, the usual model of pre-activations before training.

use super::MeanStd;
use crate::activation::{Activation, Function};

/// The normal density is below 1e-31 beyond this.
const END: f64 = 12.0;
/// Panels of Simpson's rule: an even number on either side of 0, where all functions of the table have their kinks.
const PANELS: u32 = 24_000;

/// E g(Z) for Z from N(0, 1), by Simpson's rule in f64, to within 1e-9 for the functions of the table.
fn expectation(panels: u32, g: impl Fn(f64) -> f64) -> f64 {
    let width = 2.0 * END / f64::from(panels);
    let at = |i: u32| {
        let x = (f64::from(i) - f64::from(panels / 2)) * width;
        let weight = match i {
            0 => 1.0,
            i if i == panels => 1.0,
            odd if odd % 2 == 1 => 4.0,
            _ => 2.0,
        };
        weight * g(x) * (-0.5 * x * x).exp()
    };
    (0..=panels).map(at).sum::<f64>() * width / 3.0 / std::f64::consts::TAU.sqrt()
}

/// The factor by which a layer multiplies the root mean square of a gradient if the mean square of every value stays
/// at 1 (He et al. 2015, equation 14): sqrt(E f'(Z)^2 / E f(Z)^2) for Z from N(0, 1). `shift` is added to f.
pub fn gradient_factor(function: &Function, shift: f64) -> f64 {
    let slopes = expectation(PANELS, |x| function.derivative(x).powi(2));
    (slopes / expectation(PANELS, |x| (function.value(x) + shift).powi(2))).sqrt()
}

/// Panels of Simpson's rule for the second of two inputs.
const COARSE: u32 = 200;

/// E f^2 for inputs from N(0, 1).
pub fn second_moment(act: Activation) -> f64 {
    let (program, scalars) = (act.program(), act.program().initial());
    if !act.is_gated() {
        return expectation(PANELS, |x| program.value(&[x], &scalars).powi(2));
    }
    let of_gate = |u: f64| expectation(PANELS / 10, |g| program.value(&[g, u], &scalars).powi(2));
    expectation(COARSE, of_gate)
}

/// Mean and standard deviation of f(Z) for Z from N(0, 1).
pub fn on_standard_normal(function: &Function) -> MeanStd {
    let mean = expectation(PANELS, |x| function.value(x));
    MeanStd { mean, std: expectation(PANELS, |x| (function.value(x) - mean).powi(2)).sqrt() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moments(name: &str) -> MeanStd {
        on_standard_normal(&name.parse::<Activation>().unwrap().function())
    }

    #[test]
    fn means_on_a_standard_normal_are_as_published() {
        let published = [
            ("sigmoid", 0.50),
            ("relu", 0.40),
            ("gelu", 0.28),
            ("silu", 0.21),
            ("tanh", 0.0),
            ("identity", 0.0),
        ];
        for (name, mean) in published {
            let found = moments(name).mean;
            assert!((found - mean).abs() < 0.005, "{name}: {found}");
        }
    }

    /// relu: E f'^2 = E f^2 = 1/2. Identity: both are 1. Sigmoid - 1/2 is tanh(x/2)/2.
    #[test]
    fn gradient_factors_are_as_in_theory_and_do_not_depend_on_scale() {
        let factor =
            |name: &str, shift| gradient_factor(&name.parse::<Activation>().unwrap().function(), shift);
        // The jump of relu's derivative costs Simpson's rule some digits.
        assert!((factor("relu", 0.0) - 1.0).abs() < 1e-3, "{}", factor("relu", 0.0));
        assert!((factor("identity", 0.0) - 1.0).abs() < 1e-9);
        assert!((factor("sigmoid", 0.0) - 0.391).abs() < 1e-3, "{}", factor("sigmoid", 0.0));
        assert!((factor("sigmoid", -0.5) - 1.017).abs() < 1e-3, "{}", factor("sigmoid", -0.5));
    }

    /// relu: mean 1 / sqrt(2 pi), variance 1/2 - 1 / (2 pi); gelu: mean 1 / (2 sqrt pi); SELU keeps
    /// mean 0 and variance 1, which its constants were chosen for (Klambauer et al. 2017).
    #[test]
    fn moments_with_a_closed_form_are_exact() {
        let pi = std::f64::consts::PI;
        let exact = [
            ("relu", (0.5 / pi).sqrt(), (0.5 - 0.5 / pi).sqrt()),
            ("selu", 0.0, 1.0),
            ("identity", 0.0, 1.0),
        ];
        for (name, mean, std) in exact {
            let found = moments(name);
            assert!((found.mean - mean).abs() < 1e-9 && (found.std - std).abs() < 1e-9, "{name}: {found:?}");
        }
        assert!((moments("gelu").mean - 0.5 / pi.sqrt()).abs() < 1e-9);
    }
}
