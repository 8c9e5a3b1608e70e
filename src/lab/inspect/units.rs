//! What the hidden units of one FFN do on a text: how pre-activations and outputs are distributed, how often the
//! function is flat, and which units never fire.

use super::{MeanStd, Running};
use crate::activation::Function;
use crate::model::kernels::activate;
use serde::Serialize;

/// A function counts as flat, or saturated, where |f'| is below this share of its maximum.
const FLAT: f64 = 0.01;

/// The hidden units of one layer over all tokens. In a gated FFN, f is the function in the gate, and its output is
/// the one before the product with the other half.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HiddenUnits {
    pub units: usize,
    /// Of the pre-activations x, the arguments of f.
    pub argument: MeanStd,
    pub histogram: Histogram,
    /// Of f(x).
    pub output: MeanStd,
    /// Share of all (token, unit) values with x <= 0 and |f'(x)| below 1% of its maximum. This includes values near
    /// a minimum of f, as gelu and silu have one.
    pub saturated_negative: f64,
    /// Share of all values with x > 0 and |f'(x)| below 1% of its maximum.
    pub saturated_positive: f64,
    /// Share of all values with f(x) exactly 0.
    pub zeros: f64,
    /// Units with f(x) exactly 0 at every token.
    pub dead: usize,
    /// Units that were saturated at every token, dead ones included.
    pub always_saturated: usize,
}

/// How many values fell into each of `counts.len()` equal bins of [low, high).
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Histogram {
    pub low: f64,
    pub high: f64,
    pub counts: Vec<u64>,
    /// Values below `low`.
    pub below: u64,
    /// Values of at least `high`.
    pub above: u64,
}

impl Default for Histogram {
    fn default() -> Histogram {
        Histogram { low: -8.0, high: 8.0, counts: vec![0; 64], below: 0, above: 0 }
    }
}

impl Histogram {
    /// Adds the counts of a histogram with the same bins.
    pub fn include(&mut self, other: &Histogram) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(count, other)| *count += other);
        self.below += other.below;
        self.above += other.above;
    }

    /// The lower edge of a bin.
    pub fn edge(&self, bin: usize) -> f64 {
        self.low + (self.high - self.low) * bin as f64 / self.counts.len() as f64
    }

    /// The number of values.
    pub fn total(&self) -> u64 {
        self.counts.iter().sum::<u64>() + self.below + self.above
    }

    /// Share of the values below 0.
    pub fn below_zero(&self) -> f64 {
        self.between(f64::NEG_INFINITY, 0.0)
    }

    /// Share of the values between `low` and `high`, which are edges of bins or lie beyond all bins.
    pub fn between(&self, low: f64, high: f64) -> f64 {
        let is_inside = |bin: &(usize, &u64)| low <= self.edge(bin.0) && self.edge(bin.0 + 1) <= high;
        let inside: u64 = self.counts.iter().enumerate().filter(is_inside).map(|(_, count)| count).sum();
        let below = if low < self.low { self.below } else { 0 };
        let above = if high > self.high { self.above } else { 0 };
        (inside + below + above) as f64 / self.total() as f64
    }

    fn add(&mut self, x: f64) {
        let bin = ((x - self.low) / (self.high - self.low) * self.counts.len() as f64).floor();
        if bin < 0.0 {
            self.below += 1;
        } else {
            *self.counts.get_mut(bin as usize).unwrap_or(&mut self.above) += 1;
        }
    }
}

/// The |f'| below which a function counts as saturated: 1% of the maximum of |f'| over the real line, or 0 for a
/// derivative without a maximum (relu2's).
pub fn flat_below(function: &Function) -> f64 {
    let (low, high) = function.derivative_range();
    let largest = low.abs().max(high.abs());
    let is_unbounded = [-1e3, 1e3].iter().any(|x| function.derivative(*x).abs() > 2.0 * largest);
    if is_unbounded { 0.0 } else { FLAT * largest }
}

/// f(x) and f'(x), as the model computes them.
fn values_and_slopes(function: &Function, x: &[f32]) -> (Vec<f32>, Vec<f32>) {
    let scalars: Vec<f32> = function.scalars.iter().map(|scalar| *scalar as f32).collect();
    let ones = if function.act.is_gated() { vec![1.0; x.len()] } else { Vec::new() };
    let (mut values, mut slopes, mut of_up) = (vec![1.0; x.len()], vec![0.0; x.len()], vec![0.0; ones.len()]);
    activate::backward(function.act, &scalars, [x, &ones], &mut values, [&mut slopes, &mut of_up], &mut []);
    (values, slopes)
}

/// Collects what [`HiddenUnits`] says, some tokens at a time.
pub struct UnitTally {
    function: Function,
    flat_below: f64,
    histogram: Histogram,
    argument: Running,
    output: Running,
    /// Values that are saturated with x <= 0, saturated with x > 0, and exactly 0.
    counts: [u64; 3],
    /// For each unit, whether f(x) was ever other than 0, and whether it was ever not saturated.
    has_fired: Vec<bool>,
    has_responded: Vec<bool>,
}

impl UnitTally {
    pub fn new(function: Function, units: usize) -> UnitTally {
        UnitTally {
            flat_below: flat_below(&function),
            function,
            histogram: Histogram::default(),
            argument: Running::default(),
            output: Running::default(),
            counts: [0; 3],
            has_fired: vec![false; units],
            has_responded: vec![false; units],
        }
    }

    /// Adds the pre-activations (N, F) of N tokens, row by row.
    pub fn add(&mut self, arguments: &[f32]) {
        let (values, slopes) = values_and_slopes(&self.function, arguments);
        let units = self.has_fired.len();
        let rows =
            arguments.chunks_exact(units).zip(values.chunks_exact(units)).zip(slopes.chunks_exact(units));
        for ((row, values), slopes) in rows {
            for unit in 0..units {
                let (x, y, slope) =
                    (f64::from(row[unit]), f64::from(values[unit]), f64::from(slopes[unit]).abs());
                self.histogram.add(x);
                self.argument.add(x);
                self.output.add(y);
                let is_flat = slope <= self.flat_below;
                let is_counted = [is_flat && x <= 0.0, is_flat && x > 0.0, y == 0.0];
                self.counts.iter_mut().zip(is_counted).for_each(|(count, is)| *count += u64::from(is));
                self.has_fired[unit] |= y != 0.0;
                self.has_responded[unit] |= !is_flat;
            }
        }
    }

    pub fn finish(self) -> HiddenUnits {
        let total = self.histogram.total();
        let [saturated_negative, saturated_positive, zeros] =
            self.counts.map(|count| count as f64 / total as f64);
        let never = |ever: &[bool]| ever.iter().filter(|ever| !**ever).count();
        HiddenUnits {
            units: self.has_fired.len(),
            argument: self.argument.mean_std(),
            output: self.output.mean_std(),
            saturated_negative,
            saturated_positive,
            zeros,
            dead: never(&self.has_fired),
            always_saturated: never(&self.has_responded),
            histogram: self.histogram,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(name: &str) -> Function {
        name.parse::<crate::activation::Activation>().unwrap().function()
    }

    fn tally(name: &str, units: usize, arguments: &[f32]) -> HiddenUnits {
        let mut tally = UnitTally::new(function(name), units);
        // In two parts, like the passes over a text.
        let (first, second) = arguments.split_at(arguments.len() / units / 2 * units);
        tally.add(first);
        tally.add(second);
        tally.finish()
    }

    /// sigmoid'(x) falls below 1% of its maximum of 1/4 at |x| = ln(398) = 5.986.
    #[test]
    fn saturated_sigmoid_arguments_are_counted_by_sign() {
        let found = tally("sigmoid", 2, &[-7.0, 5.9, -6.1, 0.0, 6.1, -5.9, 1.0, 2.0]);
        assert_eq!((found.saturated_negative, found.saturated_positive), (0.25, 0.125));
        assert_eq!((found.zeros, found.dead, found.always_saturated), (0.0, 0, 0));
    }

    #[test]
    fn relus_saturated_values_are_its_zeros() {
        let found = tally("relu", 2, &[-1.0, 3.0, -2.0, -0.5, -0.1, 100.0, 4.0, 0.5]);
        assert_eq!((found.saturated_negative, found.saturated_positive), (0.5, 0.0));
        assert_eq!(found.zeros, 0.5);
        assert!((found.output.mean - 107.5 / 8.0).abs() < 1e-12);
        assert!((found.argument.mean - 103.9 / 8.0).abs() < 1e-6);
    }

    /// Unit 0 never fires, unit 1 once in the second half, unit 2 always.
    #[test]
    fn a_unit_is_dead_if_it_is_zero_at_every_token() {
        let found = tally("relu", 3, &[-1.0, -1.0, 1.0, -2.0, -1.0, 1.0, -3.0, 2.0, 1.0, -4.0, -1.0, 1.0]);
        assert_eq!((found.units, found.dead, found.always_saturated), (3, 1, 1));
    }

    /// A sigmoid is never 0, but a unit with only large arguments gets no gradient.
    #[test]
    fn a_sigmoid_unit_with_large_arguments_is_always_saturated_and_not_dead() {
        let found = tally("sigmoid", 2, &[9.0, 0.0, -9.0, 1.0, 12.0, 9.0, 7.0, -9.0]);
        assert_eq!((found.dead, found.always_saturated), (0, 1));
    }

    #[test]
    fn the_identity_never_saturates_and_relu2_only_at_a_derivative_of_zero() {
        let arguments = [-30.0, 30.0, 0.001, -0.001];
        let identity = tally("identity", 1, &arguments);
        assert_eq!(identity.saturated_negative + identity.saturated_positive, 0.0);
        let relu2 = tally("relu2", 1, &arguments);
        assert_eq!((relu2.saturated_negative, relu2.saturated_positive), (0.5, 0.0));
        assert!((flat_below(&function("gelu")) - 0.011_289).abs() < 1e-5);
    }

    #[test]
    fn shares_of_a_histogram_count_the_values_in_a_range() {
        let found = tally("relu", 2, &[-9.0, -1.1, -0.9, 0.1, 0.6, 2.0, 8.5, 9.0]).histogram;
        assert_eq!((found.below_zero(), found.between(-1.0, 1.0)), (0.375, 0.375));
        assert_eq!(found.between(f64::NEG_INFINITY, f64::INFINITY), 1.0);
        let mut twice = found.clone();
        twice.include(&found);
        assert_eq!((twice.below_zero(), twice.above), (0.375, 4));
    }

    #[test]
    fn every_value_is_in_one_bin_or_beyond_either_end() {
        let found = tally("tanh", 1, &[-8.0, -8.1, 7.99, 8.0, 0.0, 0.1, -0.1, 1e9]).histogram;
        assert_eq!((found.below, found.above), (1, 2));
        assert_eq!((found.counts[0], found.counts[31], found.counts[32], found.counts[63]), (1, 1, 2, 1));
        assert_eq!(found.counts.iter().sum::<u64>(), 5);
    }
}
