//! The compute threads.

use anyhow::{Context, Result};

/// Makes candle and the kernels compute with this many threads, or one per core. Call this before anything
/// computes.
pub fn set_threads(threads: Option<usize>) -> Result<()> {
    if let Some(threads) = threads {
        // SAFETY: commands call this first, while the process has one thread, so no other thread reads the
        // environment. candle reads the number from this variable only.
        unsafe { std::env::set_var("RAYON_NUM_THREADS", threads.to_string()) };
    }
    // With this thread in the pool, work starts without waking another thread.
    let pool = rayon::ThreadPoolBuilder::new().use_current_thread().build_global();
    pool.context("cannot start the compute threads; try fewer --threads")
}
