//! What an activation does over a range of arguments: its steepest slopes, and points where training would fail.

use super::{Activation, Function};
use std::fmt;

/// A point where a formula gives no finite number.
#[derive(Clone, Debug, PartialEq)]
pub struct Trouble {
    /// x, or g and u.
    at: Vec<f64>,
    is_value: bool,
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_value { "no finite value at " } else { "no finite slope at " })?;
        match self.at.as_slice() {
            [x] => write!(f, "x = {x}"),
            [g, u] => write!(f, "g = {g}, u = {u}"),
            _ => Ok(()),
        }
    }
}

impl Function {
    /// (smallest, largest) derivative at the hundredths of [-20, 20].
    pub fn derivative_range(&self) -> (f64, f64) {
        (-2000..=2000)
            .map(|i| self.derivative(f64::from(i) * 0.01))
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), d| (low.min(d), high.max(d)))
    }
}

impl Activation {
    /// A point of [-20, 20] without a finite value, or else one without a finite slope: the one nearest to 0. Every
    /// hundredth is tried; of two inputs, every half of both.
    pub fn trouble(self) -> Option<Trouble> {
        // 0, then outwards.
        let outwards = |step: f64| {
            let steps = (20.0 / step).round() as i32;
            (0..=steps).flat_map(move |i| [f64::from(i) * step, f64::from(-i) * step])
        };
        let points: Vec<Vec<f64>> = match self.is_gated() {
            false => outwards(0.01).map(|x| vec![x]).collect(),
            true => outwards(0.5).flat_map(|g| outwards(0.5).map(move |u| vec![g, u])).collect(),
        };
        let (program, scalars) = (self.program(), self.program().initial());
        let has_slopes = |at: &&Vec<f64>| program.at(at, &scalars).1.iter().all(|slope| slope.is_finite());
        let value = points.iter().find(|at| !program.value(at, &scalars).is_finite());
        let slope = || points.iter().find(|at| !has_slopes(at));
        let (at, is_value) = value.map(|at| (at, true)).or_else(|| slope().map(|at| (at, false)))?;
        Some(Trouble { at: at.clone(), is_value })
    }
}
