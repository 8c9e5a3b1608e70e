//! The numbers an activation's formula is written over.
//!
//! A formula is stated once, generically, and evaluated over f64 (plots, tests), f32 and whole
//! candle tensors (the model), where it is differentiated by candle's autograd.

use candle_core::Tensor;
use std::ops::{Add, Mul, Neg, Sub};
use std::sync::Arc;

/// What a formula may do with its argument. Every operation acts on each element by itself.
pub trait Number:
    Clone
    + Add<Output = Self>
    + Sub<Output = Self>
    + Mul<Output = Self>
    + Neg<Output = Self>
    + Add<f64, Output = Self>
    + Mul<f64, Output = Self>
{
    /// `c` in the shape of `self`.
    fn constant(&self, c: f64) -> Self;
    fn exp(self) -> Self;
    fn ln(self) -> Self;
    fn tanh(self) -> Self;
    fn erf(self) -> Self;
    /// Where `self > 0` the value of `then`, elsewhere that of `otherwise`. The branch not taken
    /// passes no gradient, but it is evaluated: keep it finite, or 0 * infinity gives NaN.
    fn if_positive(&self, then: Self, otherwise: Self) -> Self;

    /// max(x, 0), with derivative 0 at 0 as in PyTorch.
    fn relu(self) -> Self {
        let zero = self.constant(0.0);
        self.if_positive(self.clone(), zero)
    }

    /// min(x, 0), with derivative 1 at 0.
    fn negative_part(self) -> Self {
        let zero = self.constant(0.0);
        self.if_positive(zero, self.clone())
    }

    /// |x|.
    fn abs(self) -> Self {
        self.if_positive(self.clone(), -self.clone())
    }

    /// 1 / (1 + e^-x), written with tanh so that neither tail overflows.
    fn sigmoid(self) -> Self {
        ((self * 0.5).tanh() + 1.0) * 0.5
    }

    /// ln(1 + e^x), written so that neither tail overflows.
    fn softplus(self) -> Self {
        self.clone().relu() + ((-self.abs()).exp() + 1.0).ln()
    }

    /// The cumulative distribution of N(0, 1).
    fn normal_cdf(self) -> Self {
        ((self * std::f64::consts::FRAC_1_SQRT_2).erf() + 1.0) * 0.5
    }

    /// The density of N(0, 1).
    fn normal_density(self) -> Self {
        let square = self.clone() * self;
        (square * -0.5).exp() * (1.0 / std::f64::consts::TAU.sqrt())
    }
}

impl Number for f64 {
    fn constant(&self, c: f64) -> Self {
        c
    }
    fn exp(self) -> Self {
        f64::exp(self)
    }
    fn ln(self) -> Self {
        f64::ln(self)
    }
    fn tanh(self) -> Self {
        f64::tanh(self)
    }
    fn erf(self) -> Self {
        candle_core::cpu::erf::erf_f64(self)
    }
    fn if_positive(&self, then: Self, otherwise: Self) -> Self {
        if *self > 0.0 { then } else { otherwise }
    }
}

/// A tensor on its way through a formula. candle's operations can fail; the first error is
/// carried along and comes out of [`Element::into_tensor`], so that formulas stay formulas.
#[derive(Clone)]
pub struct Element(Result<Tensor, Arc<candle_core::Error>>);

impl Element {
    pub fn new(tensor: &Tensor) -> Self {
        Element(Ok(tensor.clone()))
    }

    pub fn into_tensor(self) -> candle_core::Result<Tensor> {
        self.0.map_err(|error| candle_core::Error::Msg(error.to_string()))
    }

    fn then(self, f: impl FnOnce(Tensor) -> candle_core::Result<Tensor>) -> Self {
        Element(self.0.and_then(|x| f(x).map_err(Arc::new)))
    }

    fn with(self, other: Self, f: impl FnOnce(Tensor, Tensor) -> candle_core::Result<Tensor>) -> Self {
        match (self.0, other.0) {
            (Ok(x), Ok(y)) => Element(f(x, y).map_err(Arc::new)),
            (Err(error), _) | (_, Err(error)) => Element(Err(error)),
        }
    }
}

impl Add for Element {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        self.with(other, |x, y| x + y)
    }
}
impl Sub for Element {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        self.with(other, |x, y| x - y)
    }
}
impl Mul for Element {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        self.with(other, |x, y| x * y)
    }
}
impl Neg for Element {
    type Output = Self;
    fn neg(self) -> Self {
        self.then(|x| x.neg())
    }
}
impl Add<f64> for Element {
    type Output = Self;
    fn add(self, c: f64) -> Self {
        self.then(|x| x + c)
    }
}
impl Mul<f64> for Element {
    type Output = Self;
    fn mul(self, c: f64) -> Self {
        self.then(|x| x * c)
    }
}

impl Number for Element {
    fn constant(&self, c: f64) -> Self {
        self.clone().then(|x| x.zeros_like()? + c)
    }
    fn exp(self) -> Self {
        self.then(|x| x.exp())
    }
    fn ln(self) -> Self {
        self.then(|x| x.log())
    }
    fn tanh(self) -> Self {
        self.then(|x| x.tanh())
    }
    fn erf(self) -> Self {
        self.then(|x| x.erf())
    }
    fn if_positive(&self, then: Self, otherwise: Self) -> Self {
        let positive = self.clone().then(|x| x.gt(&x.zeros_like()?));
        match positive.0 {
            Ok(mask) => then.with(otherwise, |x, y| mask.where_cond(&x, &y)),
            Err(error) => Element(Err(error)),
        }
    }
}
