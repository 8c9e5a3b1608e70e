//! Text to token ids. A long text is encoded in pieces, since an encoding takes a hundred times the
//! memory of its ids.

use super::json::Tokenizer;
use crate::data::corpus::Part;
use crate::data::pieces::{pieces, stretches};
use crate::input_error;
use anyhow::Result;

/// Texts up to this size are encoded whole, in bytes.
const SHORT: usize = 64 << 10;
/// Pieces that are encoded at a time.
const PIECES_AT_ONCE: usize = 64;
/// Bytes on either side of a cut on which the cut is tried.
const TRIAL: usize = 1 << 10;

impl Tokenizer {
    /// The ids of a text, without special tokens.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let mut ids = Vec::new();
        self.encode_text(text, |_, some| {
            ids.extend_from_slice(some);
            Ok(())
        })?;
        Ok(ids)
    }

    /// The ids of a text as a model reads it: behind the special tokens that begin a document.
    pub fn encode_prompt(&self, text: &str) -> Result<Vec<u32>> {
        Ok([self.beginning(), &self.encode(text)?].concat())
    }

    /// Gives `sink` the ids of all documents bit by bit, each time with the bytes of text that they
    /// encode, and the special tokens around documents.
    pub fn encode_documents(
        &self,
        part: &Part,
        mut sink: impl FnMut(usize, &[u32]) -> Result<()>,
    ) -> Result<()> {
        let end = self.end_of_text().map(|(id, _)| id);
        // Some models begin a text with the token that ends one: once is enough.
        let between = end.filter(|id| part.count() > 1 && self.beginning() != [*id]);
        for (i, document) in part.documents().enumerate() {
            if let Some(id) = between.filter(|_| i > 0) {
                sink(0, &[id])?;
            }
            sink(0, self.beginning())?;
            self.encode_text(document, &mut sink)?;
        }
        Ok(())
    }

    fn encode_text(&self, text: &str, mut sink: impl FnMut(usize, &[u32]) -> Result<()>) -> Result<()> {
        let (parts, at_once): (Vec<&str>, usize) = if text.len() <= SHORT.min(self.stretch) {
            (vec![text], 1)
        } else if self.may_cut(text)? {
            (pieces(text).collect(), PIECES_AT_ONCE)
        } else {
            (stretches(text, self.stretch).collect(), 1)
        };
        if at_once == 1 && parts.len() > 1 {
            log::info!(
                "this tokenizer needs whole documents, but one of {:.1} MB takes too much memory: it's encoded in {} stretches, which may change the tokens where they meet",
                text.len() as f64 / 1e6,
                parts.len()
            );
        }
        for some in parts.chunks(at_once) {
            let ids = self.encode_all(some)?.concat();
            sink(some.iter().map(|part| part.len()).sum(), &ids)?;
        }
        Ok(())
    }

    pub(super) fn encode_all(&self, texts: &[&str]) -> Result<Vec<Vec<u32>>> {
        let encodings = self.inner.encode_batch_fast(texts.to_vec(), false);
        let encodings =
            encodings.map_err(|error| input_error!("the tokenizer can't encode the text: {error}"))?;
        Ok(encodings.iter().map(|encoding| encoding.get_ids().to_vec()).collect())
    }

    /// Whether the pieces of a text encode to the same ids as the whole, as far as its first, middle and
    /// last cut show.
    fn may_cut(&self, text: &str) -> Result<bool> {
        let mut end = 0;
        let ends = pieces(text).map(|piece| {
            end += piece.len();
            end
        });
        let cuts: Vec<usize> = ends.filter(|end| *end < text.len()).collect();
        let tried = [cuts.first(), cuts.get(cuts.len() / 2), cuts.last()];
        for cut in tried.into_iter().flatten() {
            let (left, right) = around(text, *cut);
            let parts = self.encode_all(&[left, right])?.concat();
            if self.encode_all(&[&[left, right].concat()])?.concat() != parts {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// The text on either side of a cut on which it is tried.
fn around(text: &str, cut: usize) -> (&str, &str) {
    let start = (0..=cut.saturating_sub(TRIAL)).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0);
    let end = (cut + TRIAL..text.len()).find(|&at| text.is_char_boundary(at)).unwrap_or(text.len());
    (&text[start..cut], &text[cut..end])
}
