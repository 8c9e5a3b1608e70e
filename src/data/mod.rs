//! From text to batches: source, corpus, tokenizer, token sequences.

mod batches;
mod cache;
mod corpus;
mod dataset;
mod documents;
mod encoding;
mod file_format;
mod gather;
mod hub;
mod own;
mod pieces;
mod source;
mod spool;
mod tales;
mod tokenizer;
mod tokens;
mod unreadable;
mod walk;

pub use batches::{Batch, Batches};
pub use corpus::{Corpus, Part};
pub use dataset::Dataset;
pub use hub::HubModel;
pub use source::Source;
pub(crate) use tales::questions;
pub use tales::{Grammar, Language, Question, Tales, Written};
pub(crate) use tokenizer::check_ids;
pub use tokenizer::{Tokenizer, begins_with};
pub use tokens::Tokens;
