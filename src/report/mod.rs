//! Pictures: what `acts`, `compare` and `inspect` draw.

mod chart;

pub use chart::{Curve, Panel, grid};
