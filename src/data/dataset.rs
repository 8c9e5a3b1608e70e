//! A corpus as token ids, ready to train and validate on.

use super::corpus::Corpus;
use super::tokenizer::{Tokenizer, check_ids};
use crate::bail_input;
use crate::random::fnv1a;
use crate::settings::Recipe;
use anyhow::Result;

/// What a run reads.
pub struct Dataset {
    pub name: String,
    pub tokenizer: Tokenizer,
    pub train: Vec<u32>,
    pub val: Vec<u32>,
    /// UTF-8 bytes of the validation text.
    pub val_bytes: usize,
}

impl Dataset {
    /// Reads and tokenizes what the recipe names; the tokenizer is made from the training part.
    pub fn load(recipe: &Recipe) -> Result<Dataset> {
        let corpus = Corpus::load(recipe.data.as_deref(), recipe.val_data.as_deref())?;
        let tokenizer = Tokenizer::train(recipe.tokenizer, &corpus.train)?;
        Dataset::encode(corpus, tokenizer, recipe.context())
    }

    /// The same with a tokenizer that exists already.
    pub fn load_with(recipe: &Recipe, tokenizer: Tokenizer) -> Result<Dataset> {
        let corpus = Corpus::load(recipe.data.as_deref(), recipe.val_data.as_deref())?;
        Dataset::encode(corpus, tokenizer, recipe.context())
    }

    fn encode(corpus: Corpus, tokenizer: Tokenizer, context: usize) -> Result<Dataset> {
        let (train, val) = (tokenizer.encode(&corpus.train)?, tokenizer.encode(&corpus.val)?);
        for (part, tokens, needed) in [("training", &train, context + 1), ("validation", &val, 2)] {
            if tokens.len() < needed {
                bail_input!(
                    "the {part} text of {} has {} tokens; at least {needed} are needed for a context of {context}: give more text or a smaller --context",
                    corpus.name,
                    tokens.len()
                );
            }
            check_ids(tokens, tokenizer.vocab_size())?;
        }
        Ok(Dataset { name: corpus.name, tokenizer, train, val, val_bytes: corpus.val.len() })
    }

    /// Identifies the tokens, so that a run is never resumed on others.
    pub fn fingerprint(&self) -> String {
        let bytes: Vec<u8> = self.train.iter().chain(&self.val).flat_map(|id| id.to_le_bytes()).collect();
        format!("{:016x}", fnv1a(&bytes))
    }
}
