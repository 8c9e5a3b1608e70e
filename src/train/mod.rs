//! Training: the loop, the optimizer, the learning rate.

mod adamw;
mod config_file;
mod diagnosis;
mod events;
mod journal;
mod planning;
mod resuming;
mod run;
mod schedule;
mod trainer;

pub use adamw::{AdamW, clip_scale};
pub use events::{Estimate, Evaluation, Event, Outcome, Plan, Request, StepReport, Watcher};
pub use planning::{ffn_output_rms, settle_schedule, steps};
pub use run::TrainingRun;
pub use schedule::Schedule;
pub use trainer::{BadNumbers, EVAL_TOKENS, Trainer};

#[cfg(test)]
mod tests;
