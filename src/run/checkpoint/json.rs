//! The small JSON files of a checkpoint.

use crate::input_error;
use crate::support::files::read_text;
use anyhow::Result;
use serde_json::Value;
use std::fs;
use std::path::Path;

/// Bytes that a `config.json` or a `trainer.json` may have.
pub const LARGEST_JSON: u64 = 1 << 20;

/// Reads one.
///
/// # Errors
/// If it is missing, larger than [`LARGEST_JSON`] or no JSON; names it.
pub fn read_json(path: &Path) -> Result<Value> {
    let text = read_text(path, LARGEST_JSON)?;
    serde_json::from_str(&text).map_err(|error| input_error!("{} is no JSON: {error}", path.display()))
}

/// Reads one of a directory, or null if there is none.
pub fn json_if_there(directory: &Path, name: &str) -> Result<Value> {
    let path = directory.join(name);
    if path.is_file() { read_json(&path) } else { Ok(Value::Null) }
}

/// Writes one to a directory.
pub fn write_json(directory: &Path, name: &str, value: &Value) -> Result<()> {
    Ok(fs::write(directory.join(name), serde_json::to_string_pretty(value)? + "\n")?)
}
