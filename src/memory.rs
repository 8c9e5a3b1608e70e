//! The program's allocator, and how much memory it has held.
//!
//! A training step walks over tens or hundreds of megabytes in blocks of any size. mimalloc puts them on huge
//! pages where the system has them, and keeps for the next block what is freed: see docs/performance.md.

#[cfg(feature = "mimalloc")]
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

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
