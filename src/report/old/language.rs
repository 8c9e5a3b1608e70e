//! Texts in two languages.

pub use crate::support::text::Language;

impl Language {
    /// The one of two texts, or of two of anything, that is in this language.
    pub fn pick<T>(self, english: T, japanese: T) -> T {
        match self {
            Language::En => english,
            Language::Ja => japanese,
        }
    }
}
