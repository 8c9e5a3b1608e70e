//! Tokenizers: always a Hugging Face `tokenizer.json`, so that a checkpoint carries its own.

use crate::settings::TokenizerKind;
use crate::{bail_input, input_error};
use anyhow::{Result, anyhow};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;
use std::path::Path;
use tokenizers::Tokenizer as HfTokenizer;

/// The special token that stands between documents.
pub const END_OF_TEXT: &str = "<|endoftext|>";

/// Text is encoded in pieces of at most this many characters.
const PIECE: usize = 4096;
const PIECES_AT_ONCE: usize = 1024;

/// Text to token ids and back.
pub struct Tokenizer {
    inner: HfTokenizer,
}

impl Tokenizer {
    /// A tokenizer of the asked kind, made from the training text.
    pub fn train(kind: TokenizerKind, text: &str) -> Result<Tokenizer> {
        match kind {
            TokenizerKind::Char => Tokenizer::from_json(&character_tokenizer(text).to_string()),
        }
    }

    pub fn from_json(text: &str) -> Result<Tokenizer> {
        let mut inner: HfTokenizer = text.parse().map_err(|error| anyhow!("not a tokenizer: {error}"))?;
        // Text that spells a special token is text: it must come back as it went in.
        inner.set_encode_special_tokens(true);
        Ok(Tokenizer { inner })
    }

    /// Reads a `tokenizer.json`.
    pub fn from_file(path: &Path) -> Result<Tokenizer> {
        let text = super::read_text(path)?;
        Tokenizer::from_json(&text).map_err(|error| input_error!("{}: {error}", path.display()))
    }

    pub fn to_json(&self) -> Result<String> {
        self.inner.to_string(true).map_err(|error| anyhow!("cannot write the tokenizer: {error}"))
    }

    /// Tokens, special ones included.
    pub fn vocab_size(&self) -> usize {
        // Ids need not be dense in a tokenizer that came from elsewhere.
        self.inner.get_vocab(true).values().max().map_or(0, |id| *id as usize + 1)
    }

    pub fn token_id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let mut ids = Vec::new();
        // In parts: an encoding takes a hundred times the memory of its ids.
        for part in pieces(text).chunks(PIECES_AT_ONCE) {
            let encodings = self
                .inner
                .encode_batch_fast(part.to_vec(), false)
                .map_err(|error| anyhow!("cannot encode the text: {error}"))?;
            ids.extend(encodings.iter().flat_map(tokenizers::Encoding::get_ids));
        }
        Ok(ids)
    }

    /// Text of the ids, special tokens left out.
    pub fn decode(&self, ids: &[u32]) -> Result<String> {
        self.inner.decode(ids, true).map_err(|error| anyhow!("cannot decode tokens: {error}"))
    }

    /// Decodes one token after the other.
    pub fn decoder(&self) -> Decoder<'_> {
        Decoder { tokenizer: self, context: Vec::new(), pending: Vec::new() }
    }
}

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

impl Decoder<'_> {
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

/// Cuts a text so that no piece is long; only between lines, or inside a line that is too long.
fn pieces(text: &str) -> Vec<&str> {
    let mut pieces = Vec::new();
    for line in text.split_inclusive('\n') {
        let mut rest = line;
        while let Some((cut, _)) = rest.char_indices().nth(PIECE) {
            let (piece, after) = rest.split_at(cut);
            pieces.push(piece);
            rest = after;
        }
        pieces.push(rest);
    }
    pieces
}

/// One token per character of the text and one per byte: a character that the text lacks becomes
/// its UTF-8 bytes, so that every text survives the way there and back.
fn character_tokenizer(text: &str) -> Value {
    let characters: BTreeSet<char> = text.chars().collect();
    let bytes = (0..=255u8).map(|byte| format!("<0x{byte:02X}>"));
    let tokens =
        std::iter::once(END_OF_TEXT.to_string()).chain(bytes).chain(characters.into_iter().map(String::from));
    let vocab: Map<String, Value> = tokens.enumerate().map(|(id, token)| (token, json!(id))).collect();
    json!({
        "version": "1.0",
        "truncation": null,
        "padding": null,
        "added_tokens": [{
            "id": 0, "content": END_OF_TEXT, "special": true, "normalized": false,
            "single_word": false, "lstrip": false, "rstrip": false,
        }],
        "normalizer": null,
        "pre_tokenizer": null,
        "post_processor": null,
        "decoder": {"type": "Sequence", "decoders": [{"type": "ByteFallback"}, {"type": "Fuse"}]},
        "model": {
            "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
            "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": true,
            "ignore_merges": false, "vocab": vocab, "merges": [],
        },
    })
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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(text: &str) -> Tokenizer {
        Tokenizer::train(TokenizerKind::Char, text).unwrap()
    }

    #[test]
    fn every_character_of_the_text_is_one_token() {
        let text = "To be, or not to be:\n\t猫と犬。\r\n";
        let tokenizer = of(text);
        let ids = tokenizer.encode(text).unwrap();
        assert_eq!(ids.len(), text.chars().count());
        assert_eq!(tokenizer.decode(&ids).unwrap(), text);
    }

    #[test]
    fn text_that_spells_a_special_token_stays_text() {
        let tokenizer = of("abc");
        let ids = tokenizer.encode("a<|endoftext|>b <0x41>").unwrap();
        assert_eq!(tokenizer.decode(&ids).unwrap(), "a<|endoftext|>b <0x41>");
        assert!(!ids.contains(&tokenizer.token_id(END_OF_TEXT).unwrap()));
    }

    #[test]
    fn a_stream_gives_whole_characters_and_all_of_them() {
        let tokenizer = of("abc\n");
        let text = "a猫b\n🐈c";
        let mut decoder = tokenizer.decoder();
        let mut parts = Vec::new();
        for id in tokenizer.encode(text).unwrap() {
            let part = decoder.push(id).unwrap();
            assert!(!part.contains(char::REPLACEMENT_CHARACTER), "{part:?}");
            parts.push(part);
        }
        parts.push(decoder.finish().unwrap());
        assert_eq!(parts.concat(), text);
    }

    #[test]
    fn bytes_that_are_no_character_are_shown_and_do_not_stop_the_stream() {
        let tokenizer = of("abc");
        let byte = |byte: u8| tokenizer.token_id(&format!("<0x{byte:02X}>")).unwrap();
        let ids = [byte(0xE7), byte(0x8C), byte(0xAB), byte(0xA9), byte(0xA9), byte(0xA9), byte(0xA9)];
        let mut decoder = tokenizer.decoder();
        let mut shown = String::new();
        for id in ids {
            shown += &decoder.push(id).unwrap();
        }
        for id in tokenizer.encode("abc").unwrap() {
            shown += &decoder.push(id).unwrap();
        }
        assert!(shown.starts_with('猫') && shown.ends_with("abc"), "{shown:?}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(200))]

        #[test]
        fn any_text_survives_the_way_there_and_back(seen in "\\PC{1,40}", text in "(\\PC|[\\r\\n\\t\\x00])*") {
            let tokenizer = of(&seen);
            let ids = tokenizer.encode(&text).unwrap();
            prop_assert!(check_ids(&ids, tokenizer.vocab_size()).is_ok());
            prop_assert_eq!(tokenizer.decode(&ids).unwrap(), text);
        }
    }
}
