//! Special tokens: those before and after a document, and those that end generation.

use super::{END_OF_TEXT, Tokenizer};
use serde_json::{Value, json};

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

/// The `post_processor` that puts a token before a text, as transformers writes it.
pub fn begins_with(name: &str, id: usize) -> Value {
    let token = |text: usize| json!({"SpecialToken": {"id": name, "type_id": text}});
    let text = |name: &str, text: usize| json!({"Sequence": {"id": name, "type_id": text}});
    json!({
        "type": "TemplateProcessing",
        "single": [token(0), text("A", 0)],
        "pair": [token(0), text("A", 0), token(1), text("B", 1)],
        "special_tokens": {name: {"id": name, "ids": [id], "tokens": [name]}},
    })
}

/// The ids that a `post_processor` puts before a text. What it puts behind one isn't used: a prompt
/// that is over leaves nothing to write.
pub(super) fn leading(post_processor: &Value) -> Vec<u32> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let ids = |value: &Value| -> Vec<u32> {
        list(value).iter().filter_map(Value::as_u64).filter_map(|id| u32::try_from(id).ok()).collect()
    };
    match post_processor["type"].as_str() {
        // A later processor wraps what an earlier one made.
        Some("Sequence") => list(&post_processor["processors"]).iter().rev().flat_map(leading).collect(),
        Some("TemplateProcessing") => {
            let of = |name: &Value| {
                ids(&post_processor["special_tokens"][name.as_str().unwrap_or_default()]["ids"])
            };
            let pieces = list(&post_processor["single"]);
            let special = pieces.iter().map_while(|piece| piece.get("SpecialToken"));
            special.flat_map(|token| of(&token["id"])).collect()
        }
        Some("BertProcessing" | "RobertaProcessing") => ids(&json!([post_processor["cls"][1]])),
        _ => Vec::new(),
    }
}
