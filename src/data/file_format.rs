//! File formats, recognized by the first bytes, then by the extension, and without one by the text.

use super::unreadable::Unreadable;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};
use std::collections::HashMap;
use std::path::Path;
use std::sync::LazyLock;

/// How a text is divided into documents.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One document.
    Plain,
    /// A JSON value in each line.
    Lines,
    /// One JSON value.
    Json,
}

/// A file format that isn't text: an entry of `data/file_formats.toml`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Format {
    name: String,
    magic: String,
    #[serde(default)]
    offset: usize,
    #[serde(default)]
    extensions: Vec<String>,
    #[serde(default)]
    convert: String,
}

static FORMATS: LazyLock<Vec<Format>> = LazyLock::new(|| {
    let mut file: HashMap<String, Vec<Format>> =
        toml::from_str(include_str!("../../data/file_formats.toml")).expect("a test reads this file");
    file.remove("format").unwrap_or_default()
});

/// What `bytes` are, if they are in a format that isn't text.
pub fn foreign(name: &Path, bytes: &[u8]) -> Option<Unreadable> {
    let extension = extension(name);
    let fits = |format: &&Format| {
        let magic = format.magic.chars().map(|c| c as u8);
        let there = bytes.iter().skip(format.offset).copied().take(format.magic.chars().count());
        magic.eq(there) && (format.extensions.is_empty() || format.extensions.contains(&extension))
    };
    let Format { name, convert, .. } = FORMATS.iter().find(fits)?;
    let fix = if convert.is_empty() { String::new() } else { format!("convert it first: {convert}") };
    Some(Unreadable::not_text(format!("is {name}"), fix))
}

pub fn is_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(b"\x1f\x8b\x08")
}

/// The kind of a text in a file called `name`: a pipe has no extension, and its text decides.
pub fn kind(name: &Path, text: &str) -> Kind {
    match &*extension(name) {
        "jsonl" | "ndjson" => Kind::Lines,
        // Many files of lines are called so.
        "json" if looks_like_lines(text) => Kind::Lines,
        "json" => Kind::Json,
        "" if looks_like_lines(text) => Kind::Lines,
        "" if is_json(text) => Kind::Json,
        _ => Kind::Plain,
    }
}

/// Whether a text would be read by its `"text"` if its name said that it is JSON.
pub fn looks_like_json(text: &str) -> bool {
    looks_like_lines(text) || is_json(text)
}

/// Whether the first line is a JSON object and not the whole text.
fn looks_like_lines(text: &str) -> bool {
    let (first, rest) = text.trim_start().split_once('\n').unwrap_or_default();
    first.starts_with('{')
        && !rest.trim().is_empty()
        && serde_json::from_str::<Map<String, Value>>(first).is_ok()
}

/// Whether the whole text is an array or an object.
fn is_json(text: &str) -> bool {
    text.trim_start().starts_with(['[', '{']) && serde_json::from_str::<IgnoredAny>(text).is_ok()
}

/// In small letters, without the dot; empty if there is none.
fn extension(name: &Path) -> String {
    name.extension().map(|extension| extension.to_string_lossy().to_ascii_lowercase()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_format_has_a_name_and_one_byte_per_character_of_magic() {
        assert!(FORMATS.len() > 20);
        for format in &*FORMATS {
            assert!(!format.name.is_empty() && !format.magic.is_empty());
            assert!(format.magic.chars().all(|c| u32::from(c) < 256), "{}", format.name);
            let mut bytes = vec![0; format.offset];
            bytes.extend(format.magic.chars().map(|c| c as u8));
            let extension = format.extensions.first().map_or("", String::as_str);
            let found = foreign(Path::new(&format!("a.{extension}")), &bytes).unwrap().to_string();
            assert_eq!(found, format!("is {}", format.name));
        }
    }
}
