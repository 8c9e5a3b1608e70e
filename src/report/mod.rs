//! Pictures.

mod chart;

pub use chart::{Curve, Panel, grid};
