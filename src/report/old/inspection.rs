//! What the charts of claims still use of the old inspection.

use crate::report::old::frame::{Axis, UP};
use crate::report::old::scale::{Scale, padded};

pub use crate::report::panels::outline;

pub fn log_axis(label: &str, values: impl IntoIterator<Item = f64>) -> Axis<'_> {
    let positive = values.into_iter().filter(|value| *value > 0.0).map(f64::ln);
    let (low, high) = padded(positive).unwrap_or((-1.0, 1.0));
    let room = (10f64.ln() - (high - low)).max(0.0) / 2.0;
    let scale = Scale::log(((low - room).exp(), (high + room).exp()), UP);
    let mut axis = Axis::new(scale, label);
    if scale.low > 1e-3 && scale.high < 1e4 {
        axis.ticks.iter_mut().for_each(|(tick, written)| *written = tick.to_string());
    }
    axis
}
