//! A `tokenizer.json`, read and written.

use super::post_processor::leading;
use crate::support::files::read_text;
use crate::{bail_input, input_error};
use anyhow::Result;
use serde_json::Value;
use std::path::Path;
use tokenizers::Tokenizer as HfTokenizer;

/// The special token that stands between documents.
pub const END_OF_TEXT: &str = "<|endoftext|>";

/// Bytes that a `tokenizer.json` may have: those of a million tokens take a tenth.
const LARGEST: u64 = 1 << 30;

/// Bytes that are encoded at once when a text can't be cut into pieces. A byte takes up to 200 bytes of
/// memory, so all of them take up to 400 MB.
const STRETCH: usize = 2 << 20;

/// Settings of a `tokenizer.json` that cut text, pad it, or encode it at random. They were meant for
/// someone else's training; transformers, too, applies the first two only on request.
const SWITCHED_OFF: [&str; 3] = ["/truncation", "/padding", "/model/dropout"];

/// Text to token ids and back.
pub struct Tokenizer {
    pub(super) inner: HfTokenizer,
    /// The ids that have a token, in ascending order; they need not be dense.
    pub(super) ids: Vec<u32>,
    /// Special tokens that go before every document.
    pub(super) beginning: Vec<u32>,
    /// The token that ends a text, unless it's the first of the usual ones.
    pub(super) end: Option<String>,
    /// The tokens that end generation, unless it's only the one that ends a text.
    pub(super) stops: Vec<u32>,
    /// Bytes that are encoded at once when a text can't be cut into pieces.
    pub(super) stretch: usize,
}

impl Tokenizer {
    /// Reads the text of a `tokenizer.json`, with truncation, padding and dropout switched off.
    ///
    /// # Errors
    /// If the text isn't a tokenizer.
    pub fn from_json(text: &str) -> Result<Tokenizer> {
        // The tokenizers crate panics on some text that isn't JSON.
        let mut json: Value =
            serde_json::from_str(text).map_err(|error| input_error!("not JSON: {error}"))?;
        let mut changed = false;
        for setting in SWITCHED_OFF {
            if let Some(setting) = json.pointer_mut(setting).filter(|setting| !setting.is_null()) {
                *setting = Value::Null;
                changed = true;
            }
        }
        let inner: tokenizers::Result<HfTokenizer> =
            if changed { json.to_string().parse() } else { text.parse() };
        let mut inner = inner.map_err(|error| input_error!("not a tokenizer: {error}"))?;
        // Text that spells a special token is text: it must come back as it went in.
        inner.set_encode_special_tokens(true);
        let mut ids: Vec<u32> = inner.get_vocab(true).into_values().collect();
        ids.sort_unstable();
        ids.dedup();
        Ok(Tokenizer {
            inner,
            ids,
            beginning: leading(&json["post_processor"]),
            end: None,
            stops: Vec::new(),
            stretch: STRETCH,
        })
    }

    /// Reads a `tokenizer.json`.
    pub fn from_file(path: &Path) -> Result<Tokenizer> {
        let text = read_text(path, LARGEST)?;
        Tokenizer::from_json(&text).map_err(|error| input_error!("{}: {error}", path.display()))
    }

    pub fn to_json(&self) -> Result<String> {
        self.inner.to_string(true).map_err(|error| input_error!("the tokenizer can't be written: {error}"))
    }

    /// Refuses a tokenizer that a checkpoint couldn't carry.
    ///
    /// # Errors
    /// Names a token that wouldn't come back from the file.
    pub fn check_saving(&self) -> Result<()> {
        let back = Tokenizer::from_json(&self.to_json()?)?.inner.get_vocab(true);
        let lost = |(token, id): &(String, u32)| back.get(token) != Some(id);
        if let Some((token, id)) = self.inner.get_vocab(true).into_iter().filter(lost).min() {
            bail_input!(
                "a checkpoint would lose the tokenizer's token {token:?}: another one has its id, {id}. Give each an id of its own in tokenizer.json"
            );
        }
        Ok(())
    }

    /// The smallest vocabulary with room for every token, special ones included.
    pub fn vocab_size(&self) -> usize {
        self.ids.last().map_or(0, |id| *id as usize + 1)
    }

    /// The ids below `vocab_size` that have no token, in ascending order: gaps, and rows that pad a
    /// model's vocabulary to a round number.
    pub fn ids_without_token(&self, vocab_size: usize) -> Vec<u32> {
        (0..vocab_size as u32).filter(|id| self.ids.binary_search(id).is_err()).collect()
    }

    /// Identifies this tokenizer and the ids it makes.
    pub fn identity(&self) -> Result<String> {
        let mut identity = self.to_json()? + self.end.as_deref().unwrap_or_default();
        if !self.beginning.is_empty() {
            identity += &format!("{:?}", self.beginning);
        }
        Ok(identity)
    }

    /// Text of the ids, special tokens left out.
    pub fn decode(&self, ids: &[u32]) -> Result<String> {
        self.inner
            .decode(ids, true)
            .map_err(|error| input_error!("the tokenizer can't decode tokens: {error}"))
    }

    /// The text of one token, or its name if it isn't a whole character by itself.
    pub fn token(&self, id: u32) -> Result<String> {
        let text = self.decode(&[id])?;
        if !text.is_empty() && !text.contains(char::REPLACEMENT_CHARACTER) {
            return Ok(text);
        }
        Ok(self.token_name(id))
    }

    /// The name of a token in the vocabulary, or its id in angle brackets if there is none.
    pub fn token_name(&self, id: u32) -> String {
        self.inner.id_to_token(id).unwrap_or_else(|| format!("<{id}>"))
    }
}

/// Refuses token ids that a model of `vocab_size` tokens does not have.
pub fn check_ids(ids: &[u32], vocab_size: usize) -> Result<()> {
    match ids.iter().find(|id| **id as usize >= vocab_size) {
        Some(id) => bail_input!(
            "the tokenizer gives token {id}, but the model knows {vocab_size} tokens: they do not belong together"
        ),
        None => Ok(()),
    }
}
