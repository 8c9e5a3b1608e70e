//! The table of pointwise functions: to add an activation, add an entry here.
//!
//! Everything else (the flag, `tinygpt acts`, the plots, the model, the tests) follows from it.

use super::number::Number;
use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

/// Facts about a pointwise function that are not its formula.
pub struct Facts {
    pub name: &'static str,
    pub aliases: &'static [&'static str],
    /// The formula as a person writes it.
    pub formula: &'static str,
    pub source: &'static str,
    /// Its name in transformers' `ACT2FN`, where it has one.
    pub transformers: Option<&'static str>,
    /// What its gated form f(W_gate x) * (W_up x) is called, where it has a name of its own.
    pub gated_name: Option<&'static str>,
    /// Where the derivative jumps.
    pub kinks: &'static [f64],
}

/// Work that is compiled once for each function.
pub trait PerFunction {
    /// The function is `Function::ALL[F]`.
    fn run<const F: usize>(self);
}

macro_rules! functions {
    ($($(#[$doc:meta])* $variant:ident {
        name: $name:literal, aliases: $aliases:expr, formula: $formula:literal,
        source: $source:literal, transformers: $transformers:expr, gated_name: $gated:expr,
        kinks: $kinks:expr,
        value: |$x:ident| $value:expr,
        derivative: |$dx:ident| $derivative:expr,
    })*) => {
        /// A pointwise function from the table.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Function { $($(#[$doc])* $variant),* }

        impl Function {
            /// All of them, in the table's order.
            pub const ALL: &'static [Function] = &[$(Function::$variant),*];

            pub fn facts(self) -> &'static Facts {
                match self {
                    $(Function::$variant => &Facts {
                        name: $name, aliases: $aliases, formula: $formula, source: $source,
                        transformers: $transformers, gated_name: $gated, kinks: $kinks,
                    }),*
                }
            }

            /// Runs `task` compiled for this function alone: the choice is made once, not per element.
            pub fn specialize<T: PerFunction>(self, task: T) {
                match self { $(Function::$variant => task.run::<{ Function::$variant as usize }>()),* }
            }

            /// f(x), element by element.
            // Always inlined: a call per element would keep the kernels' loops from becoming SIMD.
            #[inline(always)]
            pub fn value<N: Number>(self, x: N) -> N {
                match self { $(Function::$variant => { let $x = x; $value })* }
            }

            /// f'(x), element by element; at a kink, the value PyTorch takes.
            #[inline(always)]
            pub fn derivative<N: Number>(self, x: N) -> N {
                match self { $(Function::$variant => { let $dx = x; $derivative })* }
            }
        }
    };
}

/// sqrt(2 / pi), the scale inside the tanh form of GELU.
const GELU_TANH_SCALE: f64 = FRAC_2_SQRT_PI * FRAC_1_SQRT_2;
/// The cubic coefficient of the tanh form (Hendrycks & Gimpel 2016, section 2).
const GELU_TANH_CUBIC: f64 = 0.044715;
/// The fixed-point constants of Klambauer et al. 2017, equation 14.
const SELU_SCALE: f64 = 1.050_700_987_355_480_5;
const SELU_ALPHA: f64 = 1.673_263_242_354_377_2;
const LEAKY_SLOPE: f64 = 0.01;
const QUICK_GELU_SCALE: f64 = 1.702;

functions! {
    /// Rectified linear unit.
    Relu {
        name: "relu", aliases: &[], formula: "max(x, 0)",
        source: "Nair & Hinton 2010", transformers: Some("relu"), gated_name: Some("reglu"),
        kinks: &[0.0],
        value: |x| x.relu(),
        derivative: |x| x.if_positive(x.constant(1.0), x.constant(0.0)),
    }
    /// Gaussian error linear unit, exact.
    Gelu {
        name: "gelu", aliases: &[], formula: "x Phi(x) = x (1 + erf(x / sqrt 2)) / 2",
        source: "Hendrycks & Gimpel 2016", transformers: Some("gelu"), gated_name: Some("geglu"),
        kinks: &[],
        value: |x| x.clone() * x.normal_cdf(),
        derivative: |x| x.clone().normal_cdf() + x.clone() * x.normal_density(),
    }
    /// GELU by its tanh approximation, as GPT-2 computes it.
    GeluTanh {
        name: "gelu_tanh", aliases: &["gelu_new", "gelu_pytorch_tanh"],
        formula: "x (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) / 2",
        source: "Hendrycks & Gimpel 2016", transformers: Some("gelu_pytorch_tanh"), gated_name: None,
        kinks: &[],
        value: |x| {
            let square = x.clone() * x.clone();
            let inner = x.clone() * (square * GELU_TANH_CUBIC + 1.0) * GELU_TANH_SCALE;
            x * (inner.tanh() + 1.0) * 0.5
        },
        derivative: |x| {
            let square = x.clone() * x.clone();
            let inner = x.clone() * (square.clone() * GELU_TANH_CUBIC + 1.0) * GELU_TANH_SCALE;
            let slope = (square * (3.0 * GELU_TANH_CUBIC) + 1.0) * GELU_TANH_SCALE;
            let t = inner.tanh();
            let rest = x * (-(t.clone() * t.clone()) + 1.0) * slope;
            (t + 1.0 + rest) * 0.5
        },
    }
    /// Sigmoid linear unit, also called swish.
    Silu {
        name: "silu", aliases: &["swish"], formula: "x sigmoid(x)",
        source: "Ramachandran et al. 2017", transformers: Some("silu"), gated_name: Some("swiglu"),
        kinks: &[],
        value: |x| x.clone() * x.sigmoid(),
        derivative: |x| {
            let s = x.clone().sigmoid();
            s.clone() * (x * (-s + 1.0) + 1.0)
        },
    }
    /// Logistic sigmoid.
    Sigmoid {
        name: "sigmoid", aliases: &[], formula: "1 / (1 + e^-x)",
        source: "Verhulst 1845", transformers: Some("sigmoid"), gated_name: Some("glu"),
        kinks: &[],
        value: |x| x.sigmoid(),
        derivative: |x| {
            let s = x.sigmoid();
            s.clone() * (-s + 1.0)
        },
    }
    /// Hyperbolic tangent.
    Tanh {
        name: "tanh", aliases: &[], formula: "tanh(x)",
        source: "LeCun et al. 1998", transformers: Some("tanh"), gated_name: None,
        kinks: &[],
        value: |x| x.tanh(),
        derivative: |x| {
            let t = x.tanh();
            -(t.clone() * t) + 1.0
        },
    }
    /// Squared ReLU.
    Relu2 {
        name: "relu2", aliases: &["relu_squared"], formula: "max(x, 0)^2",
        source: "So et al. 2021 (Primer)", transformers: Some("relu2"), gated_name: None,
        kinks: &[],
        value: |x| {
            let r = x.relu();
            r.clone() * r
        },
        derivative: |x| x.relu() * 2.0,
    }
    /// ReLU with a small slope on the negative side.
    LeakyRelu {
        name: "leaky_relu", aliases: &[], formula: "x if x > 0 else 0.01 x",
        source: "Maas et al. 2013", transformers: Some("leaky_relu"), gated_name: None,
        kinks: &[0.0],
        value: |x| x.if_positive(x.clone(), x.clone() * LEAKY_SLOPE),
        derivative: |x| x.if_positive(x.constant(1.0), x.constant(LEAKY_SLOPE)),
    }
    /// Exponential linear unit, alpha = 1.
    Elu {
        name: "elu", aliases: &[], formula: "x if x > 0 else e^x - 1",
        source: "Clevert et al. 2015", transformers: None, gated_name: None,
        kinks: &[],
        value: |x| {
            let negative = x.clone().negative_part();
            x.if_positive(x.clone(), negative.exp() + -1.0)
        },
        derivative: |x| {
            let negative = x.clone().negative_part();
            x.if_positive(x.constant(1.0), negative.exp())
        },
    }
    /// Scaled ELU, whose constants keep mean 0 and variance 1 fixed.
    Selu {
        name: "selu", aliases: &[], formula: "1.0507 x if x > 0 else 1.7581 (e^x - 1)",
        source: "Klambauer et al. 2017", transformers: None, gated_name: None,
        kinks: &[0.0],
        value: |x| {
            let negative = x.clone().negative_part();
            x.if_positive(x.clone(), (negative.exp() + -1.0) * SELU_ALPHA) * SELU_SCALE
        },
        derivative: |x| {
            let negative = x.clone().negative_part();
            x.if_positive(x.constant(1.0), negative.exp() * SELU_ALPHA) * SELU_SCALE
        },
    }
    /// Smooth ReLU, the integral of the sigmoid.
    Softplus {
        name: "softplus", aliases: &[], formula: "ln(1 + e^x)",
        source: "Dugas et al. 2001", transformers: None, gated_name: None,
        kinks: &[],
        value: |x| x.softplus(),
        derivative: |x| x.sigmoid(),
    }
    /// Self-regularised smooth function, close to silu.
    Mish {
        name: "mish", aliases: &[], formula: "x tanh(ln(1 + e^x))",
        source: "Misra 2019", transformers: Some("mish"), gated_name: None,
        kinks: &[],
        value: |x| x.clone() * x.softplus().tanh(),
        derivative: |x| {
            let t = x.clone().softplus().tanh();
            t.clone() + x.clone() * (-(t.clone() * t) + 1.0) * x.sigmoid()
        },
    }
    /// GELU by a sigmoid, as CLIP computes it.
    QuickGelu {
        name: "quick_gelu", aliases: &[], formula: "x sigmoid(1.702 x)",
        source: "Hendrycks & Gimpel 2016", transformers: Some("quick_gelu"), gated_name: None,
        kinks: &[],
        value: |x| x.clone() * (x * QUICK_GELU_SCALE).sigmoid(),
        derivative: |x| {
            let s = (x.clone() * QUICK_GELU_SCALE).sigmoid();
            s.clone() * (x * (-s + 1.0) * QUICK_GELU_SCALE + 1.0)
        },
    }
    /// No activation: the FFN becomes one linear map (gated: a bilinear one).
    Identity {
        name: "identity", aliases: &["linear", "none"], formula: "x",
        source: "the control", transformers: Some("linear"), gated_name: Some("bilinear"),
        kinks: &[],
        value: |x| x,
        derivative: |x| x.constant(1.0),
    }
}
