//! The program's allocator. Where it has no memory left, the program ends with one line and exit code 1.
//!
//! A training step walks over tens or hundreds of megabytes in blocks of any size. mimalloc puts them on huge
//! pages where the system has them, and keeps for the next block what is freed: see docs/performance.md.

use std::alloc::{GlobalAlloc, Layout};

#[cfg(feature = "mimalloc")]
type Inner = mimalloc::MiMalloc;
#[cfg(feature = "mimalloc")]
const INNER: Inner = mimalloc::MiMalloc;
#[cfg(not(feature = "mimalloc"))]
type Inner = std::alloc::System;
#[cfg(not(feature = "mimalloc"))]
const INNER: Inner = std::alloc::System;

#[global_allocator]
static ALLOCATOR: OrExit<Inner> = OrExit(INNER);

/// An allocator that never returns null. Rust's own answer to null is SIGABRT, which shells report as a crash.
struct OrExit<A>(A);

// SAFETY: every call goes to the inner allocator as it came; a null pointer is never passed on.
unsafe impl<A: GlobalAlloc> GlobalAlloc for OrExit<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's contract is the inner allocator's.
        or_exit(unsafe { self.0.alloc(layout) }, layout.size())
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: as above.
        or_exit(unsafe { self.0.alloc_zeroed(layout) }, layout.size())
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: as above.
        or_exit(unsafe { self.0.realloc(block, layout, size) }, size)
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        // SAFETY: as above.
        unsafe { self.0.dealloc(block, layout) }
    }
}

fn or_exit(block: *mut u8, size: usize) -> *mut u8 {
    if block.is_null() {
        exit(size);
    }
    block
}

/// Ends the process without unwinding and without allocating: locks may be held, and nothing more can be had.
/// Checkpoints on disk are whole or absent at any moment, so that nothing needs to be tidied up.
#[cold]
fn exit(size: usize) -> ! {
    let mut digits = [0; 20];
    let message = [
        b"error: out of memory: could not get ".as_slice(),
        decimal(size, &mut digits),
        b" bytes; try a smaller --batch-size, --context, --dim or --layers\n",
    ];
    #[cfg(unix)]
    {
        use std::sync::atomic::{AtomicBool, Ordering};
        static TOLD: AtomicBool = AtomicBool::new(false);
        while TOLD.swap(true, Ordering::Relaxed) {
            // SAFETY: another thread is already ending the process; this one sleeps until it has.
            unsafe { libc::pause() };
        }
        // A bar may stand on this line of a terminal.
        // SAFETY: asks about a file descriptor.
        let begin: &[u8] = if unsafe { libc::isatty(2) } == 1 { b"\r\x1b[K" } else { b"" };
        for part in std::iter::once(begin).chain(message) {
            // SAFETY: the pointer and length are of one slice. Nothing can be done if this fails.
            unsafe { libc::write(2, part.as_ptr().cast(), part.len()) };
        }
        // SAFETY: ends the process, and calls nothing that could allocate first.
        unsafe { libc::_exit(1) }
    }
    #[cfg(not(unix))]
    {
        use std::io::Write;
        message.iter().for_each(|part| drop(std::io::stderr().write_all(part)));
        std::process::exit(1)
    }
}

/// The digits of a number, written from the end of a buffer.
fn decimal(mut number: usize, digits: &mut [u8; 20]) -> &[u8] {
    let mut first = digits.len();
    loop {
        first -= 1;
        digits[first] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            return &digits[first..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_written_in_decimal() {
        for size in [0, 7, 10, 1_234_567, usize::MAX] {
            assert_eq!(decimal(size, &mut [0; 20]), size.to_string().as_bytes());
        }
    }
}
