//! Token ids, in memory or in a memory-mapped file that is made once.

use super::cache::{self, Entry};
use super::corpus::Part;
use super::tokenizer::Tokenizer;
use crate::support::waiting::waiting;
use anyhow::{Context, Result};
use std::ops::Deref;

/// Texts up to this size are encoded anew every time; longer ones once, into the cache.
pub const IN_MEMORY: usize = 16 << 20;

/// A sequence of token ids.
pub struct Tokens {
    storage: Storage,
    /// Names the text and the tokenizer.
    pub fingerprint: String,
}

enum Storage {
    Memory(Vec<u32>),
    /// Ids in this machine's byte order, which an entry of the cache has too.
    Cached(Entry),
}

impl Deref for Tokens {
    type Target = [u32];

    fn deref(&self) -> &[u32] {
        match &self.storage {
            Storage::Memory(ids) => ids,
            // An entry is mapped from the beginning of a page, so its ids are aligned.
            Storage::Cached(entry) => bytemuck::cast_slice(entry),
        }
    }
}

impl Tokens {
    /// The encoding of a text, documents separated by the end-of-text token.
    pub fn encode(part: &Part, tokenizer: &Tokenizer) -> Result<Tokens> {
        let ends: Vec<u8> = part.documents().flat_map(|document| document.len().to_le_bytes()).collect();
        let identity = tokenizer.identity()?;
        let fingerprint = cache::name(&[b"tokens 1", part.text().as_bytes(), &ends, identity.as_bytes()]);
        if part.text().len() <= IN_MEMORY {
            let _waiting = waiting("encoding the text");
            let mut ids = Vec::new();
            tokenizer.encode_documents(part, |_, some| {
                ids.extend_from_slice(some);
                Ok(())
            })?;
            return Ok(Tokens { storage: Storage::Memory(ids), fingerprint });
        }
        let entry = cache::entry(&fingerprint, cache::TOKENS, |out| {
            let length = part.text().len();
            log::info!("encoding {} MB of text, once", length / 1_000_000);
            let (waiting, mut done) = (waiting("encoding, bytes"), 0);
            tokenizer.encode_documents(part, |bytes, ids| {
                done += bytes;
                waiting.reached(done, length);
                out.write_all(bytemuck::cast_slice(ids))
                    .context("cannot write the token file: is the disk full?")?;
                Ok(())
            })
        })?;
        anyhow::ensure!(entry.len() % 4 == 0, "the cached tokens are no whole number of ids");
        Ok(Tokens { storage: Storage::Cached(entry), fingerprint })
    }
}
