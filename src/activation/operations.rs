//! The operations of formulas: their names, values and costs.

use std::f64::consts::{FRAC_1_SQRT_2, TAU};

/// Functions of one value. In a formula each is called by its [`Unary::name`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unary {
    Negate,
    Exp,
    Ln,
    Sqrt,
    Abs,
    /// -1, 0 or 1.
    Sign,
    /// 1 / (1 + e^-x)
    Sigmoid,
    Tanh,
    Erf,
    Sin,
    Cos,
    /// ln(1 + e^x)
    Softplus,
    /// The cumulative distribution function of N(0, 1).
    NormalCdf,
    /// The density of N(0, 1).
    NormalPdf,
}

impl Unary {
    pub const ALL: [Unary; 14] = [
        Unary::Negate,
        Unary::Exp,
        Unary::Ln,
        Unary::Sqrt,
        Unary::Abs,
        Unary::Sign,
        Unary::Sigmoid,
        Unary::Tanh,
        Unary::Erf,
        Unary::Sin,
        Unary::Cos,
        Unary::Softplus,
        Unary::NormalCdf,
        Unary::NormalPdf,
    ];

    /// The name in a formula; `-` is an operator.
    pub fn name(self) -> &'static str {
        match self {
            Unary::Negate => "-",
            Unary::Exp => "exp",
            Unary::Ln => "ln",
            Unary::Sqrt => "sqrt",
            Unary::Abs => "abs",
            Unary::Sign => "sign",
            Unary::Sigmoid => "sigmoid",
            Unary::Tanh => "tanh",
            Unary::Erf => "erf",
            Unary::Sin => "sin",
            Unary::Cos => "cos",
            Unary::Softplus => "softplus",
            Unary::NormalCdf => "normal_cdf",
            Unary::NormalPdf => "normal_pdf",
        }
    }

    pub fn of(self, x: f64) -> f64 {
        match self {
            Unary::Negate => -x,
            Unary::Exp => x.exp(),
            Unary::Ln => x.ln(),
            Unary::Sqrt => x.sqrt(),
            Unary::Abs => x.abs(),
            Unary::Sign => f64::from(i8::from(x > 0.0) - i8::from(x < 0.0)),
            // By tanh, neither tail overflows.
            Unary::Sigmoid => ((x * 0.5).tanh() + 1.0) * 0.5,
            Unary::Tanh => x.tanh(),
            Unary::Erf => candle_core::cpu::erf::erf_f64(x),
            Unary::Sin => x.sin(),
            Unary::Cos => x.cos(),
            Unary::Softplus => x.max(0.0) + (-x.abs()).exp().ln_1p(),
            Unary::NormalCdf => (candle_core::cpu::erf::erf_f64(x * FRAC_1_SQRT_2) + 1.0) * 0.5,
            Unary::NormalPdf => (x * x * -0.5).exp() / TAU.sqrt(),
        }
    }

    /// Floating-point operations of a vectorised kernel, a polynomial and its range reduction.
    pub fn flops(self) -> f64 {
        const EXP: f64 = 20.0;
        match self {
            Unary::Negate | Unary::Abs | Unary::Sign | Unary::Sqrt => 1.0,
            Unary::Exp => EXP,
            Unary::Ln => 16.0,
            Unary::NormalPdf => EXP + 3.0,
            Unary::Sigmoid => EXP + 4.0,
            Unary::Tanh => EXP + 5.0,
            Unary::Erf | Unary::NormalCdf => EXP + 16.0,
            Unary::Sin | Unary::Cos => 16.0,
            Unary::Softplus => EXP + 18.0,
        }
    }
}

/// Functions of two values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Binary {
    Add,
    Subtract,
    Multiply,
    Divide,
    Minimum,
    Maximum,
    /// The first to the power of the second.
    Power,
    /// 1 where the first is less than the second, else 0.
    Less,
    AtMost,
    Equal,
}

impl Binary {
    pub fn of(self, a: f64, b: f64) -> f64 {
        match self {
            Binary::Add => a + b,
            Binary::Subtract => a - b,
            Binary::Multiply => a * b,
            Binary::Divide => a / b,
            // Not f64::min and max, which ignore NaN.
            Binary::Minimum => {
                if a < b {
                    a
                } else {
                    b
                }
            }
            Binary::Maximum => {
                if a > b {
                    a
                } else {
                    b
                }
            }
            Binary::Power => a.powf(b),
            Binary::Less => f64::from(u8::from(a < b)),
            Binary::AtMost => f64::from(u8::from(a <= b)),
            Binary::Equal => f64::from(u8::from(a == b)),
        }
    }

    pub fn flops(self) -> f64 {
        if self == Binary::Power { 37.0 } else { 1.0 }
    }
}
