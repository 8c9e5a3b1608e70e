//! Special tokens: those before and after a document, and those that end generation.

use super::json::{END_OF_TEXT, Tokenizer};

/// Other names of the token that ends a text.
const OTHER_ENDS: [&str; 4] = ["</s>", "<|end_of_text|>", "<eos>", "<|im_end|>"];

impl Tokenizer {
    /// The tokens before every document, such as a BOS. Usually there are none.
    pub fn beginning(&self) -> &[u32] {
        &self.beginning
    }

    /// The token between documents, which also ends what a model writes, and its text.
    pub fn end_of_text(&self) -> Option<(u32, &str)> {
        let names = self.end.as_deref().into_iter().chain([END_OF_TEXT]).chain(OTHER_ENDS);
        names.into_iter().find_map(|name| Some((self.inner.token_to_id(name)?, name)))
    }

    /// The tokens that end generation.
    pub fn stops(&self) -> Vec<u32> {
        match self.stops.as_slice() {
            [] => self.end_of_text().map(|(id, _)| id).into_iter().collect(),
            stops => stops.to_vec(),
        }
    }

    /// A token for a model to go on from when there is no text: the one that ends the text before, or
    /// else the first of all.
    pub fn first(&self) -> Option<u32> {
        self.end_of_text().map(|(id, _)| id).or(self.ids.first().copied())
    }

    /// The tokens that stand around documents. A model reads them, but they aren't text and aren't scored.
    pub fn around_documents(&self) -> Vec<u32> {
        self.beginning.iter().copied().chain(self.end_of_text().map(|(id, _)| id)).collect()
    }

    /// Makes the token `name` the one that ends a text.
    pub fn ending_with(self, name: &str) -> Tokenizer {
        let known = self.end_of_text().is_some_and(|(_, usual)| usual == name);
        Tokenizer { end: (!known).then(|| name.to_string()), ..self }
    }

    /// Makes the tokens `ids` end generation; an empty list leaves that to the one that ends a text.
    pub fn stopping_at(self, ids: Vec<u32>) -> Tokenizer {
        Tokenizer { stops: ids, ..self }
    }
}
