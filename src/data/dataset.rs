//! A corpus as token ids, ready to train and validate on.

use super::cache;
use super::corpus::{Corpus, Part};
use super::tokenizer::Tokenizer;
use super::tokens::Tokens;
use crate::bail_input;
use crate::settings::Recipe;
use crate::support::numbers::counted;
use anyhow::Result;

/// What a run reads.
pub struct Dataset {
    pub name: String,
    pub tokenizer: Tokenizer,
    pub train: Tokens,
    pub val: Tokens,
    /// UTF-8 bytes of the validation text; none if the tokenizer drops some of it.
    pub val_bytes: Option<usize>,
    /// Surprisal of the validation text under the distribution it was drawn from, nats, where known and
    /// the tokenizer drops nothing.
    pub floor: Option<f64>,
    /// What to tell about how the text was read.
    pub notes: Vec<String>,
}

impl Dataset {
    /// Reads and tokenizes what the recipe names; the tokenizer is made from the training part.
    pub fn load(recipe: &Recipe) -> Result<Dataset> {
        let corpus = Corpus::load(&recipe.data, recipe.val_data.as_deref(), recipe.encoding)?;
        let tokenizer = Tokenizer::train(&recipe.tokenizer, &corpus.train)?;
        Dataset::encode(corpus, tokenizer, recipe.context())
    }

    /// Reads the recipe's texts and tokenizes them with an existing tokenizer.
    pub fn load_with(recipe: &Recipe, tokenizer: Tokenizer) -> Result<Dataset> {
        let corpus = Corpus::load(&recipe.data, recipe.val_data.as_deref(), recipe.encoding)?;
        Dataset::encode(corpus, tokenizer, recipe.context())
    }

    /// A text in memory, its last tenth for validation; the tokenizer is made from the rest.
    pub fn of_text(text: &str, recipe: &Recipe) -> Result<Dataset> {
        let corpus = Corpus::of_text(text)?;
        let tokenizer = Tokenizer::train(&recipe.tokenizer, &corpus.train)?;
        Dataset::encode(corpus, tokenizer, recipe.context())
    }

    fn encode(corpus: Corpus, tokenizer: Tokenizer, context: usize) -> Result<Dataset> {
        let val_name = corpus.val_name.as_ref().unwrap_or(&corpus.name);
        let part = |text: &str, part: &Part, needed: usize, longer: &str| {
            let tokens = Tokens::encode(part, &tokenizer)?;
            if tokens.len() < needed {
                bail_input!(
                    "the {text} has {}; it needs at least {}: {longer}",
                    counted(tokens.len(), "token"),
                    counted(needed, "token")
                );
            }
            Ok(tokens)
        };
        tokenizer.check_saving()?;
        let dropped = tokenizer.dropped(&corpus.val)?.note();
        let whole = dropped.is_none();
        Ok(Dataset {
            train: part(
                &format!("training text of {}", corpus.name),
                &corpus.train,
                context + 1,
                "use a longer text or a smaller --context",
            )?,
            val: part(&format!("validation text of {val_name}"), &corpus.val, 2, "use a longer text")?,
            val_bytes: whole.then(|| corpus.val.text().len()),
            name: corpus.name,
            floor: corpus.floor.filter(|_| whole),
            notes: corpus.notes.into_iter().chain(dropped).collect(),
            tokenizer,
        })
    }

    /// Identifies text and tokenizer, so that a run is never resumed on others.
    pub fn fingerprint(&self) -> String {
        cache::name(&[self.train.fingerprint.as_bytes(), self.val.fingerprint.as_bytes()])
    }
}
