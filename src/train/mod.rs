//! Training: the loop, the optimizer, the learning rate.

mod events;
mod optimizer;
mod schedule;
mod session;
mod step;

pub use events::{Evaluation, Event, Outcome, Plan, StepReport, Watcher};
pub use optimizer::{AdamW, Gradients};
pub use schedule::Schedule;
pub use session::Session;
pub use step::gradients;

#[cfg(test)]
mod tests;
