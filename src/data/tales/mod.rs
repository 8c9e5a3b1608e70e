//! The built-in corpus: children's tales written by a small grammar whose entropy is known.
//!
//! The generator knows the probability of everything it writes, because every text has exactly one
//! derivation (a test parses tales back). The sum of its surprisal is a floor: no model can expect
//! to predict the text better than the grammar does, and the distance to the floor is what is left
//! to learn.

mod grammar;
mod quiz;

pub use grammar::Question;
pub use grammar::{Grammar, Written};
pub use quiz::questions;

use crate::bail_input;
use anyhow::Result;
use std::fmt;
use std::str::FromStr;

/// Most extra facts: each has a name of three syllables.
const MOST_FACTS: usize = 100_000;

/// Which tales: their language and how many extra facts they know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tales {
    pub language: Language,
    pub facts: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    English,
    Japanese,
}

impl fmt::Display for Tales {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("tales")?;
        if self.language == Language::Japanese {
            f.write_str(":ja")?;
        }
        if self.facts > 0 {
            write!(f, ":facts={}", self.facts)?;
        }
        Ok(())
    }
}

impl FromStr for Tales {
    type Err = anyhow::Error;

    /// `tales`, `tales:ja`, `tales:facts=1000`, `tales:ja:facts=1000`
    fn from_str(text: &str) -> Result<Self> {
        let mut tales = Tales { language: Language::English, facts: 0 };
        let mut parts = text.split(':');
        if parts.next() != Some("tales") {
            bail_input!("'{text}' does not name tales");
        }
        for part in parts {
            match (part, part.strip_prefix("facts=").map(str::parse::<usize>)) {
                ("en", _) => tales.language = Language::English,
                ("ja", _) => tales.language = Language::Japanese,
                (_, Some(Ok(facts))) if facts <= MOST_FACTS => tales.facts = facts,
                _ => bail_input!(
                    "'{text}' is no corpus; known: tales[:ja][:facts=N] with N up to {MOST_FACTS}"
                ),
            }
        }
        Ok(tales)
    }
}

impl Tales {
    pub fn grammar(&self) -> Result<Grammar> {
        let text = match self.language {
            Language::English => include_str!("../../../data/tales.toml"),
            Language::Japanese => include_str!("../../../data/tales.ja.toml"),
        };
        Grammar::parse(text, self.facts)
    }
}

#[cfg(test)]
mod tests;
