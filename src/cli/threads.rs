//! How many threads compute.

use anyhow::{Context, Result};

/// Makes candle and the kernels compute with `threads` threads; all cores where `None`.
/// To be called before anything computes.
pub fn set_threads(threads: Option<usize>) -> Result<()> {
    if let Some(threads) = threads {
        // SAFETY: commands call this first thing, while the process has one thread, so that no other
        // can be reading the environment. The variable is the only way to tell candle.
        unsafe { std::env::set_var("RAYON_NUM_THREADS", threads.to_string()) };
    }
    // This thread becomes one of them, so that work need not be handed to another and waited for.
    let pool = rayon::ThreadPoolBuilder::new().use_current_thread().build_global();
    pool.context("cannot start the threads to compute with; try fewer --threads")
}
