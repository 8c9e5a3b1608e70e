//! Text that people read, before its language is chosen.
//!
//! `data/text/en.toml` and `data/text/ja.toml` hold every message of the pages, their tables and the claims. Code
//! names a message by its key and passes the values that it mentions. Whoever writes the text picks the language.

use clap::ValueEnum;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use std::borrow::Cow;
use std::fmt::Display;
use std::sync::LazyLock;

/// A language that tinygpt writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Language {
    En,
    Ja,
}

static ENGLISH: LazyLock<toml::Table> = LazyLock::new(|| parse(include_str!("../../data/text/en.toml")));
static JAPANESE: LazyLock<toml::Table> = LazyLock::new(|| parse(include_str!("../../data/text/ja.toml")));

fn parse(file: &str) -> toml::Table {
    file.parse().expect("a test parses both files")
}

impl Language {
    pub const ALL: [Language; 2] = [Language::En, Language::Ja];

    /// The code of ISO 639-1, as in HTML's `lang`.
    pub fn code(self) -> &'static str {
        match self {
            Language::En => "en",
            Language::Ja => "ja",
        }
    }

    fn messages(self) -> &'static toml::Table {
        match self {
            Language::En => &ENGLISH,
            Language::Ja => &JAPANESE,
        }
    }

    /// What a key such as `inspect.parameters.title` names. A number names a message of a list.
    fn find(self, key: &str) -> Option<&'static toml::Value> {
        let (first, rest) = key.split_once('.')?;
        let within = |value: &'static toml::Value, name: &str| match value {
            toml::Value::Array(list) => list.get(name.parse::<usize>().ok()?),
            value => value.get(name),
        };
        rest.split('.').try_fold(self.messages().get(first)?, within)
    }
}

/// Text that can be written in every [`Language`].
#[derive(Clone, Debug, PartialEq)]
pub enum Text {
    /// A number, a name or a formula: identical in every language.
    Verbatim(String),
    /// A message, with the values of its `{placeholders}`.
    Message { key: Cow<'static, str>, values: Vec<(&'static str, Text)> },
    /// Sentences that follow each other. Empty ones are skipped.
    Sentences(Vec<Text>),
}

/// A [`Text::Message`]: its key, then the values of its placeholders as `name = value`.
macro_rules! text {
    ($key:literal $(, $name:ident = $value:expr)* $(,)?) => {
        $crate::support::text::Text::Message {
            key: $key.into(),
            values: vec![$((stringify!($name), $crate::support::text::Text::from($value))),*],
        }
    };
}

impl Text {
    /// A message that mentions no values.
    pub fn message(key: String) -> Text {
        Text::Message { key: key.into(), values: Vec::new() }
    }

    /// The messages of a list.
    pub fn list(key: &str) -> Vec<Text> {
        let list = Language::En.find(key).and_then(toml::Value::as_array);
        (0..list.map_or(0, Vec::len)).map(|i| Text::message(format!("{key}.{i}"))).collect()
    }

    /// The text in one language.
    pub fn to(&self, language: Language) -> String {
        match self {
            Text::Verbatim(text) => text.clone(),
            Text::Message { key, values } => {
                let message = language.find(key).and_then(toml::Value::as_str);
                fill(message.unwrap_or(key), values, language)
            }
            Text::Sentences(sentences) => {
                let between = if language == Language::En { " " } else { "" };
                let written = sentences.iter().map(|sentence| sentence.to(language));
                written.filter(|sentence| !sentence.is_empty()).collect::<Vec<_>>().join(between)
            }
        }
    }

    pub fn is_empty(&self) -> bool {
        match self {
            Text::Verbatim(text) => text.is_empty(),
            Text::Message { .. } => false,
            Text::Sentences(sentences) => sentences.iter().all(Text::is_empty),
        }
    }
}

/// Puts values in the place of `{name}`.
fn fill(message: &str, values: &[(&'static str, Text)], language: Language) -> String {
    let mut filled = String::with_capacity(message.len());
    let mut rest = message;
    while let Some((before, (name, after))) =
        rest.split_once('{').and_then(|(before, inside)| Some((before, inside.split_once('}')?)))
    {
        filled += before;
        match values.iter().find(|(own, _)| *own == name) {
            Some((_, value)) => filled += &value.to(language),
            None => filled += &format!("{{{name}}}"),
        }
        rest = after;
    }
    filled + rest
}

impl Default for Text {
    fn default() -> Text {
        Text::Verbatim(String::new())
    }
}

impl<T: Display> From<T> for Text {
    fn from(value: T) -> Text {
        Text::Verbatim(value.to_string())
    }
}

/// `{"en": ..., "ja": ...}`
impl Serialize for Text {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(Language::ALL.len()))?;
        for language in Language::ALL {
            map.serialize_entry(language.code(), &self.to(language))?;
        }
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::{BTreeMap, BTreeSet};
    use std::path::Path;

    /// Every message of a language by its key.
    fn messages(language: Language) -> BTreeMap<String, String> {
        fn add(value: &toml::Value, key: String, found: &mut BTreeMap<String, String>) {
            match value {
                toml::Value::Table(inner) => {
                    inner.iter().for_each(|(name, value)| add(value, format!("{key}.{name}"), found));
                }
                toml::Value::Array(list) => {
                    list.iter().enumerate().for_each(|(i, value)| add(value, format!("{key}.{i}"), found));
                }
                value => assert!(found.insert(key, value.as_str().unwrap().to_string()).is_none()),
            }
        }
        let mut found = BTreeMap::new();
        language.messages().iter().for_each(|(name, value)| add(value, name.clone(), &mut found));
        found
    }

    fn placeholders(message: &str) -> BTreeSet<&str> {
        message.split('{').skip(1).filter_map(|rest| rest.split_once('}')).map(|(name, _)| name).collect()
    }

    fn sources(folder: &Path, found: &mut String) {
        for entry in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
            if entry.is_dir() {
                sources(&entry, found);
            } else if !entry.ends_with("support/text.rs") {
                found.push_str(&std::fs::read_to_string(entry).unwrap());
            }
        }
    }

    #[test]
    fn both_languages_have_the_same_messages_with_the_same_placeholders() {
        let [english, japanese] = Language::ALL.map(messages);
        assert_eq!(english.keys().collect::<Vec<_>>(), japanese.keys().collect::<Vec<_>>());
        for (key, message) in &english {
            assert_eq!(placeholders(message), placeholders(&japanese[key]), "{key}");
        }
    }

    #[test]
    fn the_code_uses_every_message_and_no_other() {
        let mut code = String::new();
        sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut code);
        let named_by = |call| {
            let arguments = code.split(call).skip(1);
            let key = |rest: &str| Some(rest.trim_start().strip_prefix('"')?.split('"').next()?.to_string());
            arguments.filter_map(key).collect::<BTreeSet<String>>()
        };
        let used = &(&named_by(concat!("text", "!(")) | &named_by("titled("))
            | &named_by(concat!("message(", "format!("));
        // The messages of a list are used together, and `{name}` stands for any part of a key.
        let is = |used: &String, key: &String| {
            let (used, key): (Vec<&str>, Vec<&str>) = (used.split('.').collect(), key.split('.').collect());
            let list = key.split_last().filter(|(last, _)| last.parse::<usize>().is_ok());
            let key = list.map_or(key.as_slice(), |(_, list)| list);
            used.len() == key.len() && used.iter().zip(key).all(|(a, b)| a == b || a.starts_with('{'))
        };
        let known = messages(Language::En);
        let missing: Vec<&String> =
            used.iter().filter(|used| !known.keys().any(|key| is(used, key))).collect();
        let unused: Vec<&String> =
            known.keys().filter(|key| !used.iter().any(|used| is(used, key))).collect();
        assert!(missing.is_empty(), "without a message: {missing:?}");
        assert!(unused.is_empty(), "not used: {unused:?}");
    }

    #[test]
    fn values_stand_in_the_place_of_their_names() {
        let values = [("n", Text::from(3)), ("rest", Text::Sentences(vec!["A.".into(), "B.".into()]))];
        assert_eq!(fill("{n} of {n} {{x} {rest}", &values, Language::En), "3 of 3 {{x} A. B.");
        assert_eq!(fill("{n}個{rest}", &values, Language::Ja), "3個A.B.");
    }
}
