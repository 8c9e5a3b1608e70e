//! What the hidden units of one FFN do on a text: how their arguments and outputs are spread, where
//! the function is flat, and which units never do anything.

use super::Moments;
use crate::activation::{Activation, Function};
use serde::Serialize;

/// A function counts as flat, or saturated, where |f'| is below this share of its maximum.
const FLAT: f64 = 0.01;

/// The range of the histogram and its bins.
const LOW: f64 = -8.0;
const HIGH: f64 = 8.0;
const BINS: usize = 64;

/// The hidden units of one layer over all tokens. Of a gated FFN, f is the function in the gate, its
/// argument the gate's product and its output f of that, before the product with the other half.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct HiddenUnits {
    pub units: usize,
    /// Of the pre-activations x, the arguments of f.
    pub argument: Moments,
    pub histogram: Histogram,
    /// Of f(x).
    pub output: Moments,
    /// Share of all (token, unit) values with x <= 0 and |f'(x)| below 1% of its maximum. Where f has a
    /// minimum, as gelu and silu have, the values close to it count too.
    pub saturated_negative: f64,
    /// The same with x > 0.
    pub saturated_positive: f64,
    /// Share of all values with f(x) exactly 0.
    pub zeros: f64,
    /// Units with f(x) exactly 0 at every token.
    pub dead: usize,
    /// Units that were saturated at every token, the dead ones among them.
    pub always_saturated: usize,
}

/// How often x fell into each of `counts.len()` equal bins of [low, high).
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Histogram {
    pub low: f64,
    pub high: f64,
    pub counts: Vec<u64>,
    /// Values below `low`.
    pub below: u64,
    /// Values of `high` and more.
    pub above: u64,
}

impl Histogram {
    fn new() -> Histogram {
        Histogram { low: LOW, high: HIGH, counts: vec![0; BINS], below: 0, above: 0 }
    }

    /// Adds the counts of another of the same bins.
    pub fn include(&mut self, other: &Histogram) {
        self.counts.iter_mut().zip(&other.counts).for_each(|(count, other)| *count += other);
        self.below += other.below;
        self.above += other.above;
    }

    /// Share of the values below 0.
    pub fn below_zero(&self) -> f64 {
        self.between(f64::NEG_INFINITY, 0.0)
    }

    /// Share of the values between `low` and `high`, both edges of bins or beyond all of them.
    pub fn between(&self, low: f64, high: f64) -> f64 {
        let width = (self.high - self.low) / self.counts.len() as f64;
        let inside = |bin: &(usize, &u64)| {
            let middle = self.low + (bin.0 as f64 + 0.5) * width;
            low < middle && middle < high
        };
        let mut count: u64 = self.counts.iter().enumerate().filter(inside).map(|(_, count)| count).sum();
        count += if low < self.low { self.below } else { 0 };
        count += if high > self.high { self.above } else { 0 };
        count as f64 / (self.counts.iter().sum::<u64>() + self.below + self.above) as f64
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

/// Up to which |f'| a function counts as saturated: 1% of the maximum of |f'| over the real line. A
/// derivative without a maximum (relu2's) counts where it is 0.
pub fn flat_below(function: Function) -> f64 {
    let (low, high) = Activation { function, gated: false }.derivative_range();
    let largest = low.abs().max(high.abs());
    let unbounded = [-1e3, 1e3].iter().any(|x| function.derivative(*x).abs() > 2.0 * largest);
    if unbounded { 0.0 } else { FLAT * largest }
}

/// Collects what [`HiddenUnits`] says, some tokens at a time.
pub struct Tally {
    function: Function,
    flat_below: f64,
    histogram: Histogram,
    argument: Spread,
    output: Spread,
    saturated_negative: u64,
    saturated_positive: u64,
    zeros: u64,
    /// Of each unit, whether f(x) was ever other than 0.
    lived: Vec<bool>,
    /// Of each unit, whether it was ever not saturated.
    responded: Vec<bool>,
}

impl Tally {
    pub fn new(function: Function, units: usize) -> Tally {
        Tally {
            function,
            flat_below: flat_below(function),
            histogram: Histogram::new(),
            argument: Spread::default(),
            output: Spread::default(),
            saturated_negative: 0,
            saturated_positive: 0,
            zeros: 0,
            lived: vec![false; units],
            responded: vec![false; units],
        }
    }

    /// Adds the pre-activations (N, F) of N tokens, row by row.
    pub fn add(&mut self, arguments: &[f32]) {
        for row in arguments.chunks_exact(self.lived.len()) {
            for (unit, x) in row.iter().map(|x| f64::from(*x)).enumerate() {
                let y = self.function.value(x);
                self.histogram.add(x);
                self.argument.add(x);
                self.output.add(y);
                if y == 0.0 {
                    self.zeros += 1;
                } else {
                    self.lived[unit] = true;
                }
                let slope = self.function.derivative(x).abs();
                if slope > self.flat_below {
                    self.responded[unit] = true;
                } else if x > 0.0 {
                    self.saturated_positive += 1;
                } else {
                    self.saturated_negative += 1;
                }
            }
        }
    }

    pub fn finish(self) -> HiddenUnits {
        let share = |count: u64| count as f64 / self.argument.count as f64;
        let never = |ever: &[bool]| ever.iter().filter(|ever| !**ever).count();
        HiddenUnits {
            units: self.lived.len(),
            argument: self.argument.moments(),
            output: self.output.moments(),
            saturated_negative: share(self.saturated_negative),
            saturated_positive: share(self.saturated_positive),
            zeros: share(self.zeros),
            dead: never(&self.lived),
            always_saturated: never(&self.responded),
            histogram: self.histogram,
        }
    }
}

/// Sums from which a mean and a standard deviation follow.
#[derive(Default)]
struct Spread {
    count: u64,
    sum: f64,
    squares: f64,
}

impl Spread {
    fn add(&mut self, x: f64) {
        self.count += 1;
        self.sum += x;
        self.squares += x * x;
    }

    fn moments(&self) -> Moments {
        let mean = self.sum / self.count as f64;
        // Rounding may take the difference of two equal numbers below 0.
        Moments { mean, std: (self.squares / self.count as f64 - mean * mean).max(0.0).sqrt() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(name: &str) -> Function {
        name.parse::<Activation>().unwrap().function
    }

    fn tally(name: &str, units: usize, arguments: &[f32]) -> HiddenUnits {
        let mut tally = Tally::new(function(name), units);
        // In two parts, as the passes over a text come.
        let (first, second) = arguments.split_at(arguments.len() / units / 2 * units);
        tally.add(first);
        tally.add(second);
        tally.finish()
    }

    /// sigmoid'(x) falls below 1% of its maximum of 1/4 at |x| = ln(398) = 5.986.
    #[test]
    fn saturated_shares_of_planted_sigmoid_arguments_are_found_on_their_side() {
        let found = tally("sigmoid", 2, &[-7.0, 5.9, -6.1, 0.0, 6.1, -5.9, 1.0, 2.0]);
        assert_eq!((found.saturated_negative, found.saturated_positive), (0.25, 0.125));
        assert_eq!((found.zeros, found.dead, found.always_saturated), (0.0, 0, 0));
    }

    #[test]
    fn relus_saturated_values_are_its_zeros_and_stand_on_the_negative_side() {
        let found = tally("relu", 2, &[-1.0, 3.0, -2.0, -0.5, -0.1, 100.0, 4.0, 0.5]);
        assert_eq!((found.saturated_negative, found.saturated_positive), (0.5, 0.0));
        assert_eq!(found.zeros, 0.5);
        assert!((found.output.mean - 107.5 / 8.0).abs() < 1e-12);
        assert!((found.argument.mean - 103.9 / 8.0).abs() < 1e-6);
    }

    /// Unit 0 never fires, unit 1 once in the second half, unit 2 always.
    #[test]
    fn a_unit_is_dead_where_it_is_zero_at_every_token() {
        let found = tally("relu", 3, &[-1.0, -1.0, 1.0, -2.0, -1.0, 1.0, -3.0, 2.0, 1.0, -4.0, -1.0, 1.0]);
        assert_eq!((found.units, found.dead, found.always_saturated), (3, 1, 1));
    }

    /// A sigmoid is never 0, but a unit whose arguments are all far out learns nothing.
    #[test]
    fn a_unit_far_out_is_always_saturated_and_not_dead() {
        let found = tally("sigmoid", 2, &[9.0, 0.0, -9.0, 1.0, 12.0, 9.0, 7.0, -9.0]);
        assert_eq!((found.dead, found.always_saturated), (0, 1));
    }

    #[test]
    fn the_identity_never_saturates_and_relu2_only_where_its_derivative_is_zero() {
        let arguments = [-30.0, 30.0, 0.001, -0.001];
        let identity = tally("identity", 1, &arguments);
        assert_eq!(identity.saturated_negative + identity.saturated_positive, 0.0);
        let relu2 = tally("relu2", 1, &arguments);
        assert_eq!((relu2.saturated_negative, relu2.saturated_positive), (0.5, 0.0));
        assert!((flat_below(function("gelu")) - 0.011_289).abs() < 1e-5);
    }

    #[test]
    fn shares_of_a_histogram_count_what_lies_there() {
        let found = tally("relu", 2, &[-9.0, -1.1, -0.9, 0.1, 0.6, 2.0, 8.5, 9.0]).histogram;
        assert_eq!((found.below_zero(), found.between(-1.0, 1.0)), (0.375, 0.375));
        assert_eq!(found.between(f64::NEG_INFINITY, f64::INFINITY), 1.0);
        let mut twice = found.clone();
        twice.include(&found);
        assert_eq!((twice.below_zero(), twice.above), (0.375, 4));
    }

    #[test]
    fn every_value_is_in_one_bin_or_beyond_the_ends() {
        let found = tally("tanh", 1, &[-8.0, -8.1, 7.99, 8.0, 0.0, 0.1, -0.1, 1e9]).histogram;
        assert_eq!((found.below, found.above), (1, 2));
        assert_eq!((found.counts[0], found.counts[31], found.counts[32], found.counts[63]), (1, 1, 2, 1));
        assert_eq!(found.counts.iter().sum::<u64>(), 5);
    }
}
