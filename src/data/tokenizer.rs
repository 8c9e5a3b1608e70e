//! Tokenizers: always a Hugging Face `tokenizer.json`, so that a checkpoint carries its own.

use super::cache;
use super::corpus::Part;
use super::hub::HubModel;
use super::pieces::{pieces, pieces_of_short_words};
use super::tokens::IN_MEMORY;
use crate::files::{read_text, replace};
use crate::settings::TokenizerKind;
use crate::waiting::waiting;
use crate::{bail_input, home, input_error};
use anyhow::{Result, anyhow};
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::path::Path;
use std::sync::OnceLock;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{AddedToken, Tokenizer as HfTokenizer, TokenizerBuilder};

/// The special token that stands between documents.
const END_OF_TEXT: &str = "<|endoftext|>";
/// What other tokenizers call it.
const OTHER_ENDS: [&str; 4] = ["</s>", "<|end_of_text|>", "<eos>", "<|im_end|>"];

/// A character tokenizer's most characters; rarer ones are written as their bytes.
const MOST_CHARACTERS: usize = 8192;
/// Bytes that a `tokenizer.json` may have: those of a million tokens take a tenth.
const LARGEST: u64 = 1 << 30;
/// Pieces encoded at a time: an encoding takes a hundred times the memory of its ids.
const PIECES_AT_ONCE: usize = 64;
/// A tokenizer from elsewhere is tried on this much text before it is trusted with pieces.
const TRIAL: usize = 64 << 10;

/// Text to token ids and back.
pub struct Tokenizer {
    inner: HfTokenizer,
    /// The token that ends a text, where it is not the first that is there of the known ones.
    end: Option<String>,
    /// Whether pieces of a text encode to the same ids as the whole; tried on the first long text.
    cuttable: OnceLock<bool>,
}

impl Tokenizer {
    /// A tokenizer of the asked kind, made from the training text where it is not read from a file.
    pub fn train(kind: &TokenizerKind, text: &Part) -> Result<Tokenizer> {
        match kind {
            TokenizerKind::Char => made(kind, text, || Ok(character_tokenizer(text.text()).to_string())),
            TokenizerKind::Bpe(size) => made(kind, text, || byte_pair_tokenizer(text, *size)),
            TokenizerKind::File(path) => Tokenizer::from_file(&home::expand(path)),
            TokenizerKind::Hub(repo) => {
                Tokenizer::from_file(&repo.parse::<HubModel>()?.file("tokenizer.json")?)
            }
        }
    }

    pub fn from_json(text: &str) -> Result<Tokenizer> {
        // The tokenizers crate panics over some text that is no JSON.
        serde_json::from_str::<Value>(text).map_err(|error| input_error!("no JSON: {error}"))?;
        let mut inner: HfTokenizer =
            text.parse().map_err(|error| input_error!("not a tokenizer: {error}"))?;
        // Text that spells a special token is text: it must come back as it went in.
        inner.set_encode_special_tokens(true);
        Ok(Tokenizer { inner, end: None, cuttable: OnceLock::new() })
    }

    /// Reads a `tokenizer.json`.
    pub fn from_file(path: &Path) -> Result<Tokenizer> {
        let text = read_text(path, LARGEST)?;
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

    /// The token between documents, which also ends what a model writes, and its text.
    pub fn end_of_text(&self) -> Option<(u32, &str)> {
        let names = self.end.as_deref().into_iter().chain([END_OF_TEXT]).chain(OTHER_ENDS);
        names.into_iter().find_map(|name| Some((self.inner.token_to_id(name)?, name)))
    }

    /// The same tokenizer, whose texts end with the token `name`.
    pub fn ending_with(self, name: &str) -> Tokenizer {
        let known = self.end_of_text().is_some_and(|(_, usual)| usual == name);
        Tokenizer { end: (!known).then(|| name.to_string()), ..self }
    }

    /// What tells this tokenizer from others.
    pub fn identity(&self) -> Result<String> {
        Ok(self.to_json()? + self.end.as_deref().unwrap_or_default())
    }

    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let mut ids = Vec::new();
        self.encode_pieces(text, |_, some| {
            ids.extend_from_slice(some);
            Ok(())
        })?;
        Ok(ids)
    }

    /// Gives `sink` the ids of all documents bit by bit, each time with the bytes of text that they
    /// encode, and the end-of-text token between documents.
    pub fn encode_documents(
        &self,
        part: &Part,
        mut sink: impl FnMut(usize, &[u32]) -> Result<()>,
    ) -> Result<()> {
        let between = self.end_of_text().filter(|_| part.count() > 1).map(|(id, _)| id);
        for (i, document) in part.documents().enumerate() {
            if let Some(id) = between.filter(|_| i > 0) {
                sink(0, &[id])?;
            }
            self.encode_pieces(document, &mut sink)?;
        }
        Ok(())
    }

    fn encode_pieces(&self, text: &str, mut sink: impl FnMut(usize, &[u32]) -> Result<()>) -> Result<()> {
        let pieces: Vec<&str> = if self.may_cut(text)? { pieces(text).collect() } else { vec![text] };
        for some in pieces.chunks(PIECES_AT_ONCE) {
            let ids: Vec<u32> = self.encode_all(some)?.into_iter().flatten().collect();
            sink(some.iter().map(|piece| piece.len()).sum(), &ids)?;
        }
        Ok(())
    }

    fn encode_all(&self, texts: &[&str]) -> Result<Vec<Vec<u32>>> {
        let encodings = self.inner.encode_batch_fast(texts.to_vec(), false);
        let encodings = encodings.map_err(|error| anyhow!("cannot encode the text: {error}"))?;
        Ok(encodings.iter().map(|encoding| encoding.get_ids().to_vec()).collect())
    }

    /// Whether the pieces of a text encode to the same ids as the whole: tried on the beginning of
    /// the first text that has more than one piece.
    fn may_cut(&self, text: &str) -> Result<bool> {
        if let Some(cuttable) = self.cuttable.get() {
            return Ok(*cuttable);
        }
        let end = (0..=TRIAL.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
        let parts: Vec<&str> = pieces(&text[..end]).collect();
        if parts.len() < 2 {
            return Ok(true);
        }
        let whole = self.encode_all(&[&text[..end]])?;
        let cuttable = whole.concat() == self.encode_all(&parts)?.concat();
        Ok(*self.cuttable.get_or_init(|| cuttable))
    }

    /// Text of the ids, special tokens left out.
    pub fn decode(&self, ids: &[u32]) -> Result<String> {
        self.inner.decode(ids, true).map_err(|error| anyhow!("cannot decode tokens: {error}"))
    }

    /// What one token stands for: its text, or its name where it is no whole character by itself.
    pub fn token(&self, id: u32) -> Result<String> {
        let text = self.decode(&[id])?;
        if !text.is_empty() && !text.contains(char::REPLACEMENT_CHARACTER) {
            return Ok(text);
        }
        Ok(self.inner.id_to_token(id).unwrap_or_else(|| format!("<{id}>")))
    }

    /// Decodes one token after the other, those that follow `before`.
    pub fn decoder(&self, before: Option<u32>) -> Decoder<'_> {
        Decoder { tokenizer: self, context: before.into_iter().collect(), pending: Vec::new() }
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

/// A tokenizer made from a text; from a long one it is made once, into the cache.
fn made(kind: &TokenizerKind, text: &Part, make: impl FnOnce() -> Result<String>) -> Result<Tokenizer> {
    if text.text().len() <= IN_MEMORY {
        return Tokenizer::from_json(&make()?);
    }
    let name = cache::name(&[b"tokenizer 1", kind.to_string().as_bytes(), text.text().as_bytes()]);
    let path = cache::entry(&name, "tokenizer.json")?;
    if !path.is_file() {
        note!("making the tokenizer {kind} from {} MB of text, once", text.text().len() / 1_000_000);
        let json = make()?;
        replace(&path, json.as_bytes())?;
    }
    Tokenizer::from_file(&path)
}

/// One token per character of the text and one per byte: a character that has no token of its own
/// becomes its UTF-8 bytes, so that every text survives the way there and back.
fn character_tokenizer(text: &str) -> Value {
    let mut counts: HashMap<char, usize> = HashMap::new();
    for character in text.chars() {
        *counts.entry(character).or_default() += 1;
    }
    let mut characters: Vec<char> = counts.keys().copied().collect();
    characters.sort_unstable_by_key(|character| (std::cmp::Reverse(counts[character]), *character));
    characters.truncate(MOST_CHARACTERS);
    characters.sort_unstable();
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

/// A byte-level BPE tokenizer as GPT-2's (Radford et al. 2019, section 2.2), trained on the text.
fn byte_pair_tokenizer(text: &Part, size: usize) -> Result<String> {
    let _waiting = waiting(format!("training the tokenizer bpe:{size}"));
    let byte_level = ByteLevel::new(false, false, true);
    let mut trainer = BpeTrainer::builder()
        .vocab_size(size)
        .min_frequency(2)
        .show_progress(false)
        .initial_alphabet(ByteLevel::alphabet().into_iter().collect())
        .special_tokens(vec![AddedToken::from(END_OF_TEXT, true)])
        .build();
    let failed = |error: tokenizers::Error| anyhow!("cannot train the tokenizer: {error}");
    let mut tokenizer = TokenizerBuilder::<BPE, tokenizers::NormalizerWrapper, _, _, _>::new()
        .with_model(BPE::default())
        .with_normalizer(None)
        .with_pre_tokenizer(Some(byte_level))
        .with_post_processor(Some(byte_level))
        .with_decoder(Some(byte_level))
        .build()
        .map_err(failed)?;
    tokenizer.train(&mut trainer, text.documents().flat_map(pieces_of_short_words)).map_err(failed)?;
    tokenizer.to_string(true).map_err(failed)
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
        trained(&TokenizerKind::Char, text)
    }

    fn trained(kind: &TokenizerKind, text: &str) -> Tokenizer {
        Tokenizer::train(kind, &Part::written(text.to_string())).unwrap()
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
        assert!(!ids.contains(&tokenizer.end_of_text().unwrap().0));
    }

    #[test]
    fn a_stream_gives_whole_characters_and_all_of_them() {
        let tokenizer = of("abc\n");
        let text = "a猫b\n🐈c";
        let mut decoder = tokenizer.decoder(None);
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
    fn a_token_is_its_text_or_its_name() {
        let tokenizer = of("ab\n");
        let id = |text: &str| tokenizer.encode(text).unwrap()[0];
        assert_eq!(tokenizer.token(id("a")).unwrap(), "a");
        assert_eq!(tokenizer.token(id("\n")).unwrap(), "\n");
        assert_eq!(tokenizer.token(id("猫")).unwrap(), "<0xE7>");
        assert_eq!(tokenizer.token(tokenizer.end_of_text().unwrap().0).unwrap(), END_OF_TEXT);
        assert_eq!(tokenizer.token(9999).unwrap(), "<9999>");
    }

    #[test]
    fn bytes_that_are_no_character_are_shown_and_do_not_stop_the_stream() {
        let tokenizer = of("abc");
        let byte = |byte: u8| tokenizer.inner.token_to_id(&format!("<0x{byte:02X}>")).unwrap();
        let ids = [byte(0xE7), byte(0x8C), byte(0xAB), byte(0xA9), byte(0xA9), byte(0xA9), byte(0xA9)];
        let mut decoder = tokenizer.decoder(None);
        let mut shown = String::new();
        for id in ids {
            shown += &decoder.push(id).unwrap();
        }
        for id in tokenizer.encode("abc").unwrap() {
            shown += &decoder.push(id).unwrap();
        }
        assert!(shown.starts_with('猫') && shown.ends_with("abc"), "{shown:?}");
    }

    #[test]
    fn byte_pairs_shorten_the_text_and_keep_it() {
        let text = "the cat sees the dog, and the dog sees the cat.\n\n".repeat(50);
        let tokenizer = byte_pair(&text, 300);
        let ids = tokenizer.encode(&text).unwrap();
        assert!(ids.len() * 2 < text.len(), "{} ids for {} bytes", ids.len(), text.len());
        assert!(tokenizer.vocab_size() <= 300);
        for text in [text.as_str(), "\r\n\t猫 🐈\u{0}  x", "<|endoftext|>"] {
            assert_eq!(tokenizer.decode(&tokenizer.encode(text).unwrap()).unwrap(), text);
        }
    }

    fn byte_pair(text: &str, size: usize) -> Tokenizer {
        Tokenizer::from_json(&byte_pair_tokenizer(&Part::written(text.to_string()), size).unwrap()).unwrap()
    }

    /// Blank lines, indentation, runs of spaces, Japanese, and a line too long for one piece.
    #[test]
    fn encoding_in_pieces_equals_encoding_at_once() {
        let text = format!(
            "{}{}{}",
            "fn main() {\n    let x = 1;\n\n\n    call(x,  y);\n}\n\n".repeat(400),
            "吾輩は猫である。\n　名前は まだ無い。\n".repeat(500),
            "one long line of words ".repeat(9000)
        );
        for tokenizer in [of(&text), byte_pair(&text, 600)] {
            let whole = tokenizer.encode_all(&[&text]).unwrap().concat();
            let parts: Vec<&str> = pieces(&text).collect();
            assert!(parts.len() > 10);
            assert!(tokenizer.encode_all(&parts).unwrap().concat() == whole);
            assert!(tokenizer.encode(&text).unwrap() == whole);
        }
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
