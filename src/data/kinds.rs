//! What kind of file this is: by its first bytes, then by its name, and by its text if it has no name.

use super::unreadable::Unreadable;
use serde::de::IgnoredAny;
use serde_json::{Map, Value};
use std::path::Path;

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

/// A file format that isn't text.
struct Format {
    /// Where the magic bytes are, and what they are.
    at: usize,
    magic: &'static [u8],
    /// With one of these extensions, separated by spaces; any if empty.
    extensions: &'static str,
    name: &'static str,
    /// A command that makes a text of it, or nothing.
    convert: &'static str,
}

const fn format(
    at: usize,
    magic: &'static [u8],
    extensions: &'static str,
    name: &'static str,
    convert: &'static str,
) -> Format {
    Format { at, magic, extensions, name, convert }
}

const PANDOC: &str = "pandoc FILE -t plain -o STEM.txt";
const PARQUET: &str = r#"python3 -c "import pandas, sys; pandas.read_parquet(sys.argv[1]).to_json(sys.argv[2], orient='records', lines=True)" FILE STEM.jsonl"#;
const ARROW: &str = r#"python3 -c "import datasets, sys; datasets.Dataset.from_file(sys.argv[1]).to_json(sys.argv[2])" FILE STEM.jsonl"#;

const GZIP: &[u8] = b"\x1f\x8b\x08";

/// The first that fits counts.
const FORMATS: &[Format] = &[
    format(0, b"PAR1", "", "a Parquet table", PARQUET),
    format(0, b"ARROW1", "", "an Arrow table", ARROW),
    format(0, b"\xff\xff\xff\xff", "arrow", "an Arrow table", ARROW),
    format(0, b"\x28\xb5\x2f\xfd", "", "compressed with Zstandard", "zstd -dc FILE > STEM"),
    format(0, GZIP, "", "compressed with gzip", "gunzip -c FILE > STEM"),
    format(0, b"BZh", "bz2 tbz2 tbz", "compressed with bzip2", "bunzip2 -c FILE > STEM"),
    format(0, b"\xfd7zXZ\0", "", "compressed with xz", "xz -dc FILE > STEM"),
    format(0, b"\x04\x22\x4d\x18", "", "compressed with LZ4", "lz4 -dc FILE > STEM"),
    format(0, b"7z\xbc\xaf\x27\x1c", "", "a 7z archive", "7z x FILE"),
    format(0, b"Rar!\x1a\x07", "", "a RAR archive", "unrar x FILE"),
    format(257, b"ustar", "", "a tar archive", "tar -xf FILE"),
    format(0, b"PK\x03\x04", "docx odt epub", "a word processor's document", PANDOC),
    format(0, b"PK\x03\x04", "xlsx ods", "a spreadsheet", "libreoffice --convert-to csv FILE"),
    format(0, b"PK\x03\x04", "", "a zip archive", "unzip FILE -d STEM"),
    format(0, b"\xd0\xcf\x11\xe0", "", "an old Office document", "libreoffice --convert-to txt:Text FILE"),
    format(0, b"%PDF-", "", "a PDF", "pdftotext FILE STEM.txt"),
    format(0, b"{\\rtf", "", "an RTF document", PANDOC),
    format(0, b"SQLite format 3\0", "", "an SQLite database", ""),
    format(0, b"\x89PNG", "", "a PNG image", ""),
    format(0, b"\xff\xd8\xff", "", "a JPEG image", ""),
    format(0, b"GIF8", "gif", "a GIF image", ""),
    format(0, b"RIFF", "webp wav avi", "an image, sound or video", ""),
    format(0, b"\x89HDF", "", "an HDF5 file", ""),
    format(0, b"GGUF", "gguf", "a GGUF model", ""),
    format(0, b"\x7fELF", "", "a program", ""),
];

/// What `bytes` are, if they are in a format that isn't text.
pub fn foreign(name: &Path, bytes: &[u8]) -> Option<Unreadable> {
    let extension = extension(name);
    let fits = |format: &&Format| {
        let of_this_name = |extensions: &str| extensions.split(' ').any(|known| known == extension);
        bytes.get(format.at..).is_some_and(|rest| rest.starts_with(format.magic))
            && (format.extensions.is_empty() || of_this_name(format.extensions))
    };
    let Format { name, convert, .. } = FORMATS.iter().find(fits)?;
    let fix = if convert.is_empty() { String::new() } else { format!("convert it first: {convert}") };
    Some(Unreadable::not_text(format!("is {name}"), fix))
}

pub fn is_gzip(bytes: &[u8]) -> bool {
    bytes.starts_with(GZIP)
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
