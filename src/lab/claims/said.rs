//! Sentences in the two languages of the notes and their readers.

use serde::Serialize;

/// The same said in English and in Japanese.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Said {
    pub en: String,
    pub ja: String,
}

impl Said {
    pub fn new(en: impl Into<String>, ja: impl Into<String>) -> Said {
        Said { en: en.into(), ja: ja.into() }
    }
}

/// A name, a number or a formula: the same in both.
impl<T: Into<String>> From<T> for Said {
    fn from(text: T) -> Said {
        let text = text.into();
        Said { ja: text.clone(), en: text }
    }
}
