//! The directory that keeps what was prepared once: `$TINYGPT_CACHE`, or `tinygpt` in the user's
//! cache directory.

use crate::input_error;
use anyhow::Result;
use sha2::{Digest, Sha256};
use std::path::PathBuf;

/// A name for what is made of `parts`: no other parts have it.
pub fn name(parts: &[&[u8]]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// The path of the entry called `name`, whose directory exists.
pub fn entry(name: &str, extension: &str) -> Result<PathBuf> {
    let directory = directory();
    std::fs::create_dir_all(&directory).map_err(|error| {
        input_error!(
            "cannot create the cache {}: {error}; name another in TINYGPT_CACHE",
            directory.display()
        )
    })?;
    Ok(directory.join(format!("{name}.{extension}")))
}

fn directory() -> PathBuf {
    let from = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    from("TINYGPT_CACHE")
        .or_else(|| Some(from("XDG_CACHE_HOME")?.join("tinygpt")))
        .or_else(|| Some(from("HOME")?.join(".cache/tinygpt")))
        .or_else(|| Some(from("LOCALAPPDATA")?.join("tinygpt")))
        .unwrap_or_else(|| std::env::temp_dir().join("tinygpt"))
}
