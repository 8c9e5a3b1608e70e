//! Token ids back to text, one at a time.

use super::json::Tokenizer;
use anyhow::Result;

/// A character has at most this many bytes, and so at most this many byte tokens.
const LONGEST_CHARACTER: usize = 4;

/// Decodes a stream of tokens into whole characters. Unlike the tokenizers crate's own stream it
/// accepts bytes that never become a character, as an untrained model writes them.
pub struct Decoder<'a> {
    tokenizer: &'a Tokenizer,
    /// The tokens shown last: some tokenizers drop a leading space without them.
    context: Vec<u32>,
    pending: Vec<u32>,
}

impl Tokenizer {
    /// Decodes a stream of tokens that follows the token `before`.
    pub fn decoder(&self, before: Option<u32>) -> Decoder<'_> {
        Decoder::new(self, before)
    }
}

impl<'a> Decoder<'a> {
    fn new(tokenizer: &'a Tokenizer, before: Option<u32>) -> Decoder<'a> {
        Decoder { tokenizer, context: before.into_iter().collect(), pending: Vec::new() }
    }

    /// The text that the token completes; empty while a character is still missing bytes.
    pub fn push(&mut self, id: u32) -> Result<String> {
        self.pending.push(id);
        let new = self.pending_text()?;
        if new.ends_with(char::REPLACEMENT_CHARACTER) && self.pending.len() < LONGEST_CHARACTER {
            return Ok(String::new());
        }
        self.context = std::mem::take(&mut self.pending);
        Ok(new)
    }

    /// What is left: an unfinished character, shown as the replacement character.
    pub fn finish(self) -> Result<String> {
        self.pending_text()
    }

    fn pending_text(&self) -> Result<String> {
        let before = self.tokenizer.decode(&self.context)?;
        let all = self.tokenizer.decode(&[self.context.as_slice(), &self.pending].concat())?;
        match all.strip_prefix(&before) {
            Some(new) => Ok(new.to_string()),
            None => self.tokenizer.decode(&self.pending),
        }
    }
}
