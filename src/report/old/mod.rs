//! Reports that aren't documents yet.

mod frame;
mod inspection;
mod language;
mod panels;
mod picture;
mod shell;
mod words;

use super::scale;
use super::svg as chart;

pub use inspection::{Findings, inspection_charts, inspection_page};
pub use panels::{Curve, Panel, grid};
