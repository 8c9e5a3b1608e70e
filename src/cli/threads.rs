//! The compute threads.

use anyhow::{Context, Result};
use std::env;

/// How often a waiting thread of candle looks for work before it sleeps. With candle's default of 25,000, threads that
/// share their processors with other programs train plain operations at a seventh of one thread's speed.
const SPINS: (&str, &str) = ("CANDLE_BARRIER_POOL_SPIN_LIMIT", "0");

/// Bytes of address space that a thread takes: a stack of 2 MB and a little more.
const STACK: usize = (2 << 20) + (64 << 10);

/// Makes candle and the kernels compute with this many threads, or one per core. Call this before anything
/// computes.
pub fn set_threads(threads: Option<usize>) -> Result<()> {
    let advice = "cannot start the compute threads; try fewer --threads";
    // A thread that gets its stack and nothing else aborts in the standard library. Make sure that all have room.
    memmap2::MmapMut::map_anon(threads.unwrap_or(1) * STACK).context(advice)?;
    let threads = threads.map(|threads| ("RAYON_NUM_THREADS", threads.to_string()));
    let spins = env::var_os(SPINS.0).is_none().then(|| (SPINS.0, SPINS.1.to_string()));
    for (name, value) in threads.into_iter().chain(spins) {
        // SAFETY: commands call this first, while the process has one thread, so no other thread reads the
        // environment. candle reads both numbers from these variables only.
        unsafe { env::set_var(name, value) };
    }
    // With this thread in the pool, work starts without waking another thread.
    let pool = rayon::ThreadPoolBuilder::new().use_current_thread().build_global();
    pool.context(advice)
}
