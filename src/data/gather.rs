//! Collecting texts of any encoding into one UTF-8 text that lies in a file, not in memory.

use crate::{bail_input, environment, input_error};
use anyhow::{Context, Result};
use encoding_rs::{EUC_JP, Encoding, ISO_2022_JP, SHIFT_JIS, UTF_8};
use memmap2::Mmap;
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::Path;

/// A text that was read.
pub struct Text {
    pub name: String,
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

    /// A file of plain UTF-8 as it lies on disk, one document; none if it must be gathered.
    pub fn plain(path: &Path) -> Result<Option<Text>> {
        if !path.is_file() {
            return Ok(None);
        }
        let map = map_file(path, path)?;
        let is_lines = path.extension().is_some_and(|extension| extension == "jsonl");
        if is_lines || Encoding::for_bom(&map).is_some() || std::str::from_utf8(&map).is_err() {
            return Ok(None);
        }
        let documents = vec![map.len()];
        Ok(Some(Text { name: path.display().to_string(), map, documents, notes: Vec::new() }))
    }
}

/// The bytes of a file that must not be empty.
fn map_file(path: &Path, named: &Path) -> Result<Mmap> {
    let shown = named.display();
    let file = File::open(path).map_err(|error| input_error!("cannot read {shown}: {error}"))?;
    if file.metadata()?.len() == 0 {
        bail_input!("{shown} is empty; it must hold the text to read");
    }
    // SAFETY: the file is only read here. Another process that cuts it short meanwhile can end
    // this one (as with any memory-mapped reader), not corrupt it.
    unsafe { Mmap::map(&file) }.map_err(|error| input_error!("cannot read {shown}: {error}"))
}

/// Collects documents.
pub struct Gather {
    file: BufWriter<File>,
    length: usize,
    documents: Vec<usize>,
    notes: Vec<String>,
    encodings: BTreeSet<&'static str>,
}

impl Gather {
    pub fn new() -> Result<Gather> {
        let file = environment::temporary_file()?;
        Ok(Gather {
            file: BufWriter::new(file),
            length: 0,
            documents: Vec::new(),
            notes: Vec::new(),
            encodings: BTreeSet::new(),
        })
    }

    pub fn note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// Adds a file on disk whose kind is that of `named`: one document, or one per line of a `.jsonl`.
    pub fn add_file(&mut self, path: &Path, named: &Path) -> Result<()> {
        let shown = named.display().to_string();
        if !path.is_file() {
            // A pipe, for example: it can be read once, and not mapped.
            let bytes = std::fs::read(path).map_err(|error| input_error!("cannot read {shown}: {error}"))?;
            return self.add(&shown, named, &bytes);
        }
        let map = map_file(path, named)?;
        self.add(&shown, named, &map)
    }

    /// Adds the bytes of a file called `named`.
    ///
    /// # Errors
    /// If they are in no encoding that is known here.
    pub fn add(&mut self, shown: &str, named: &Path, bytes: &[u8]) -> Result<()> {
        if bytes.is_empty() {
            bail_input!("{shown} is empty; it must hold the text to read");
        }
        let (encoding, bytes) = detect(shown, bytes)?;
        self.encodings.insert(encoding.name());
        if encoding == UTF_8 {
            let text = std::str::from_utf8(bytes).with_context(|| format!("{shown} is not UTF-8"))?;
            return self.add_text(shown, named, text);
        }
        let (text, malformed) = encoding.decode_without_bom_handling(bytes);
        if malformed {
            bail_input!("{shown} looks like {} but is not valid in it", encoding.name());
        }
        self.add_text(shown, named, &text)
    }

    fn add_text(&mut self, shown: &str, named: &Path, text: &str) -> Result<()> {
        if named.extension().is_none_or(|extension| extension != "jsonl") {
            return self.document(text);
        }
        // All of a file is read before any of it is taken.
        let mut documents = Vec::new();
        for (i, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
            let mut value: Value = serde_json::from_str(line)
                .map_err(|error| input_error!("{shown}, line {}: {error}", i + 1))?;
            match value.get_mut("text").map(Value::take) {
                Some(Value::String(text)) => documents.push(text),
                _ => bail_input!("{shown}, line {}: there is no string called \"text\"", i + 1),
            }
        }
        documents.iter().try_for_each(|text| self.document(text))
    }

    fn document(&mut self, text: &str) -> Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        self.file.write_all(text.as_bytes()).context("cannot write the gathered text: is the disk full?")?;
        self.length += text.len();
        self.documents.push(self.length);
        Ok(())
    }

    pub fn finish(mut self, name: String) -> Result<Text> {
        if self.length == 0 {
            bail_input!("{name} holds no text");
        }
        let other: Vec<&str> = self.encodings.iter().copied().filter(|name| *name != "UTF-8").collect();
        if !other.is_empty() {
            self.notes.push(format!("read as {}", other.join(" and ")));
        }
        let file = self.file.into_inner().context("cannot write the gathered text: is the disk full?")?;
        // SAFETY: the file is ours alone: it has no name.
        let map = unsafe { Mmap::map(&file) }.context("cannot map the gathered text")?;
        std::str::from_utf8(&map).context("the gathered text is UTF-8")?;
        Ok(Text { name, map, documents: self.documents, notes: self.notes })
    }
}

/// Whether a file can be a text in an encoding known here.
pub fn is_text(bytes: &[u8]) -> bool {
    let has_mark = Encoding::for_bom(bytes).is_some();
    !bytes.is_empty() && (has_mark || !bytes.contains(&0)) && detect("", bytes).is_ok()
}

/// The encoding of a text and its bytes without a byte order mark: UTF-8, else UTF-16 by its mark,
/// else the Japanese encoding that a detector made for the web takes it for.
fn detect<'a>(shown: &str, bytes: &'a [u8]) -> Result<(&'static Encoding, &'a [u8])> {
    if let Some((encoding, mark)) = Encoding::for_bom(bytes) {
        return Ok((encoding, &bytes[mark..]));
    }
    let Err(error) = std::str::from_utf8(bytes) else { return Ok((UTF_8, bytes)) };
    let mut detector = chardetng::EncodingDetector::new(chardetng::Iso2022JpDetection::Allow);
    detector.feed(bytes, true);
    let guess = detector.guess(Some(b"jp"), chardetng::Utf8Detection::Deny);
    let known = Some(guess).filter(|encoding| {
        [SHIFT_JIS, EUC_JP, ISO_2022_JP].contains(encoding)
            && encoding.decode_without_bom_handling_and_without_replacement(bytes).is_some()
    });
    match known {
        Some(encoding) => Ok((encoding, bytes)),
        None => bail_input!(
            "{shown} is not UTF-8 (byte {} begins no character), nor UTF-16, Shift_JIS or EUC-JP; convert it, for example with iconv -t UTF-8",
            error.valid_up_to()
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gathered(name: &str, bytes: &[u8]) -> Result<Text> {
        let mut gather = Gather::new()?;
        gather.add(name, Path::new(name), bytes)?;
        gather.finish(name.to_string())
    }

    #[test]
    fn japanese_encodings_give_the_same_text_and_are_named() {
        let text = "吾輩は猫である。名前はまだ無い。\nどこで生れたかとんと見当がつかぬ。\n";
        for encoding in [SHIFT_JIS, EUC_JP] {
            let (bytes, _, _) = encoding.encode(text);
            let read = gathered("neko.txt", &bytes).unwrap();
            assert_eq!(read.as_str(), text);
            assert_eq!(read.notes, [format!("read as {}", encoding.name())]);
        }
        let little: Vec<u8> =
            "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> =
            "\u{feff}".encode_utf16().chain(text.encode_utf16()).flat_map(u16::to_be_bytes).collect();
        assert_eq!(gathered("le.txt", &little).unwrap().as_str(), text);
        assert_eq!(gathered("be.txt", &big).unwrap().as_str(), text);
        let marked = ["\u{feff}".as_bytes(), text.as_bytes()].concat();
        let read = gathered("bom.txt", &marked).unwrap();
        assert_eq!((read.as_str(), read.notes.len()), (text, 0));
    }

    #[test]
    fn each_line_of_a_jsonl_file_is_a_document() {
        let read =
            gathered("a.jsonl", b"{\"text\": \"one\\n\", \"id\": 1}\n\n{\"text\": \"two\"}\n").unwrap();
        assert_eq!((read.as_str(), read.documents.as_slice()), ("one\ntwo", [4, 7].as_slice()));
        for other in ["{\"body\": 2}", "\"text\"", "[1]", "null", "7"] {
            let lines = format!("{{\"text\": \"one\"}}\n{other}\n");
            let error = gathered("a.jsonl", lines.as_bytes()).err().unwrap().to_string();
            assert!(error.contains("a.jsonl, line 2") && error.contains("text"), "{error}");
        }
    }
}
