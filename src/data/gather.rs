//! Collecting files of any encoding and kind into one UTF-8 text that lies in a file, not in memory.

use super::documents::{json, lines};
use super::encoding::{Decoded, decode};
use super::file_format::{Kind, foreign, is_gzip, kind, looks_like_json};
use super::spool::{CANNOT_WRITE, map, nameless, spool};
use super::unreadable::Unreadable;
use crate::settings::TextEncoding;
use anyhow::{Context, Result};
use encoding_rs::UTF_8;
use flate2::bufread::MultiGzDecoder;
use memmap2::Mmap;
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Seek, SeekFrom, Write};
use std::path::Path;

/// A gzip file that grows by more isn't a text but made to fill disks: texts grow tenfold.
const MOST_EXPANSION: u64 = 200;
/// Small ones may.
const SMALL: u64 = 64 << 20;

/// A text that was read.
pub struct Text {
    map: Mmap,
    /// Where each document ends, in bytes.
    pub documents: Vec<usize>,
    /// What the reader should know about how it was read.
    pub notes: Vec<String>,
}

impl Text {
    pub fn as_str(&self) -> &str {
        // SAFETY: checked when the map was made. A file that another process rewrites meanwhile can
        // break that, as it can for any memory-mapped reader; the text is only ever tokenized.
        unsafe { std::str::from_utf8_unchecked(&self.map) }
    }

    /// Reads the bytes of one file, whose name says of what kind it is. Plain UTF-8 stays where it lies.
    ///
    /// # Errors
    /// [`Unreadable`] if it isn't text.
    pub fn of_file(file: &Path, bytes: Mmap, encoding: Option<TextEncoding>) -> Result<Text> {
        if let Some(text) = decode_in_place(file, &bytes, encoding) {
            let notes = json_note(text).into_iter().collect();
            return Ok(Text { documents: vec![bytes.len()], notes, map: bytes });
        }
        let mut gather = Gather::new(encoding)?;
        let note = gather.add(file, &bytes)?;
        let mut text = gather.finish()?;
        text.notes.extend(note);
        Ok(text)
    }
}

/// The text of bytes that are one document as they are.
fn decode_in_place<'a>(file: &Path, bytes: &'a [u8], encoding: Option<TextEncoding>) -> Option<&'a str> {
    // Everything else is decoded once, by `Gather`.
    std::str::from_utf8(bytes).ok()?;
    match decode(bytes, encoding) {
        Ok((Decoded::Borrowed(text), _)) if text.len() == bytes.len() => {
            (foreign(file, bytes).is_none() && kind(file, text) == Kind::Plain).then_some(text)
        }
        _ => None,
    }
}

/// For those who did not mean to train on braces and quotes.
fn json_note(text: &str) -> Option<String> {
    looks_like_json(text).then(|| {
        "read as plain text, but it looks like JSON: in a .json or .jsonl file only its \"text\" is read"
            .to_string()
    })
}

/// The bytes of a file, or of a pipe or device, which can be read once and not mapped.
///
/// # Errors
/// [`Unreadable`] if they can't be read, or if there are none.
pub fn read(path: &Path) -> Result<Mmap> {
    let unreadable = |error: std::io::Error| Unreadable::new(format!("can't be read: {error}"), "");
    let file = File::open(path).map_err(unreadable)?;
    let bytes = if file.metadata().map_err(unreadable)?.is_file() {
        // SAFETY: the file is only read here. Another process that cuts it short meanwhile can end
        // this one (as with any memory-mapped reader), not corrupt it.
        unsafe { Mmap::map(&file) }.map_err(unreadable)?
    } else {
        spool(file, u64::MAX)?
    };
    if bytes.is_empty() {
        return Err(Unreadable::not_text("is empty", "it must hold the text to read").into());
    }
    Ok(bytes)
}

/// Collects documents.
pub struct Gather {
    file: BufWriter<File>,
    length: usize,
    documents: Vec<usize>,
    /// What the user named.
    encoding: Option<TextEncoding>,
    /// How many files were in each encoding.
    encodings: BTreeMap<&'static str, usize>,
    files: usize,
}

impl Gather {
    pub fn new(encoding: Option<TextEncoding>) -> Result<Gather> {
        Ok(Gather {
            file: nameless()?,
            length: 0,
            documents: Vec::new(),
            encoding,
            encodings: BTreeMap::new(),
            files: 0,
        })
    }

    /// Whether nothing was added.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// Adds the bytes of a file called `name`; answers with what the reader should know about it.
    ///
    /// # Errors
    /// [`Unreadable`] if it isn't text. Then nothing of it was added.
    pub fn add(&mut self, name: &Path, bytes: &[u8]) -> Result<Option<String>> {
        let (length, documents) = (self.length, self.documents.len());
        match self.add_any(name, bytes) {
            Ok(note) => Ok(note),
            Err(error) => {
                self.file.seek(SeekFrom::Start(length as u64)).context(CANNOT_WRITE)?;
                self.length = length;
                self.documents.truncate(documents);
                Err(error)
            }
        }
    }

    fn add_any(&mut self, name: &Path, bytes: &[u8]) -> Result<Option<String>> {
        if is_gzip(bytes) {
            let most = SMALL.max(MOST_EXPANSION * bytes.len() as u64);
            let contents = spool(MultiGzDecoder::new(bytes), most)?;
            let name = if name.extension().is_some_and(|last| last.eq_ignore_ascii_case("gz")) {
                name.with_extension("")
            } else {
                name.to_path_buf()
            };
            return self.add_text(&name, &contents).map_err(|error| match error.downcast::<Unreadable>() {
                Ok(unreadable) => unreadable.compressed().into(),
                Err(error) => error,
            });
        }
        self.add_text(name, bytes)
    }

    fn add_text(&mut self, name: &Path, bytes: &[u8]) -> Result<Option<String>> {
        if let Some(unreadable) = foreign(name, bytes) {
            return Err(unreadable.into());
        }
        let (text, encoding) = decode(bytes, self.encoding)?;
        let mut push = |document: &str| self.document(document);
        let note = match kind(name, &text) {
            Kind::Lines => lines(&text, &mut push)?,
            Kind::Json => json(&text, &mut push)?,
            Kind::Plain => {
                push(&text)?;
                json_note(&text)
            }
        };
        *self.encodings.entry(encoding.name()).or_default() += 1;
        self.files += 1;
        let is_utf8 = encoding != UTF_8 && !bytes.is_ascii() && std::str::from_utf8(bytes).is_ok();
        Ok(note.or_else(|| is_utf8.then(|| format!("valid UTF-8, but read as {}", encoding.name()))))
    }

    fn document(&mut self, text: &str) -> Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        self.file.write_all(text.as_bytes()).context(CANNOT_WRITE)?;
        self.length += text.len();
        self.documents.push(self.length);
        Ok(())
    }

    /// # Errors
    /// [`Unreadable`] if there is no text.
    pub fn finish(mut self) -> Result<Text> {
        if self.is_empty() {
            return Err(Unreadable::new("holds no text", "").into());
        }
        let others = self.encodings.iter().filter(|(name, _)| **name != "UTF-8");
        let note = |(name, count): (&&str, &usize)| match self.files {
            1 => format!("read as {name}"),
            files => format!("read {count} of {files} files as {name}"),
        };
        let notes = others.map(note).collect();
        self.file.flush().context(CANNOT_WRITE)?;
        self.file.get_ref().set_len(self.length as u64).context(CANNOT_WRITE)?;
        let map = map(self.file)?;
        std::str::from_utf8(&map).context("the gathered text is UTF-8")?;
        Ok(Text { map, documents: self.documents, notes })
    }
}
