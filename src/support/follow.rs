//! Following work that may take long.

use anyhow::Result;

/// Called with how many parts of how many are done. An error ends the work, which passes it on: this is how a
/// caller interrupts it.
pub type Follow<'a> = &'a mut dyn FnMut(usize, usize) -> Result<()>;
