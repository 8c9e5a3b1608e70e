//! tinygpt: a small GPT whose FFN activation is chosen when it is trained, and the tools to find
//! out whether the choice mattered. See README.md for the program, and `src/model/` for the model.
//!
//! Modules are listed bottom-up: each uses only those above it.

pub mod failure;
mod terminal;
#[macro_use]
mod output;
#[macro_use]
mod serde_by_name;
mod environment;
mod files;
mod home;
mod mark;
mod memory;
mod owned;
pub mod random;
mod record;
mod waiting;

pub mod activation;
pub mod kernels;
pub mod settings;

pub mod model;

pub mod data;

pub mod checkpoint;

pub mod run;

pub mod score;

pub mod generate;

pub mod train;

pub mod inspect;

pub mod bench;

pub mod compare;

pub mod claims;

pub mod report;

pub mod cli;
