//! Training: the loop, the optimizer, the learning rate.

mod composed;
mod diagnosis;
mod events;
mod fused;
mod journal;
mod learner;
mod moments;
mod planning;
mod resuming;
mod schedule;
mod session;

pub use events::{Estimate, Evaluation, Event, Outcome, Plan, StepReport, Watcher};
pub use learner::{Learner, clip_scale, learner};
pub use planning::{ffn_output_rms, settle_schedule, steps};
pub use schedule::Schedule;
pub use session::Session;

use crate::settings::Training;

/// What AdamW adds to its denominators, as in PyTorch.
const EPS: f64 = 1e-8;

/// AdamW's factors of update number `step`, counted from 0, which also correct the moments' bias towards
/// their start at 0: lr / (1 - beta1^t) and 1 / (1 - beta2^t).
fn corrections(training: &Training, lr: f64, step: usize) -> (f64, f64) {
    let updates = step as i32 + 1;
    (lr / (1.0 - training.beta1.powi(updates)), 1.0 / (1.0 - training.beta2.powi(updates)))
}

#[cfg(test)]
mod tests;
