//! Training: the loop, the optimizer, the learning rate.

mod optimizer;
mod schedule;
mod session;
mod step;

pub use optimizer::{AdamW, Gradients};
pub use schedule::Schedule;
pub use session::{Evaluation, Event, Outcome, Plan, Session, StepReport, Watcher};
pub use step::gradients;

#[cfg(test)]
mod tests;
