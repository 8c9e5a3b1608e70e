//! The program's allocator: the system's, with large blocks on huge pages where Linux has them.
//!
//! A training step walks over hundreds of megabytes. On pages of 4 KB every few microseconds of that
//! is a walk through the page tables, and AdamW's update, which does nothing but read and write,
//! took seven times as long: see docs/performance.md.

use std::alloc::{GlobalAlloc, Layout, System};

struct HugePages;

#[global_allocator]
static ALLOCATOR: HugePages = HugePages;

/// The size of a huge page on the processors that have them, and the least block to get some.
const HUGE: usize = 2 << 20;

/// The layout that a block really has: large ones begin on a huge page.
fn widened(layout: Layout) -> Layout {
    if layout.size() < HUGE {
        return layout;
    }
    layout.align_to(HUGE).unwrap_or(layout)
}

/// Asks for huge pages for those that lie wholly inside the block.
fn advise(block: *mut u8, size: usize) {
    #[cfg(target_os = "linux")]
    if size >= HUGE && !block.is_null() {
        // SAFETY: the range was just allocated; the advice changes how it is mapped and not what it
        // holds. Where it is refused, the block stays on small pages.
        unsafe { libc::madvise(block.cast(), size / HUGE * HUGE, libc::MADV_HUGEPAGE) };
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (block, size);
}

// SAFETY: every block comes from the system's allocator and goes back to it with the layout that
// `widened` gave it both times, which is at least as large and as aligned as the one asked for.
unsafe impl GlobalAlloc for HugePages {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promises about `layout` hold for the widened one.
        let block = unsafe { System.alloc(widened(layout)) };
        advise(block, layout.size());
        block
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: the block was allocated with this widened layout.
        unsafe { System.dealloc(block, widened(layout)) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        if layout.size() < HUGE {
            // SAFETY: as for `alloc`.
            return unsafe { System.alloc_zeroed(layout) };
        }
        // SAFETY: as for `alloc`; the block, where there is one, has `layout.size()` bytes.
        unsafe {
            let block = self.alloc(layout);
            if !block.is_null() {
                block.write_bytes(0, layout.size());
            }
            block
        }
    }
}

/// The most memory that this process has held, or has held since [`forget_peak`], in bytes, where the
/// system tells.
pub fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kilobytes| kilobytes * 1024)
}

/// Has [`peak`] begin anew with what is held now, once freed memory has gone back to the system.
pub fn forget_peak() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: it may be called at any time, and only gives back memory that nothing points to.
    unsafe {
        libc::malloc_trim(0);
    }
    // Where this is refused, the peak is that of the whole process.
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

#[cfg(test)]
mod tests {
    #[test]
    fn large_blocks_begin_on_a_huge_page_and_keep_their_values_as_they_grow() {
        let mut values: Vec<u32> = (0..700_000).collect();
        assert_eq!(values.as_ptr().align_offset(super::HUGE), 0);
        values.extend(700_000..2_000_000);
        values.shrink_to_fit();
        assert!(values.iter().enumerate().all(|(i, value)| i == *value as usize));
        assert!(vec![0u8; 5 << 20].iter().all(|byte| *byte == 0));
        values.truncate(10);
        values.shrink_to_fit();
        assert_eq!(values, (0..10).collect::<Vec<u32>>());
    }
}
