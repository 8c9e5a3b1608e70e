//! Files of JSON lines, to which lines are only added.

use crate::files::append;
use anyhow::{Context, Result};
use serde_json::Value;
use std::fs;
use std::io::Read;
use std::path::Path;

/// The lines that `is_wanted`; one that a kill cut is skipped.
pub fn read_lines(path: &Path, is_wanted: impl Fn(&str) -> bool) -> Vec<Value> {
    let bytes = fs::read(path).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    text.lines().filter(|line| is_wanted(line)).filter_map(|line| serde_json::from_str(line).ok()).collect()
}

/// Appends a line in one write, so that a kill leaves it whole or cut, never mixed. What a full disk leaves
/// of it is taken back.
pub fn append_line(path: &Path, line: &Value) -> Result<()> {
    let write = || {
        let mut file = fs::OpenOptions::new().create(true).append(true).open(path)?;
        append(&mut file, format!("{line}\n").as_bytes())
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

/// Appends a line to a file that several processes add to: one after the other, what a kill left of a line is
/// removed first, and the line is on disk when this returns.
pub fn append_whole_line(path: &Path, line: &Value) -> Result<()> {
    let write = || -> Result<()> {
        let mut file = fs::OpenOptions::new().create(true).read(true).append(true).open(path)?;
        // Where a file system has no locks, the worst is a cut line.
        let _ = file.lock();
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        if whole < bytes.len() {
            file.set_len(whole as u64)?;
        }
        append(&mut file, format!("{line}\n").as_bytes())?;
        Ok(file.sync_all()?)
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}
