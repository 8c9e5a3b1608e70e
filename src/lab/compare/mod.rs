//! Comparing activations, and other settings: every arm with every seed, paired by seed.
//!
//! Two runs with the same seed share the initial values of every tensor they have in common and
//! every batch, so that their difference is the activation's and the noise of both cancels.
//!
//! A [`Design`] says which runs there are, a [`Grid`] trains them in a directory, [`evaluate`] turns what
//! they left there into an [`Analysis`].

pub mod analysis;
mod assertion;
mod comparison;
mod curves;
mod design;
mod evaluate;
mod grid;
mod headline;
mod identity;
mod matching;
mod place;
mod plan;
mod results;
mod statistics;
mod variant;
mod vary;

pub use analysis::{Analysis, Arm, Pair, Verdict};
pub use assertion::Assertion;
pub use comparison::{Comparison, load};
pub use design::{ArmDesign, Design, Matching, Run};
pub use evaluate::evaluate;
pub use grid::{Attempt, Grid};
pub use headline::mixed;
pub use matching::match_arms;
pub(crate) use place::{REPORT, check_place, claim_report, newest, results_to_keep};
pub(crate) use place::{place, unnamed};
pub use plan::Plan;
pub(crate) use plan::with_steps;
pub(crate) use plan::{Timing, fit, time};
pub use results::Results;
pub(crate) use statistics::LEAST_SEEDS;
pub use statistics::{Summary, Tested, holm, summarize};
pub use variant::Variant;
pub use vary::Vary;

#[cfg(test)]
mod tests;
