//! What every room uses: errors, files, the environment, the terminal, randomness.

pub mod failure;
pub(crate) mod terminal;
#[macro_use]
pub(crate) mod output;
#[macro_use]
pub(crate) mod serde_by_name;
pub(crate) mod environment;
pub(crate) mod files;
pub mod follow;
pub(crate) mod home;
pub(crate) mod mark;
pub(crate) mod memory;
pub mod numbers;
pub(crate) mod owned;
pub mod random;
pub(crate) mod record;
pub mod table;
#[macro_use]
pub mod text;
pub(crate) mod waiting;
