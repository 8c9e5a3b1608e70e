//! The languages that pages are written in.

use clap::ValueEnum;

/// English or Japanese. What stands inside a chart stays English, which every font has letters for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Language {
    En,
    Ja,
}

impl Language {
    /// As HTML names it.
    pub fn code(self) -> &'static str {
        self.pick("en", "ja")
    }

    /// The one of two texts, or of two of anything, that is in this language.
    pub fn pick<T>(self, english: T, japanese: T) -> T {
        match self {
            Language::En => english,
            Language::Ja => japanese,
        }
    }
}
