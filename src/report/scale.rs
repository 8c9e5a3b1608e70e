//! From values to places on an axis, and the round numbers that are written along it.

use crate::support::numbers::scientific;

/// An axis: values from `low` to `high` lie from `start` to `end`.
#[derive(Clone, Copy, Debug)]
pub struct Scale {
    pub low: f64,
    pub high: f64,
    pub start: f64,
    pub end: f64,
    log: bool,
}

impl Scale {
    pub fn linear((low, high): (f64, f64), (start, end): (f64, f64)) -> Scale {
        Scale { low, high, start, end, log: false }
    }

    /// Equal factors are equal distances; both values must be positive.
    pub fn log((low, high): (f64, f64), (start, end): (f64, f64)) -> Scale {
        Scale { low, high, start, end, log: true }
    }

    pub fn at(&self, value: f64) -> f64 {
        let fraction = if self.log {
            (value / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        self.start + fraction * (self.end - self.start)
    }

    pub fn holds(&self, value: f64) -> bool {
        (self.low..=self.high).contains(&value)
    }

    /// Round values within the axis, few enough to be read, with their labels.
    pub fn ticks(&self) -> Vec<(f64, String)> {
        if self.log {
            return log_ticks(self.low, self.high).into_iter().map(|tick| (tick, scientific(tick))).collect();
        }
        // A label needs about 60 units of width or 40 of height.
        let room = if self.start < self.end { 60.0 } else { 40.0 };
        let count = ((self.end - self.start).abs() / room).clamp(2.0, 6.0);
        let step = step(self.high - self.low, count);
        linear_ticks(self.low, self.high, step).into_iter().map(|tick| (tick, decimal(tick, step))).collect()
    }
}

/// The round step of which about `count` fit into `span`.
pub fn step(span: f64, count: f64) -> f64 {
    let rough = span / count;
    let power = 10f64.powf(rough.log10().floor());
    [1.0, 2.0, 5.0, 10.0].iter().map(|m| m * power).find(|step| *step >= rough).unwrap_or(rough)
}

/// The multiples of `step` from `low` to `high`, both included.
pub fn linear_ticks(low: f64, high: f64, step: f64) -> Vec<f64> {
    // A hair of room: 0.3 / 0.1 is less than 3.
    let first = (low / step - 1e-9).ceil() as i64;
    let last = (high / step + 1e-9).floor() as i64;
    (first..=last).map(|i| i as f64 * step).collect()
}

/// Powers of ten, with 3 (or 2 and 5) times those where the powers alone are too few.
fn log_ticks(low: f64, high: f64) -> Vec<f64> {
    let mut found = Vec::new();
    for factors in [&[1.0][..], &[1.0, 3.0], &[1.0, 2.0, 5.0]] {
        let powers = low.log10().floor() as i32..=high.log10().ceil() as i32;
        // Parsed, not computed: 3 * 10^-4 by multiplication is not 3e-4.
        let values = powers.flat_map(|power| factors.iter().map(move |f| format!("{f}e{power}")));
        found = values
            .filter_map(|text| text.parse().ok())
            .filter(|v| (low * (1.0 - 1e-9)..=high * (1.0 + 1e-9)).contains(v))
            .collect();
        if found.len() >= 3 {
            break;
        }
    }
    found
}

/// A tick with as many decimals as its step needs, and a true minus sign.
fn decimal(tick: f64, step: f64) -> String {
    let decimals = (-(step.log10() + 1e-9).floor()).max(0.0) as usize;
    format!("{tick:.decimals$}").replace('-', "\u{2212}")
}

/// The range of the finite ones of `values` with a little room; around a lone value, some.
pub fn padded(values: impl IntoIterator<Item = f64>) -> Option<(f64, f64)> {
    let (low, high) = values
        .into_iter()
        .filter(|value| value.is_finite())
        .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
    if low > high {
        return None;
    }
    let room = match (high - low) * 0.05 {
        room if room > 1e-12 * high.abs().max(1e-300) => room,
        _ if high != 0.0 => high.abs() * 0.05,
        _ => 1.0,
    };
    Some((low - room, high + room))
}

/// `values` without those so far off that the rest would become one point: farther from the middle half
/// than three times its width. Four values at least, or all are kept.
pub fn without_outliers(values: &[f64]) -> Vec<f64> {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|value| value.is_finite()).collect();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len();
    if n < 4 {
        return sorted;
    }
    let (q1, q3) = (sorted[(n - 1) / 4], sorted[3 * (n - 1) / 4]);
    let reach = 3.0 * (q3 - q1);
    if reach > 0.0 {
        sorted.retain(|value| (q1 - reach..=q3 + reach).contains(value));
    }
    sorted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(scale: Scale) -> Vec<String> {
        scale.ticks().into_iter().map(|(_, label)| label).collect()
    }

    #[test]
    fn axis_ticks_are_round_and_inside_the_axis() {
        assert_eq!(labels(Scale::linear((0.0, 0.31), (0.0, 300.0))), ["0.0", "0.1", "0.2", "0.3"]);
        assert_eq!(labels(Scale::linear((1.462, 1.618), (200.0, 0.0))), ["1.50", "1.55", "1.60"]);
        assert_eq!(labels(Scale::linear((-0.012, 0.013), (0.0, 280.0))), ["\u{2212}0.01", "0.00", "0.01"]);
        assert_eq!(labels(Scale::linear((0.0, 2e6), (0.0, 400.0))).last().unwrap(), "2000000");
    }

    #[test]
    fn log_axes_have_at_least_three_ticks_if_possible() {
        assert_eq!(labels(Scale::log((1e-4, 1e-2), (0.0, 400.0))), ["1e-4", "1e-3", "1e-2"]);
        assert_eq!(labels(Scale::log((3e-4, 3e-3), (0.0, 400.0))), ["3e-4", "1e-3", "3e-3"]);
        assert_eq!(labels(Scale::log((1e-3, 4e-3), (0.0, 400.0))), ["1e-3", "2e-3"]);
    }

    #[test]
    fn log_axes_place_equal_ratios_at_equal_distances() {
        let scale = Scale::log((1e-4, 1e-2), (0.0, 400.0));
        assert!((scale.at(1e-3) - 200.0).abs() < 1e-9);
    }

    #[test]
    fn axes_of_one_or_no_value_have_a_range() {
        assert_eq!(padded([2.0]), Some((1.9, 2.1)));
        assert_eq!(padded([0.0]), Some((-1.0, 1.0)));
        assert_eq!(padded([f64::NAN]), None);
    }

    #[test]
    fn outliers_do_not_compress_the_axis() {
        assert_eq!(without_outliers(&[1.5, 9.0, 1.51, 1.52, 1.53]), [1.5, 1.51, 1.52, 1.53]);
        assert_eq!(without_outliers(&[1.0, 9.0]), [1.0, 9.0]);
    }
}
