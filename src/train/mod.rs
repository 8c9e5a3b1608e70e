//! Training: the loop, the optimizer, the learning rate.

mod adamw;
mod diagnosis;
mod events;
mod journal;
mod planning;
mod resuming;
mod schedule;
mod session;

pub use adamw::{AdamW, clip_scale};
pub use events::{Evaluation, Event, Outcome, Plan, StepReport, Watcher};
pub use planning::ffn_output_rms;
pub use schedule::Schedule;
pub use session::Session;

#[cfg(test)]
mod tests;
