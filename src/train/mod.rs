//! Training: the loop, the optimizer, the learning rate.

mod adamw;
mod config_file;
mod diagnosis;
mod events;
mod journal;
mod plan;
mod resuming;
mod run;
mod schedule;
mod timing;
mod trainer;

pub use adamw::AdamW;
pub(crate) use adamw::clip_scale;
pub use events::{BadNumbers, Estimate, Evaluation, Event, Outcome, Plan, Request, StepReport, Watcher};
pub(crate) use plan::settle_schedule;
pub use plan::{ffn_output_rms, steps};
pub use run::TrainingRun;
pub use schedule::Schedule;
pub use trainer::Trainer;

#[cfg(test)]
mod tests;
