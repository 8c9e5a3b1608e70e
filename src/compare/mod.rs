//! Comparing activations: every one with every seed, paired by seed.
//!
//! Two runs with the same seed share the initial values of every tensor they have in common and
//! every batch, so that their difference is the activation's and the noise of both cancels.

pub mod analysis;
mod grid;
mod statistics;

pub use grid::{Arm, Grid, Run};
pub use statistics::{Interval, Summary, paired_difference, summarize};
