//! Tokenizers made from the training text, and where the others are read from.

use super::json::{END_OF_TEXT, Tokenizer};
use crate::data::cache;
use crate::data::corpus::Part;
use crate::data::hub::HubModel;
use crate::data::pieces::pieces_of_short_words;
use crate::data::tokens::IN_MEMORY;
use crate::settings::TokenizerKind;
use crate::support::home;
use crate::support::waiting::waiting;
use anyhow::{Context, Result, anyhow};
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::{AddedToken, TokenizerBuilder};

/// A character tokenizer's most characters; rarer ones are written as their bytes.
const MOST_CHARACTERS: usize = 8192;

impl Tokenizer {
    /// A tokenizer of this kind: made from the training text, or read from where `kind` says.
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
}

/// A tokenizer made from a text; from a long one it is made once, into the cache.
fn made(kind: &TokenizerKind, text: &Part, make: impl FnOnce() -> Result<String>) -> Result<Tokenizer> {
    if text.text().len() <= IN_MEMORY {
        return Tokenizer::from_json(&make()?);
    }
    let name = cache::name(&[b"tokenizer 1", kind.to_string().as_bytes(), text.text().as_bytes()]);
    let entry = cache::entry(&name, cache::TOKENIZER, |out| {
        log::info!("making the tokenizer {kind} from {} MB of text, once", text.text().len() / 1_000_000);
        out.write_all(make()?.as_bytes()).context("cannot write the tokenizer: is the disk full?")
    })?;
    Tokenizer::from_json(std::str::from_utf8(&entry)?)
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
pub(super) fn byte_pair_tokenizer(text: &Part, size: usize) -> Result<String> {
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
