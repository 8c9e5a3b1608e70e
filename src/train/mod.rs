//! Training: the loop, the optimizer, the learning rate.

mod adamw;
mod config_file;
mod diagnosis;
mod events;
mod journal;
mod muon;
mod optimizer;
mod plan;
mod resuming;
mod run;
mod schedule;
mod timing;
mod trainer;

pub(crate) use adamw::clip_scale;
pub use events::{BadNumbers, Estimate, Evaluation, Event, Outcome, Plan, Request, StepReport, Watcher};
pub use optimizer::Optimizer;
pub(crate) use plan::settle_schedule;
pub use plan::{ffn_output_rms, steps};
pub use run::TrainingRun;
pub use schedule::Schedule;
pub use trainer::Trainer;

#[cfg(test)]
mod tests;
