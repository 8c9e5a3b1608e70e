//! Memory: the program's allocator, how much it has held, and how much it can still get.

mod allocator;
mod limits;

use crate::bail_input;
use crate::support::numbers::scaled;
use anyhow::Result;
use limits::Available;

/// An estimate is good to a third: what is less than this many times too large is tried.
const DOUBT: f64 = 1.5;

/// Refuses work that needs about `needed` bytes where there are clearly fewer, and warns where it may not fit.
pub fn check(needed: f64) -> Result<()> {
    let Some(Available { bytes, limit }) = limits::available() else { return Ok(()) };
    let (left, advice) = (bytes as f64, "try a smaller --batch-size, --context, --dim or --layers");
    if needed > DOUBT * left {
        bail_input!(
            "this needs about {}B of memory, and {limit} {}B: {advice}",
            scaled(needed),
            scaled(left)
        );
    }
    if needed > left {
        log::warn!(
            "this needs about {}B of memory, and {limit} {}B; if it runs out, {advice}",
            scaled(needed),
            scaled(left)
        );
    }
    Ok(())
}

/// True unless `needed` bytes are more than there are.
pub fn fits(needed: f64) -> bool {
    limits::available().is_none_or(|available| needed <= available.bytes as f64)
}

/// The most memory that this process has held, or has held since [`forget_peak`], in bytes, where the
/// system tells.
pub fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

/// Has [`peak`] begin anew with what is held now. Where the system refuses, the peak is that of the whole
/// process.
pub fn forget_peak() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}
