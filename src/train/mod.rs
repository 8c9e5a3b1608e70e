//! Training: the loop, the optimizer, the learning rate.

mod adamw;
mod config_file;
mod diagnosis;
mod events;
mod journal;
mod planning;
mod resuming;
mod schedule;
mod session;

pub use adamw::{AdamW, clip_scale};
pub use events::{Estimate, Evaluation, Event, Outcome, Plan, StepReport, Watcher};
pub use planning::{ffn_output_rms, settle_schedule, steps};
pub use schedule::Schedule;
pub use session::Session;

#[cfg(test)]
mod tests;
