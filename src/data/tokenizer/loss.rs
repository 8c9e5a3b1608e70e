//! How much of a text a tokenizer drops: what it can't say, and what its normalizer changes.

use super::json::Tokenizer;
use crate::data::corpus::Part;
use crate::data::pieces::stretches;
use anyhow::Result;

/// Bytes of text that are tried at most: so many places of it, of one length.
const PLACES: usize = 16;
const PLACE: usize = 64 << 10;
/// Bytes of the passages that are encoded and decoded by themselves, and the most characters of one that
/// are looked for once it's decoded.
const PASSAGE: usize = 512;
const DECODED: usize = 4 * PASSAGE;

/// A sample of a text, encoded and decoded again.
#[derive(Clone, Debug, PartialEq)]
pub struct Dropped {
    /// Share of the text's bytes that didn't come back, 0 to 1.
    pub share: f64,
    /// The first character that didn't.
    pub example: Option<char>,
}

impl Tokenizer {
    /// How much of a text doesn't survive encoding and decoding, from up to 1 MiB of it, taken at 16
    /// places.
    pub fn dropped(&self, part: &Part) -> Result<Dropped> {
        let (mut bytes, mut lost, mut example) = (0, 0, None);
        for place in sample(part.text()) {
            // White space at the ends of a text is lost in many tokenizers, but passages aren't whole texts.
            let passages: Vec<&str> = stretches(place, PASSAGE).map(str::trim).collect();
            let encoded = self.encode_all(&passages)?;
            for (passage, ids) in passages.iter().zip(encoded) {
                let missing = missing(passage, &self.decode(&ids)?);
                bytes += passage.len();
                lost += missing.iter().map(|character| character.len_utf8()).sum::<usize>();
                example = example.or(missing.first().copied());
            }
        }
        Ok(Dropped { share: lost as f64 / bytes.max(1) as f64, example })
    }
}

impl Dropped {
    /// What to tell about it, if anything was dropped.
    pub fn note(&self) -> Option<String> {
        let percent = 100.0 * self.share;
        let share = if percent < 0.01 { "less than 0.01%".to_string() } else { format!("{percent:.2}%") };
        Some(format!(
            "the tokenizer drops {share} of the validation text, for example {:?}: the loss covers only the rest, so bits per byte aren't given",
            self.example?
        ))
    }
}

/// All of a short text, else places of equal length from its beginning to its end; in parts that are short
/// enough to be encoded at once.
fn sample(text: &str) -> Vec<&str> {
    if text.len() <= PLACES * PLACE {
        return stretches(text, PLACE).collect();
    }
    let boundary = |at: usize| (at..=text.len()).find(|&at| text.is_char_boundary(at)).unwrap_or(text.len());
    let place = |index: usize| {
        let start = (text.len() - PLACE) / (PLACES - 1) * index;
        &text[boundary(start)..boundary(start + PLACE)]
    };
    (0..PLACES).map(place).collect()
}

/// The characters of `text` that aren't in `back`: those outside a longest common subsequence.
fn missing(text: &str, back: &str) -> Vec<char> {
    if text == back {
        return Vec::new();
    }
    let (text, back): (Vec<char>, Vec<char>) = (text.chars().collect(), back.chars().take(DECODED).collect());
    // common[i][j]: the length of a longest common subsequence of text[i..] and back[j..].
    let mut common = vec![vec![0u16; back.len() + 1]; text.len() + 1];
    for i in (0..text.len()).rev() {
        for j in (0..back.len()).rev() {
            common[i][j] = match text[i] == back[j] {
                true => common[i + 1][j + 1] + 1,
                false => common[i + 1][j].max(common[i][j + 1]),
            };
        }
    }
    let (mut missing, mut j) = (Vec::new(), 0);
    for i in 0..text.len() {
        while j < back.len() && text[i] != back[j] && common[i][j + 1] == common[i][j] {
            j += 1;
        }
        if j < back.len() && text[i] == back[j] {
            j += 1;
        } else {
            missing.push(text[i]);
        }
    }
    missing
}
