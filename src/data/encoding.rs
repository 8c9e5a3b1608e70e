//! From bytes to UTF-8. An encoding is taken for granted only on evidence: most byte strings are valid
//! Shift_JIS, and all are valid windows-1252.

use super::spool::{CANNOT_WRITE, map, nameless};
use super::unreadable::Unreadable;
use crate::settings::TextEncoding;
use anyhow::{Context, Result};
use encoding_rs::{DecoderResult, EUC_JP, Encoding, ISO_2022_JP, SHIFT_JIS, UTF_8, UTF_16BE, UTF_16LE};
use memmap2::Mmap;
use std::collections::HashSet;
use std::io::Write;
use std::ops::Deref;
use std::sync::LazyLock;

/// Evidence is looked for in so many bytes.
const SAMPLE: usize = 1 << 20;
/// Begins Japanese in ISO-2022-JP, which is ASCII otherwise.
const ESCAPE: u8 = 0x1b;
/// Fewer Japanese characters than these can be an accident.
const FEWEST: usize = 8;

/// A text in UTF-8.
pub enum Decoded<'a> {
    /// The bytes themselves.
    Borrowed(&'a str),
    /// In a file without a name, so that a long text takes no memory.
    Spooled(Mmap),
}

impl Deref for Decoded<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        match self {
            Decoded::Borrowed(text) => text,
            // SAFETY: a decoder wrote it, and nobody else can: the file has no name.
            Decoded::Spooled(map) => unsafe { std::str::from_utf8_unchecked(map) },
        }
    }
}

/// Decodes a text in the encoding that the user named, else in the one there is evidence for. A byte order
/// mark decides over both. Answers with the encoding, too.
///
/// # Errors
/// [`Unreadable`] if there is no evidence, or at a byte that isn't valid in the encoding.
pub fn decode(bytes: &[u8], named: Option<TextEncoding>) -> Result<(Decoded<'_>, &'static Encoding)> {
    let (encoding, mark) = match (Encoding::for_bom(bytes), named) {
        _ if bytes.starts_with(b"\xff\xfe\0\0") => return Err(utf32("UTF-32LE").into()),
        _ if bytes.starts_with(b"\0\0\xfe\xff") => return Err(utf32("UTF-32BE").into()),
        (Some(marked), _) => marked,
        (None, Some(named)) => (named.encoding(), 0),
        (None, None) => (detect(bytes)?, 0),
    };
    let bytes = &bytes[mark..];
    let text = match std::str::from_utf8(bytes) {
        Ok(text) if encoding == UTF_8 => Decoded::Borrowed(text),
        _ => {
            let mut file = nameless()?;
            if let Some((at, line)) = decode_to(bytes, encoding, &mut file)? {
                return Err(invalid(encoding, mark + at, line).into());
            }
            Decoded::Spooled(map(file)?)
        }
    };
    match text.find('\0') {
        Some(at) => Err(nul(&format!("in line {}", line_of(text.as_bytes(), at))).into()),
        None => Ok((text, encoding)),
    }
}

/// The line that byte `at` is in, counted from 1.
fn line_of(bytes: &[u8], at: usize) -> usize {
    1 + bytes[..at].iter().filter(|byte| **byte == b'\n').count()
}

/// Writes the text in UTF-8; answers with place and line of the first byte that isn't valid, if there is one.
fn decode_to(
    bytes: &[u8],
    encoding: &'static Encoding,
    out: &mut impl Write,
) -> Result<Option<(usize, usize)>> {
    let mut decoder = encoding.new_decoder_without_bom_handling();
    let mut piece = vec![0; 1 << 16];
    let (mut read, mut line) = (0, 1);
    loop {
        let (result, consumed, written) =
            decoder.decode_to_utf8_without_replacement(&bytes[read..], &mut piece, true);
        read += consumed;
        line += piece[..written].iter().filter(|byte| **byte == b'\n').count();
        out.write_all(&piece[..written]).context(CANNOT_WRITE)?;
        match result {
            DecoderResult::InputEmpty => return Ok(None),
            DecoderResult::OutputFull => {}
            DecoderResult::Malformed(length, after) => {
                let behind = usize::from(length) + usize::from(after);
                return Ok(Some((read.saturating_sub(behind), line)));
            }
        }
    }
}

fn invalid(encoding: &'static Encoding, at: usize, line: usize) -> Unreadable {
    let name = encoding.name();
    // iconv's Shift_JIS lacks what Windows added.
    let iconv = if encoding == SHIFT_JIS { "CP932" } else { name };
    Unreadable::new(
        format!("isn't valid {name} at byte {at} (line {line})"),
        format!(
            "name its encoding with --encoding, or drop what is invalid: iconv -c -f {iconv} -t UTF-8 FILE > utf8-BASE"
        ),
    )
}

/// In every encoding known here, a text has no NUL.
fn nul(place: &str) -> Unreadable {
    Unreadable::not_text(
        format!("isn't text: there is a NUL {place}"),
        "if it's UTF-16, add --encoding utf-16le; if NULs strayed into a text, drop them: tr -d '\\000' < FILE > clean-BASE",
    )
}

fn utf32(name: &str) -> Unreadable {
    Unreadable::new(format!("is {name}"), format!("convert it: iconv -f {name} -t UTF-8 FILE > utf8-BASE"))
}

/// The encoding that there is evidence for in a text without a byte order mark.
fn detect(bytes: &[u8]) -> Result<&'static Encoding, Unreadable> {
    if bytes.contains(&0) {
        return with_nuls(bytes);
    }
    let Err(error) = std::str::from_utf8(bytes) else {
        let is_japanese = bytes.contains(&ESCAPE) && bytes.is_ascii() && {
            let begins = bytes.windows(3).position(|window| matches!(window, b"\x1b$B" | b"\x1b$@"));
            begins.is_some_and(|at| looks_japanese(sample(bytes, at), ISO_2022_JP))
        };
        return Ok(if is_japanese { ISO_2022_JP } else { UTF_8 });
    };
    let first = bytes.iter().position(|byte| !byte.is_ascii()).unwrap_or_default();
    let beyond_ascii = sample(bytes, first);
    let at = error.valid_up_to();
    let place = format!("at byte {at} (line {})", line_of(bytes, at));
    // Around the first fault, which can be far behind the first character.
    let (characters, faults) = utf8_share(sample(bytes, at.saturating_sub(SAMPLE / 2)));
    if characters >= 10 * faults {
        return Err(Unreadable::new(
            format!("is UTF-8 but for stray bytes, the first {place}"),
            "remove them: iconv -c -f UTF-8 -t UTF-8 FILE > utf8-BASE",
        ));
    }
    if let Some(japanese) =
        [SHIFT_JIS, EUC_JP].into_iter().find(|encoding| looks_japanese(beyond_ascii, encoding))
    {
        return Ok(japanese);
    }
    let mut detector = chardetng::EncodingDetector::new(chardetng::Iso2022JpDetection::Deny);
    detector.feed(beyond_ascii, true);
    let guess = detector.guess(None, chardetng::Utf8Detection::Deny);
    let name = guess.name();
    Err(match guess.decode_without_bom_handling_and_without_replacement(beyond_ascii) {
        Some(_) => Unreadable::new(
            format!("isn't UTF-8 {place} but may be {name}"),
            format!("if so, add --encoding {name}"),
        ),
        None => Unreadable::new(
            format!("isn't UTF-8 {place}"),
            "name its encoding, for example --encoding windows-1252",
        ),
    })
}

fn sample(bytes: &[u8], from: usize) -> &[u8] {
    &bytes[from..bytes.len().min(from + SAMPLE)]
}

/// Characters beyond ASCII in a text that may be UTF-8, and places where it isn't.
fn utf8_share(bytes: &[u8]) -> (usize, usize) {
    let chunks = bytes.utf8_chunks();
    chunks.fold((0, 0), |(characters, faults), chunk| {
        let beyond_ascii = chunk.valid().chars().filter(|c| !c.is_ascii()).count();
        (characters + beyond_ascii, faults + usize::from(!chunk.invalid().is_empty()))
    })
}

/// The encoding of bytes with NULs among them: UTF-16 if one byte order gives a text with spaces or line
/// ends. In the other order these would be U+2000 and U+0A00.
fn with_nuls(bytes: &[u8]) -> Result<&'static Encoding, Unreadable> {
    let sample = sample(bytes, 0);
    let is_text = |text: &str| {
        let control = |c: char| c.is_control() && !"\t\n\r\u{c}".contains(c) || c == '\u{fffd}';
        text.contains([' ', '\n']) && !text.contains(control)
    };
    // A surrogate pair may lie across the end of the sample.
    let whole = &sample[..sample.len() & !1];
    for encoding in [UTF_16LE, UTF_16BE] {
        let (text, _) = encoding.decode_without_bom_handling(whole);
        if is_text(text.strip_suffix('\u{fffd}').unwrap_or(&text)) {
            return Ok(encoding);
        }
    }
    for (name, unit) in
        [("UTF-32LE", u32::from_le_bytes as fn([u8; 4]) -> u32), ("UTF-32BE", u32::from_be_bytes)]
    {
        let units = sample.as_chunks::<4>().0.iter().map(|bytes| char::from_u32(unit(*bytes)));
        if units.collect::<Option<String>>().is_some_and(|text| is_text(&text)) {
            return Err(utf32(name));
        }
    }
    let at = bytes.iter().position(|byte| *byte == 0).unwrap_or_default();
    Err(nul(&format!("at byte {at} (line {})", line_of(bytes, at))))
}

/// The 2,965 kanji of JIS level 1, which are nearly all that a text needs.
static COMMON_KANJI: LazyLock<HashSet<char>> = LazyLock::new(|| {
    let rows = (0xb0..=0xcf).flat_map(|row| (0xa1..=0xfe).map(move |cell| [row, cell]));
    let kanji = rows.filter_map(|bytes| {
        EUC_JP.decode_without_bom_handling_and_without_replacement(&bytes)?.chars().next()
    });
    kanji.collect()
});

/// Whether bytes are Japanese in this encoding: a fifth of what is beyond ASCII is kana, and at most an eighth
/// is what Japanese rarely has. Texts in other encodings turn into rare kanji and half-width katakana.
fn looks_japanese(sample: &[u8], encoding: &'static Encoding) -> bool {
    let (text, _) = encoding.decode_without_bom_handling(sample);
    let (mut all, mut kana, mut odd) = (0, 0, 0);
    for c in text.chars().filter(|c| !c.is_ascii()) {
        all += 1;
        match c {
            'ぁ'..='ゖ' | 'ァ'..='ヺ' | 'ー' => kana += 1,
            // Punctuation, numbers and signs; full-width letters.
            '\u{2010}'..='\u{24ff}' | '■'..='♯' | '\u{3000}'..='\u{30ff}' | '！'..='～' => {}
            c if COMMON_KANJI.contains(&c) => {}
            _ => odd += 1,
        }
    }
    all >= FEWEST && 5 * kana >= all && 8 * odd <= all
}

#[cfg(test)]
mod tests;
