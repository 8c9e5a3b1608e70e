//! Text to train on and text to validate on.

use super::gather::Text;
use super::source::Source;
use super::tales::Tales;
use crate::bail_input;
use crate::settings::TextEncoding;
use crate::support::random;
use crate::support::waiting::waiting;
use anyhow::Result;
use std::ops::Range;
use std::sync::Arc;

/// Share of a text that is kept for training where no validation text is named.
const TRAINING_SHARE: f64 = 0.9;

/// Sizes of the built-in corpus. Its text is the same for every run: seeds vary the training.
const TALES_TRAIN_BYTES: usize = 8_000_000;
const TALES_VAL_BYTES: usize = 100_000;
const TALES_SEED: u64 = 0;

/// A training text and a validation text.
#[derive(Clone)]
pub struct Corpus {
    /// What to call it in messages.
    pub name: String,
    /// The same for the validation text, if it comes from elsewhere.
    pub val_name: Option<String>,
    pub train: Part,
    pub val: Part,
    /// Surprisal of the whole validation text under the distribution it was drawn from, in nats:
    /// known for the tales only.
    pub floor: Option<f64>,
    /// What to tell about how it was read.
    pub notes: Vec<String>,
}

enum Body {
    Written(String),
    Read(Text),
}

/// A stretch of a text, made of one or more documents.
#[derive(Clone)]
pub struct Part {
    body: Arc<Body>,
    range: Range<usize>,
    /// Where each document ends, in bytes of the body.
    ends: Vec<usize>,
}

impl Part {
    /// A text of one document.
    pub fn written(text: String) -> Part {
        let length = text.len();
        Part { body: Arc::new(Body::Written(text)), range: 0..length, ends: vec![length] }
    }

    fn read(text: Text) -> Part {
        let ends = text.documents.clone();
        let length = text.as_str().len();
        Part { body: Arc::new(Body::Read(text)), range: 0..length, ends }
    }

    pub fn text(&self) -> &str {
        let text = match &*self.body {
            Body::Written(text) => text,
            Body::Read(text) => text.as_str(),
        };
        text.get(self.range.clone()).unwrap_or_default()
    }

    pub fn documents(&self) -> impl Iterator<Item = &str> {
        let text = self.text();
        let ends = self.ends.iter().map(|end| end - self.range.start);
        ends.scan(0, move |start, end| {
            let document = &text[*start..end];
            *start = end;
            Some(document)
        })
    }

    /// How many documents there are.
    pub fn count(&self) -> usize {
        self.ends.len()
    }

    /// Cuts after a document where one ends near `share` of the text, else after a line.
    fn split(self, share: f64) -> (Part, Part) {
        let text = self.text();
        let target = (text.len() as f64 * share) as usize;
        let near = |end: &usize| end.abs_diff(target) * 2 <= text.len() - target && *end < text.len();
        let between = self.ends.iter().copied().filter(near).min_by_key(|end| end.abs_diff(target));
        let cut = between.unwrap_or_else(|| line_end(text, target));
        let before = self.ends.iter().copied().filter(|end| *end < cut).chain([cut]).collect();
        let after = self.ends.iter().copied().filter(|end| *end > cut).collect();
        let first = Part { body: Arc::clone(&self.body), range: 0..cut, ends: before };
        (first, Part { range: cut..self.range.end, ends: after, body: self.body })
    }
}

/// The end of the first line that ends at or past `target`; in a text of one line, the end of a
/// character.
fn line_end(text: &str, target: usize) -> usize {
    let target = (target..=text.len()).find(|&at| text.is_char_boundary(at)).unwrap_or(text.len());
    let line_end = text[target..].find('\n').map(|i| target + i + 1).filter(|&cut| cut < text.len());
    line_end.unwrap_or(target)
}

impl Corpus {
    /// Reads `data` and `val_data`; where that is not named, the end of `data` is kept for it. `encoding` is
    /// that of both; `None`: detected.
    pub fn load(data: &str, val_data: Option<&str>, encoding: Option<TextEncoding>) -> Result<Corpus> {
        let source: Source = data.parse()?;
        let mut corpus = match &source {
            Source::Tales(tales) => Corpus::tales(tales)?,
            source => Corpus::read(source, val_data.is_some(), encoding)?,
        };
        if let (Source::Tales(_), None, Some(encoding)) = (&source, val_data, encoding) {
            bail_input!(
                "--encoding is {encoding}, but {source} is built in; leave it out, or name a text with --data"
            );
        }
        if let Some(val_data) = val_data {
            let val = Corpus::validation(&val_data.parse()?, encoding)?;
            corpus.notes.extend(val.notes);
            (corpus.val, corpus.floor, corpus.val_name) = (val.val, val.floor, Some(val.name));
        }
        Ok(corpus)
    }

    /// A text to score: all of it, or the validation part of the tales.
    pub fn validation(source: &Source, encoding: Option<TextEncoding>) -> Result<Corpus> {
        match source {
            // Built in: there is nothing to decode.
            Source::Tales(tales) => Corpus::tales(tales),
            source => Corpus::read(source, true, encoding),
        }
    }

    /// A text in memory, its end kept for validation.
    pub fn of_text(text: &str) -> Result<Corpus> {
        Corpus::split("text".to_string(), Part::written(text.to_string()), Vec::new())
    }

    /// A text whose end is kept for validation.
    fn split(name: String, text: Part, notes: Vec<String>) -> Result<Corpus> {
        let (train, val) = text.split(TRAINING_SHARE);
        if val.text().is_empty() {
            bail_input!("{name} is too short to keep a part of it for validation; name a --val-data");
        }
        Ok(Corpus { name, val_name: None, train, val, floor: None, notes })
    }

    fn tales(tales: &Tales) -> Result<Corpus> {
        let grammar = tales.grammar()?;
        let write = |part: &str, bytes| {
            grammar.tales(&mut random::stream(TALES_SEED, &format!("{tales} {part}")), bytes)
        };
        let (train, val) = (write("training", TALES_TRAIN_BYTES), write("validation", TALES_VAL_BYTES));
        Ok(Corpus {
            name: tales.to_string(),
            val_name: None,
            train: Part::written(train.text),
            val: Part::written(val.text),
            floor: Some(val.nats),
            notes: Vec::new(),
        })
    }

    /// Reads a source; `whole` leaves both parts whole.
    fn read(source: &Source, whole: bool, encoding: Option<TextEncoding>) -> Result<Corpus> {
        let text = {
            let _waiting = waiting(format!("reading {source}"));
            source.read(encoding)?
        };
        let name = source.to_string();
        let notes = text.notes.iter().map(|note| format!("{name}: {note}")).collect();
        let part = Part::read(text);
        match whole {
            true => Ok(Corpus { name, val_name: None, train: part.clone(), val: part, floor: None, notes }),
            false => Corpus::split(name, part, notes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(documents: &[&str]) -> Part {
        let ends = documents
            .iter()
            .scan(0, |end, document| {
                *end += document.len();
                Some(*end)
            })
            .collect();
        Part { ends, ..Part::written(documents.concat()) }
    }

    #[test]
    fn the_validation_split_starts_at_a_line_and_loses_nothing() {
        let (train, val) = part(&[&"zeile\n".repeat(100)]).split(0.9);
        assert_eq!([train.text(), val.text()].concat(), "zeile\n".repeat(100));
        assert!(train.text().ends_with('\n'));
        assert!((540..552).contains(&train.text().len()), "{}", train.text().len());
    }

    #[test]
    fn single_line_texts_are_split_between_characters() {
        let (train, val) = part(&[&"猫".repeat(100)]).split(0.9);
        assert_eq!((train.text().chars().count(), val.text().chars().count()), (90, 10));
    }

    #[test]
    fn multiple_documents_are_split_between_documents() {
        let (train, val) = part(&["aaaa\naaaa", "bbbb", "c\nc"]).split(0.5);
        assert_eq!(train.documents().collect::<Vec<_>>(), ["aaaa\naaaa"]);
        assert_eq!(val.documents().collect::<Vec<_>>(), ["bbbb", "c\nc"]);
        // A last document that is most of the text is cut in two.
        let (train, val) = part(&["a", "b", &"zeile\n".repeat(100)]).split(0.9);
        assert_eq!((train.count(), val.count()), (3, 1));
        assert!(train.text().len() > 8 * val.text().len() && train.text().ends_with('\n'));
    }
}
