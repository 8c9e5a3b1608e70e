//! Promises of formulas: published values, right derivatives, no overflow, clear errors.

use super::*;
use crate::support::random;

fn by_name(name: &str) -> Function {
    name.parse::<Activation>().unwrap().function()
}

/// Values from PyTorch in f64 (`scripts/activation_values.py`).
#[test]
#[expect(clippy::approx_constant, reason = "softplus(0) is ln 2; the file is PyTorch's output as it is")]
fn values_equal_pytorch() {
    let points = [-2.0, -1.0, 0.0, 1.0, 2.0];
    let expected: &[(&str, [f64; 5])] = include!("pytorch_values.in");
    assert_eq!(expected.len(), Activation::named().count(), "an activation has no reference values");
    for (name, values) in expected {
        let program = by_name(name).act.program();
        for (x, want) in points.iter().zip(values) {
            let got = program.value(&[*x, 0.5 - x], &program.initial());
            assert!((got - want).abs() < 1e-6, "{name}({x}) = {got}, PyTorch says {want}");
        }
    }
}

/// Formulas, values and derivatives from PyTorch's autograd in f64 (`scripts/formula_gradients.py`).
#[test]
fn random_formulas_and_their_derivatives_equal_pytorch_autograd() {
    type Case = (&'static str, &'static [f64], f64, f64, &'static [f64]);
    let cases: &[Case] = include!("pytorch_gradients.in");
    assert_eq!(cases.len(), 200);
    for (formula, point, b, value, slopes) in cases {
        let program = Program::compile(formula, Library::built_in())
            .unwrap_or_else(|problem| panic!("{formula}: {problem:?}"));
        let (got, got_slopes) = program.at(point, &[*b]);
        let is_near = |got: f64, want: f64| (got - want).abs() <= 1e-6 * want.abs().max(1.0);
        assert!(is_near(got, *value), "{formula} at {point:?}: {got}, PyTorch says {value}");
        for (got, want) in got_slopes.iter().zip(*slopes) {
            assert!(is_near(*got, *want), "slopes of {formula} at {point:?}: {got_slopes:?}, not {slopes:?}");
        }
    }
}

/// What a derivative is where it jumps.
#[test]
fn at_a_kink_the_derivative_is_that_of_the_side_which_the_table_states() {
    let table = [
        ("relu", 0.0, 0.0),
        ("leaky_relu", 0.0, 0.01),
        ("leaky_relu2", 0.0, 0.0),
        ("prelu", 0.0, 0.25),
        ("elu", 0.0, 1.0),
        ("selu", 0.0, 1.758_099_340_847_376_6),
        ("relu6", 6.0, 0.0),
        ("hardswish", -3.0, 0.0),
        ("abs(x)", 0.0, 0.0),
        ("max(x, 2 * x)", 0.0, 2.0),
    ];
    for (name, x, slope) in table {
        assert!(
            (by_name(name).derivative(x) - slope).abs() < 1e-12,
            "{name}: {}",
            by_name(name).derivative(x)
        );
    }
}

/// Central differences in f64: truncation error h^2, rounding 1e-16 / h.
#[test]
fn derivatives_match_central_differences_away_from_kinks() {
    let h = 1e-5;
    for act in Activation::named() {
        let program = act.program();
        for i in -600..=600 {
            // No kink of the library is as near as h to one of these.
            let x = f64::from(i) * 0.013 + 0.0037;
            let inputs = [x, 0.7 * x - 0.33];
            let all = [&inputs[..program.inputs()], &program.initial()].concat();
            let (_, slopes) = program.at(&inputs, &program.initial());
            for (k, slope) in slopes.iter().enumerate() {
                let moved = |by: f64| {
                    let mut all = all.clone();
                    all[k] += by;
                    let (inputs, scalars) = all.split_at(program.inputs());
                    program.value(inputs, scalars)
                };
                let numeric = (moved(h) - moved(-h)) / (2.0 * h);
                let error = (numeric - slope).abs();
                assert!(
                    error < 1e-6 * numeric.abs().max(1.0),
                    "{act} at {inputs:?}, {k}: {slope}, not {numeric}"
                );
            }
        }
    }
}

#[test]
fn values_and_gradients_stay_finite_for_large_inputs() {
    for act in Activation::named() {
        for x in [-1e4, -100.0, 0.0, 100.0, 1e4] {
            let function = act.function();
            assert!(function.value(x).is_finite(), "{act}({x})");
            assert!(function.derivative(x).is_finite(), "{act}'({x})");
        }
        assert_eq!(act.trouble(), None, "{act}");
    }
}

#[test]
fn sigmoid_derivative_is_at_most_a_quarter() {
    let (low, high) = by_name("sigmoid").derivative_range();
    assert!(low >= 0.0);
    assert!((high - 0.25).abs() < 1e-12, "{high}");
}

#[test]
fn the_branch_that_is_not_taken_gives_no_nan() {
    for formula in
        ["where(x > 0, x * ln(x), 0)", "where(x > 0, sqrt(x) + 1 / x, x)", "where(x < 80, exp(x), 0)"]
    {
        let function = by_name(formula);
        for x in [-200.0, -1.0, 0.0, 100.0, 800.0] {
            let (value, slope) = (function.value(x), function.derivative(x));
            assert!(!value.is_nan() && !slope.is_nan(), "{formula} at {x}: {value}, {slope}");
        }
    }
    assert_eq!(by_name("where(x > 0, sqrt(x) + 1 / x, x)").derivative(0.0), 1.0);
}

#[test]
fn a_formula_without_finite_numbers_is_told_with_the_point() {
    let trouble = |formula: &str| by_name(formula).act.trouble().unwrap().to_string();
    assert_eq!(trouble("ln(x)"), "no finite value at x = 0");
    assert_eq!(trouble("sqrt(x)"), "no finite value at x = -0.01");
    assert_eq!(trouble("sqrt(abs(x))"), "no finite slope at x = 0");
    assert_eq!(trouble("g / (u - 1)"), "no finite value at g = 0, u = 1");
}

#[test]
fn a_formula_that_is_a_named_function_has_its_name() {
    let same = [
        ("x * sigmoid(1.702 * x)", "quick_gelu"),
        ("x*sigmoid( x )", "silu"),
        ("leaky_relu(x, 0.5)^2", "leaky_relu2"),
        ("silu(g) * u", "swiglu"),
        ("silu(min(g, 10)) * clamp(u, -10, 10)", "swiglu_clamped"),
        ("x * sigmoid(b * x); b = 1", "swish_beta"),
    ];
    for (formula, name) in same {
        assert_eq!(by_name(formula).act.name(), name, "{formula}");
    }
    assert_eq!(by_name("x * sigmoid(1.7 * x)").act.name(), "x * sigmoid(1.7 * x)");
}

#[test]
fn mistakes_are_told_with_their_column_and_a_suggestion() {
    let message = |formula: &str| formula.parse::<Activation>().unwrap_err().to_string();
    let told = [
        ("x * sigmiod(x)", "column 5 of 'x * sigmiod(x)': unknown name 'sigmiod' (did you mean 'sigmoid'?)"),
        ("x + g", "column 5 of 'x + g': a formula is over x, or over g and u"),
        ("x x", "column 3 of 'x x': expected an operator such as '*' and found 'x'"),
        ("x > 0", "column 3 of 'x > 0': comparisons stand in where(condition, a, b)"),
        ("where(x, 1, 2)", "column 8 of 'where(x, 1, 2)': expected a comparison such as '>' and found ','"),
        ("x * (1", "column 7 of 'x * (1': expected ')' and found the end"),
        ("x * b; b = ", "column 11 of 'x * b; b =': expected the initial value, a number and found the end"),
        ("relu(x, 2)", "column 1 of 'relu(x, 2)': relu takes 1 argument: relu(x)"),
        ("x * 1e999", "column 5 of 'x * 1e999': '1e999' isn't a number"),
        ("x * \u{e9}", "column 5 of 'x * \u{e9}': unexpected '\u{e9}'"),
    ];
    for (formula, expected) in told {
        assert_eq!(message(formula), expected);
    }
    assert!(message(&"(".repeat(60)).contains("nested deeper than 50 levels"));
    assert!(message(&format!("x{}", " + x".repeat(400))).contains("longer than 1000 bytes"));
}

#[test]
fn random_strings_are_refused_or_compiled_and_never_panic() {
    let words = [
        "x", "g", "u", "b", "1", "2.5", "1e3", "+", "-", "*", "/", "^", "(", ")", ",", ";", "=", "<", ">=",
        "where(", "relu(", "exp(", "clamp(", "swiglu(", "xielu(", " ", "\u{e9}", ".", "e", "_", "!=",
    ];
    let mut rng = random::stream(1, "random strings");
    let mut compiled = 0;
    for _ in 0..100_000 {
        let length = 1 + random::below(&mut rng, 12) as usize;
        let text: String =
            (0..length).map(|_| words[random::below(&mut rng, words.len() as u64) as usize]).collect();
        match Program::compile(&text, Library::built_in()) {
            Ok(program) => {
                program.at(&[0.3, 0.7], &program.initial());
                compiled += 1;
            }
            Err(problem) => assert!(text.is_char_boundary(problem.at), "{text}: {problem:?}"),
        }
    }
    assert!(compiled > 1000, "{compiled}");
}

#[test]
fn long_formulas_have_short_labels_that_differ() {
    let long = |limit: i32| by_name(&format!("silu(min(g, {limit})) * clamp(u, -{limit}, {limit})")).act;
    let (a, b) = (long(11), long(12));
    assert!(a.label() != b.label() && a.label().chars().count() <= 24, "{a} {b}");
    assert!(a.file_name() != b.file_name() && a.file_name().starts_with("formula_"));
    assert_eq!(by_name("mine = x * sin(x)").act.label(), "mine");
}

#[test]
fn lists_split_at_commas_outside_parentheses_and_after_all_scalars() {
    let text = "relu2, leaky_relu(x, 0.5)^2,a * x + b; a = 1, b = -2, silu";
    assert_eq!(in_list(text), ["relu2", "leaky_relu(x, 0.5)^2", "a * x + b; a = 1, b = -2", "silu"]);
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
    assert!(message.contains("gleu") && message.contains("tinygpt acts"), "{message}");
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
