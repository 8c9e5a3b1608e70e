//! Text to train on and text to validate on.

use crate::{bail_input, input_error};
use anyhow::Result;
use std::path::Path;

/// Share of a text that is kept for training where no validation text is named.
const TRAINING_SHARE: f64 = 0.9;

/// A training text and a validation text.
#[derive(Clone, Debug)]
pub struct Corpus {
    /// What to call it in messages.
    pub name: String,
    pub train: String,
    pub val: String,
}

/// This program's own source and documents, in the order of the reading path.
const BUILT_IN: &str = include_str!(concat!(env!("OUT_DIR"), "/built_in_corpus.txt"));

impl Corpus {
    /// Reads `data` (the built-in text where there is none) and `val_data` (the end of the
    /// training text where there is none).
    pub fn load(data: Option<&Path>, val_data: Option<&Path>) -> Result<Corpus> {
        let (name, text) = match data {
            Some(path) => (path.display().to_string(), read_text(path)?),
            None => ("this program's own source".to_string(), BUILT_IN.to_string()),
        };
        Ok(match val_data {
            Some(path) => Corpus { name, train: text, val: read_text(path)? },
            None => {
                let (train, val) = split(&text, TRAINING_SHARE);
                Corpus { name, train: train.to_string(), val: val.to_string() }
            }
        })
    }
}

/// Reads a text file that must be UTF-8 and not empty.
pub fn read_text(path: &Path) -> Result<String> {
    let shown = path.display();
    let bytes = std::fs::read(path).map_err(|error| input_error!("cannot read {shown}: {error}"))?;
    if bytes.is_empty() {
        bail_input!("{shown} is empty; it must hold the text to read");
    }
    String::from_utf8(bytes).map_err(|error| {
        let at = error.utf8_error().valid_up_to();
        input_error!(
            "{shown} is not UTF-8: byte {at} begins no character; convert it, for example with iconv -t UTF-8"
        )
    })
}

/// Cuts a text after the first line that ends at or past `share` of its bytes; a text of one line
/// is cut between characters.
fn split(text: &str, share: f64) -> (&str, &str) {
    let target = (text.len() as f64 * share) as usize;
    let target = (target..=text.len()).find(|&at| text.is_char_boundary(at)).unwrap_or(text.len());
    let line_end = text[target..].find('\n').map(|i| target + i + 1).filter(|&cut| cut < text.len());
    text.split_at(line_end.unwrap_or(target))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_split_loses_nothing_and_falls_on_a_line_end() {
        let text = "zeile\n".repeat(100);
        let (train, val) = split(&text, 0.9);
        assert_eq!(format!("{train}{val}"), text);
        assert!(train.ends_with('\n') && train.len() >= 540 && train.len() < 552, "{}", train.len());
    }

    #[test]
    fn a_text_of_one_line_is_cut_between_characters() {
        let text = "猫".repeat(100);
        let (train, val) = split(&text, 0.9);
        assert_eq!((train.chars().count(), val.chars().count()), (90, 10));
    }
}
