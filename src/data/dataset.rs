//! A corpus as token ids, ready to train and validate on.

use super::corpus::{Corpus, Part};
use super::tokenizer::{Tokenizer, check_ids};
use super::tokens::Tokens;
use crate::bail_input;
use crate::settings::Recipe;
use anyhow::Result;
use sha2::{Digest, Sha256};

/// What a run reads.
pub struct Dataset {
    pub name: String,
    pub tokenizer: Tokenizer,
    pub train: Tokens,
    pub val: Tokens,
    /// UTF-8 bytes of the validation text.
    pub val_bytes: usize,
    /// Surprisal of the validation text under the distribution it was drawn from, nats, where known.
    pub floor: Option<f64>,
    /// What to tell about how the text was read.
    pub notes: Vec<String>,
}

impl Dataset {
    /// Reads and tokenizes what the recipe names; the tokenizer is made from the training part.
    pub fn load(recipe: &Recipe) -> Result<Dataset> {
        let corpus = Corpus::load(&recipe.data, recipe.val_data.as_deref())?;
        let tokenizer = Tokenizer::train(&recipe.tokenizer, &corpus.train)?;
        Dataset::encode(corpus, tokenizer, recipe.context())
    }

    /// The same with a tokenizer that exists already.
    pub fn load_with(recipe: &Recipe, tokenizer: Tokenizer) -> Result<Dataset> {
        let corpus = Corpus::load(&recipe.data, recipe.val_data.as_deref())?;
        Dataset::encode(corpus, tokenizer, recipe.context())
    }

    fn encode(corpus: Corpus, tokenizer: Tokenizer, context: usize) -> Result<Dataset> {
        let part = |name: &str, part: &Part, needed: usize| {
            let tokens = Tokens::encode(part, &tokenizer)?;
            if tokens.len() < needed {
                bail_input!(
                    "the {name} text of {} has {} tokens; at least {needed} are needed for a context of {context}: give more text or a smaller --context",
                    corpus.name,
                    tokens.len()
                );
            }
            check_ids(&tokens, tokenizer.vocab_size())?;
            Ok(tokens)
        };
        Ok(Dataset {
            train: part("training", &corpus.train, context + 1)?,
            val: part("validation", &corpus.val, 2)?,
            val_bytes: corpus.val.text().len(),
            name: corpus.name,
            floor: corpus.floor,
            notes: corpus.notes,
            tokenizer,
        })
    }

    /// Identifies the tokens, so that a run is never resumed on others.
    pub fn fingerprint(&self) -> String {
        let mut hash = Sha256::new();
        for tokens in [&self.train, &self.val] {
            hash.update((tokens.len() as u64).to_le_bytes());
            for id in tokens.iter() {
                hash.update(id.to_le_bytes());
            }
        }
        hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }
}
