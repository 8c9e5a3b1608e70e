//! Promises of the table: published values, right derivatives, no overflow.

use super::*;
use candle_core::{Device, Var};

fn by_name(name: &str) -> Function {
    let activation: Activation = name.parse().unwrap();
    activation.function
}

/// Values from PyTorch 2.15 in f64 (`scripts/activation_values.py`).
#[test]
#[expect(clippy::approx_constant, reason = "softplus(0) is ln 2; the file is PyTorch's output as it is")]
fn values_equal_pytorch() {
    let points = [-2.0, -1.0, 0.0, 1.0, 2.0];
    let expected: &[(&str, [f64; 5])] = include!("pytorch_values.in");
    assert_eq!(expected.len(), Function::ALL.len(), "an activation has no reference values");
    for (name, values) in expected {
        for (x, want) in points.iter().zip(values) {
            let got = by_name(name).value(*x);
            assert!((got - want).abs() < 1e-6, "{name}({x}) = {got}, PyTorch says {want}");
        }
    }
}

#[test]
fn relu_is_zero_below_zero_and_the_identity_above() {
    let values = [-2.0, -1.0, 0.0, 1.0, 2.0].map(|x: f64| Function::Relu.value(x));
    assert_eq!(values, [0.0, 0.0, 0.0, 1.0, 2.0]);
}

/// Central differences in f64: truncation error h^2, rounding 1e-16 / h.
#[test]
fn derivatives_match_central_differences_away_from_kinks() {
    let h = 1e-5;
    for &function in Function::ALL {
        let facts = function.facts();
        for i in -800..=800 {
            let x = f64::from(i) * 0.01 + 0.003;
            if facts.kinks.iter().any(|kink| (x - kink).abs() < 2.0 * h) {
                continue;
            }
            let numeric = (function.value(x + h) - function.value(x - h)) / (2.0 * h);
            let analytic = function.derivative(x);
            assert!(
                (numeric - analytic).abs() < 1e-6,
                "{}'({x}) = {analytic}, differences give {numeric}",
                facts.name
            );
        }
    }
}

#[test]
fn values_and_gradients_stay_finite_for_large_inputs() {
    for &function in Function::ALL {
        for x in [-1e4, -100.0, 0.0, 100.0, 1e4] {
            assert!(function.value(x).is_finite(), "{}({x})", function.facts().name);
            assert!(function.derivative(x).is_finite(), "{}'({x})", function.facts().name);
        }
    }
}

#[test]
fn sigmoid_derivative_is_at_most_a_quarter() {
    let (low, high) = "sigmoid".parse::<Activation>().unwrap().derivative_range();
    assert!(low >= 0.0);
    assert!((high - 0.25).abs() < 1e-12, "{high}");
}

/// The model differentiates the tensor form by autograd; plots and kernels use the table's
/// derivative. They must be one function, also at 0 and far out, where careless forms give NaN.
#[test]
fn autograd_matches_the_derivatives_in_the_table() {
    let points: Vec<f32> = (-60..=60).map(|i| i as f32 * 0.1).chain([-1e4, -50.0, 50.0, 1e4]).collect();
    for &function in Function::ALL {
        let name = function.facts().name;
        let x = Var::new(points.as_slice(), &Device::Cpu).unwrap();
        let y = function.forward(&x).unwrap();
        let gradients = y.sum_all().unwrap().backward().unwrap();
        let slopes: Vec<f32> = gradients.get(&x).unwrap().to_vec1().unwrap();
        let values: Vec<f32> = y.to_vec1().unwrap();
        for ((x, value), slope) in points.iter().map(|x| f64::from(*x)).zip(values).zip(slopes) {
            let tolerance = 2e-6 * x.abs().max(1.0).powi(if name == "relu2" { 2 } else { 1 });
            let (want, want_slope) = (function.value(x), function.derivative(x));
            assert!((f64::from(value) - want).abs() <= tolerance, "{name}({x}) = {value}, not {want}");
            assert!(
                (f64::from(slope) - want_slope).abs() <= tolerance,
                "{name}'({x}) = {slope}, not {want_slope}"
            );
        }
    }
}

#[test]
fn every_name_and_alias_parses_to_its_activation() {
    for activation in Activation::named() {
        assert_eq!(activation.name().parse::<Activation>().unwrap(), activation);
    }
    let same =
        [("swish", "silu"), ("linear", "identity"), ("gelu_new", "gelu_tanh"), ("glu:swish", "swiglu")];
    for (alias, name) in same {
        assert_eq!(alias.parse::<Activation>().unwrap(), name.parse::<Activation>().unwrap());
    }
    assert_eq!("glu:mish".parse::<Activation>().unwrap().name(), "glu:mish");
    let message = "gleu".parse::<Activation>().unwrap_err().to_string();
    assert!(message.contains("gleu") && message.contains("swiglu"), "{message}");
}

/// Shazeer 2020, section 3: two thirds of the hidden size keeps the parameter count.
#[test]
fn gated_and_ungated_ffns_have_similar_parameter_counts() {
    let (relu, swiglu): (Activation, Activation) = ("relu".parse().unwrap(), "swiglu".parse().unwrap());
    assert_eq!(relu.ffn_dim(768), 3072);
    assert_eq!(swiglu.ffn_dim(768), 2048);
    for dim in [64, 128, 288, 384, 1600] {
        let count = |act: Activation| (act.ffn_matrices() * dim * act.ffn_dim(dim)) as f64;
        assert!((count(swiglu) / count(relu) - 1.0).abs() < 0.04, "dim {dim}");
    }
}
