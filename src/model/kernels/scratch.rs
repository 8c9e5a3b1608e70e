//! Memory for intermediate results, kept by each thread for its next task.

use std::cell::RefCell;
use std::ops::{Deref, DerefMut};

thread_local! {
    static FREE: RefCell<Vec<Vec<f32>>> = const { RefCell::new(Vec::new()) };
}

/// A slice of a given length with arbitrary contents, given back to its thread when dropped.
pub struct Scratch {
    buffer: Vec<f32>,
    len: usize,
}

impl Scratch {
    pub fn new(len: usize) -> Scratch {
        // The most recent buffer that is long enough: it is the likeliest to be in the cache.
        let mut buffer = FREE.with_borrow_mut(|free| {
            let fits = free.iter().rposition(|buffer| buffer.len() >= len);
            fits.map(|i| free.swap_remove(i)).or_else(|| free.pop()).unwrap_or_default()
        });
        if buffer.len() < len {
            buffer.resize(len, 0.0);
        }
        Scratch { buffer, len }
    }
}

impl Deref for Scratch {
    type Target = [f32];
    fn deref(&self) -> &[f32] {
        &self.buffer[..self.len]
    }
}

impl DerefMut for Scratch {
    fn deref_mut(&mut self) -> &mut [f32] {
        &mut self.buffer[..self.len]
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let buffer = std::mem::take(&mut self.buffer);
        FREE.with_borrow_mut(|free| free.push(buffer));
    }
}
