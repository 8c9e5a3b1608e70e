//! From text to batches: corpus, tokenizer, token sequences.

mod batches;
mod corpus;
mod dataset;
mod tokenizer;

pub use batches::{Batch, Batches};
pub use corpus::{Corpus, read_text};
pub use dataset::Dataset;
pub use tokenizer::{END_OF_TEXT, Tokenizer, check_ids};
