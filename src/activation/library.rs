//! The named activations of `data/activations.toml`.

use serde::Deserialize;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// A named activation.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub name: String,
    /// Over x, or over g and u; see `parse.rs`.
    pub formula: String,
    pub is_gated: bool,
    /// Constants that a call can change, with their defaults.
    pub parameters: Vec<(String, f64)>,
    pub source: String,
    /// The name in transformers' `ACT2FN`; of a gated form, that of its gate.
    pub transformers: Option<String>,
    pub aliases: Vec<String>,
    /// The pointwise function f of a gated form f(g) u.
    pub gate: Option<String>,
}

/// An entry as the file has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    name: String,
    formula: String,
    source: String,
    #[serde(default)]
    parameters: BTreeMap<String, f64>,
    transformers: Option<String>,
    gated: Option<String>,
    #[serde(default)]
    aliases: Vec<String>,
}

#[derive(Deserialize)]
struct File {
    activation: Vec<Written>,
}

/// The activations that a formula can name, in the order of the file: the pointwise functions, then the gated ones.
#[derive(Clone, Debug)]
pub struct Library {
    entries: Vec<Entry>,
}

impl Entry {
    /// The formula that calls it with its default parameters.
    pub fn call(&self) -> String {
        format!("{}({})", self.name, if self.is_gated { "g, u" } else { "x" })
    }

    pub fn is_called(&self, name: &str) -> bool {
        self.name == name || self.aliases.iter().any(|alias| alias == name)
    }
}

static LIBRARY: LazyLock<Library> =
    LazyLock::new(|| Library::of(include_str!("../../data/activations.toml")));

impl Library {
    /// The activations of the program itself.
    pub fn built_in() -> &'static Library {
        &LIBRARY
    }

    fn of(file: &str) -> Library {
        let File { activation } = toml::from_str(file).expect("a test parses the file");
        let mut entries = Vec::new();
        let mut gated = Vec::new();
        for Written { name, formula, source, parameters, transformers, gated: gated_name, aliases } in
            activation
        {
            if let Some(gated_name) = gated_name {
                gated.push(Entry {
                    name: gated_name,
                    formula: format!("{name}(g) * u"),
                    is_gated: true,
                    parameters: Vec::new(),
                    source: "Shazeer 2020".to_string(),
                    transformers: transformers.clone(),
                    aliases: Vec::new(),
                    gate: Some(name.clone()),
                });
            }
            let is_gated = super::tokens::is_gated(&formula);
            let parameters = parameters.into_iter().collect();
            let entry =
                Entry { name, formula, is_gated, parameters, source, transformers, aliases, gate: None };
            if is_gated { gated.push(entry) } else { entries.push(entry) }
        }
        entries.extend(gated);
        Library { entries }
    }

    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The activation of a name or an alias.
    pub fn entry(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.is_called(name))
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.entries.iter().map(|entry| entry.name.as_str())
    }
}
