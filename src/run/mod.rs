//! A run's directory: its checkpoints, which of them is last and which is best, and its metrics.
//!
//! ```text
//! runs/swiglu/
//!   tinygpt.json                  the manifest: what tinygpt wrote here
//!   config.toml                   the run's settings: `tinygpt --model FILE` repeats it
//!   step-000250/  step-000500/    checkpoints, never changed once there
//!   last -> step-000500           links, swapped in one move
//!   best -> step-000250
//!   metrics.jsonl                 one line per step, evaluation and sample
//!   events.out.tfevents.*         the same numbers for TensorBoard
//! ```

pub mod checkpoint;
mod directory;
mod find;
mod legacy;
mod metric;
mod names;
mod pointers;
mod tensorboard;

pub use directory::RunDir;
pub use find::find_checkpoint;
pub(crate) use find::newest_checkpoint;
pub(crate) use find::runs;
pub use metric::{Metric, finite};
pub use names::{BEST, LAST};
pub use tensorboard::TensorBoard;

#[cfg(test)]
mod tests;
