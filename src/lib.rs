//! tinygpt: a small GPT whose FFN activation is chosen when it is trained, and the tools to find
//! out whether the choice mattered.
//!
//! ```
//! use candle_core::Device;
//! use tinygpt::data::Dataset;
//! use tinygpt::settings::{Recipe, Settings};
//! use tinygpt::train::Trainer;
//!
//! # fn main() -> anyhow::Result<()> {
//! let flags = Settings {
//!     act: Some("swiglu".parse()?),
//!     layers: Some(1),
//!     dim: Some(32),
//!     heads: Some(2),
//!     context: Some(16),
//!     ..Settings::default()
//! };
//! let recipe = Recipe::new(flags.over(&Settings::preset("default")?))?;
//! let dataset = Dataset::of_text(&"the cat sees the dog. ".repeat(100), &recipe)?;
//! let mut trainer = Trainer::start(&recipe, &dataset, &Device::Cpu)?;
//! let first = trainer.step()?.loss;
//! for _ in 0..20 {
//!     trainer.step()?;
//! }
//! assert!(trainer.step()?.loss < first);
//! println!("{}", trainer.sample(40)?);
//! # Ok(())
//! # }
//! ```
//!
//! `docs/architecture.md` has the map of the code. Modules are listed bottom-up: each uses only those above it. The
//! library doesn't print: it logs through the crate `log`, and tells a [`train::Watcher`] or a [`support::follow::Follow`]
//! how far it is.

#[macro_use]
pub mod support;

pub mod activation;
pub mod settings;

pub mod model;

pub mod data;

pub mod run;

pub mod generate;

pub mod train;

pub mod lab;

pub mod report;

pub mod cli;
