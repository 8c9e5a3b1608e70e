//! Token ids, in memory or in a memory-mapped file that is made once.

use super::cache;
use super::corpus::Part;
use super::tokenizer::Tokenizer;
use crate::files::write_whole;
use crate::output::bar;
use anyhow::{Context, Result};
use memmap2::Mmap;
use std::fs::File;
use std::io::{BufWriter, Write};
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
    /// Ids in this machine's byte order.
    File(Mmap),
}

impl Deref for Tokens {
    type Target = [u32];

    fn deref(&self) -> &[u32] {
        match &self.storage {
            Storage::Memory(ids) => ids,
            // A map begins on a page, so that ids are aligned; `encode` checked the length.
            Storage::File(map) => bytemuck::cast_slice(map),
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
            let mut ids = Vec::new();
            tokenizer.encode_documents(part, |_, some| {
                ids.extend_from_slice(some);
                Ok(())
            })?;
            return Ok(Tokens { storage: Storage::Memory(ids), fingerprint });
        }
        let path = cache::entry(&fingerprint, "tokens")?;
        if !path.is_file() {
            let length = part.text().len();
            note!("encoding {} MB of text, once", length / 1_000_000);
            let bar = bar(length, "{bar:24} {percent}%  {eta} left");
            write_whole(&path, |file| {
                let mut out = BufWriter::new(file);
                tokenizer.encode_documents(part, |bytes, ids| {
                    bar.inc(bytes as u64);
                    out.write_all(bytemuck::cast_slice(ids))
                        .context("cannot write the token file: is the disk full?")?;
                    Ok(())
                })?;
                Ok(out.flush()?)
            })?;
            bar.finish_and_clear();
        }
        let file = File::open(&path).with_context(|| format!("cannot open {}", path.display()))?;
        // SAFETY: entries of the cache are written whole under their name and never changed.
        let map = unsafe { Mmap::map(&file) }.with_context(|| format!("cannot map {}", path.display()))?;
        anyhow::ensure!(map.len() % 4 == 0, "{} is damaged; remove it", path.display());
        Ok(Tokens { storage: Storage::File(map), fingerprint })
    }
}
