//! Tokenizers: always a Hugging Face `tokenizer.json`, so that a checkpoint carries its own.

mod decoder;
mod encoding;
mod json;
mod loss;
mod made;
mod post_processor;
mod special;

pub use json::{Tokenizer, check_ids};
pub use post_processor::begins_with;

#[cfg(test)]
mod tests;
