//! Activations: formulas over x, or over the gate g and the up projection u of a gated FFN.
//!
//! Ungated, an FFN computes `W_down f(W_up x)`; gated, `W_down f(W_gate x, W_up x)`, where f(g, u) is mostly a function
//! of g times u (Shazeer 2020, "GLU Variants Improve Transformer").
//!
//! `parse` reads a formula into a list of operations ([`List`]), and `graph` adds those of its partial derivatives.
//! A [`Program`] is both lists. It runs over f64, over tensors, and in `model::kernels::activate` over f32.
//! `data/activations.toml` gives names to formulas ([`Library`]).

mod graph;
mod library;
pub mod list;
pub mod operations;
mod parse;
mod program;
mod range;
mod tokens;

pub use library::{Entry, Library};
pub use list::List;
pub use parse::Scalar;
pub use program::Program;
pub use range::Trouble;
pub use tokens::in_list;

use crate::support::failure::did_you_mean;
use crate::{bail_input, input_error};
use anyhow::Result;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::{LazyLock, Mutex, PoisonError};

/// The activation of an FFN, chosen by `--act`: a name of the library, or a formula. Each is compiled once.
#[derive(Clone, Copy)]
pub struct Activation(&'static Compiled);

#[derive(Debug)]
struct Compiled {
    name: String,
    label: String,
    formula: String,
    /// The library's entry. For `glu:NAME`, that of NAME.
    entry: Option<&'static Entry>,
    program: Program,
}

/// All activations that have been compiled, by [`Activation::name`].
static COMPILED: Mutex<Option<HashMap<String, Activation>>> = Mutex::new(None);

static NAMED: LazyLock<Vec<Activation>> = LazyLock::new(|| {
    let entries = Library::built_in().entries().iter();
    entries
        .map(|entry| {
            Activation::compile(&entry.name, &entry.call(), Some(entry)).expect("a test compiles it")
        })
        .collect()
});

/// Names that a preset gives to formulas.
static OWN: Mutex<Vec<(String, Activation)>> = Mutex::new(Vec::new());

/// An activation as a function of one number, with values of its learned scalars: of x, or of g with u = 1.
#[derive(Clone, Debug, PartialEq)]
pub struct Function {
    pub act: Activation,
    pub scalars: Vec<f64>,
}

impl Function {
    /// The learned scalars by name.
    pub fn named_scalars(&self) -> BTreeMap<String, f64> {
        let names = self.act.program().scalars.iter().map(|scalar| scalar.name.clone());
        names.zip(self.scalars.iter().copied()).collect()
    }

    pub fn value(&self, x: f64) -> f64 {
        self.act.program().value(&[x, 1.0], &self.scalars)
    }

    /// The derivative with respect to the number.
    pub fn derivative(&self, x: f64) -> f64 {
        self.act.program().at(&[x, 1.0], &self.scalars).1[0]
    }
}

impl Activation {
    /// Every activation that has a name: the pointwise functions, then the gated ones.
    pub fn named() -> impl Iterator<Item = Activation> {
        NAMED.iter().copied()
    }

    /// What `--act` takes and a checkpoint saves: `relu`, `swiglu`, `glu:mish` for a gate without a name of its own,
    /// a formula, or `NAME = FORMULA` for one that a preset named.
    pub fn name(self) -> &'static str {
        &self.0.name
    }

    /// The name in tables and charts: short, and different for different activations.
    pub fn label(self) -> &'static str {
        &self.0.label
    }

    /// The label as a part of a file's name.
    pub fn file_name(self) -> String {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
        match self.0.label.chars().all(is_plain) {
            true => self.0.label.replace(':', "-"),
            false => format!("formula_{:08x}", short_hash(self.name())),
        }
    }

    pub fn formula(self) -> &'static str {
        &self.0.formula
    }

    /// Where the function comes from.
    pub fn source(self) -> &'static str {
        self.0.entry.map_or("", |entry| &entry.source)
    }

    /// The name in transformers' `ACT2FN`, which for a gated activation is that of the function in its gate.
    pub fn transformers(self) -> Option<&'static str> {
        self.0.entry?.transformers.as_deref()
    }

    pub fn program(self) -> &'static Program {
        &self.0.program
    }

    pub fn is_gated(self) -> bool {
        self.0.program.is_gated
    }

    /// The function of the gate alone where there is one: `silu` for swiglu. Else the label.
    pub fn gate_label(self) -> &'static str {
        self.0
            .entry
            .and_then(|entry| entry.gate.as_deref())
            .unwrap_or_else(|| self.label().trim_start_matches("glu:"))
    }

    /// Whether it is a function of the gate times u.
    pub fn multiplies_by_up(self) -> bool {
        self.0.entry.is_some_and(|entry| entry.gate.is_some()) || self.name().starts_with("glu:")
    }

    /// f(g) u for an f(x); nothing for what has a gate, and for a formula without a name.
    pub fn gated(self) -> Option<Activation> {
        if self.is_gated() { None } else { format!("glu:{}", self.name()).parse().ok() }
    }

    /// With the initial values of the learned scalars.
    pub fn function(self) -> Function {
        Function { act: self, scalars: self.program().initial() }
    }

    /// Matrices in the FFN: up and down, and the gate where there is one.
    pub fn ffn_matrices(self) -> usize {
        if self.is_gated() { 3 } else { 2 }
    }

    /// The FFN hidden size that gives (nearly) the parameters of an ungated FFN of 4 `dim`:
    /// 4 `dim` itself, or 8/3 `dim` to the nearest multiple of 8 where there is a gate.
    pub fn ffn_dim(self, dim: usize) -> usize {
        if !self.is_gated() {
            return 4 * dim;
        }
        let eighths = (8.0 * dim as f64 / 3.0 / 8.0).round() as usize;
        8 * eighths.max(1)
    }

    /// Gives a formula a name for this process, as the table `[activations]` of a preset does.
    ///
    /// # Errors
    /// If the name isn't one, or has a meaning already.
    pub fn define(name: &str, formula: &str) -> Result<()> {
        let is_name = name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_');
        if !is_name || parse::is_known(name) {
            bail_input!("[activations] '{name}': use a new name of small letters, digits and '_'");
        }
        let activation = format!("{name} = {formula}").parse()?;
        let mut own = OWN.lock().unwrap_or_else(PoisonError::into_inner);
        own.retain(|(known, _)| known != name);
        own.push((name.to_string(), activation));
        Ok(())
    }

    fn compile(name: &str, formula: &str, entry: Option<&'static Entry>) -> Result<Activation> {
        let program = Program::compile(formula, Library::built_in()).map_err(|problem| {
            let column = 1 + formula[..problem.at].chars().count();
            input_error!("column {column} of '{formula}': {}", problem.message)
        })?;
        let (label, formula) = match (entry, name.split_once(" = ").filter(|_| !name.starts_with(formula))) {
            (Some(entry), _) if entry.name == name => (name.to_string(), entry.formula.clone()),
            (Some(_), _) => (name.to_string(), formula.to_string()),
            (None, Some((own, _))) => (own.to_string(), formula.to_string()),
            (None, None) => (short(formula), formula.to_string()),
        };
        let compiled = Compiled { name: name.to_string(), label, formula, entry, program };
        let mut known = COMPILED.lock().unwrap_or_else(PoisonError::into_inner);
        let known = known.get_or_insert_default().entry(name.to_string());
        Ok(*known.or_insert_with(|| Activation(Box::leak(Box::new(compiled)))))
    }

    /// The activation of a word: a name, an alias, or `glu:NAME`.
    fn word(word: &str) -> Option<Activation> {
        let named = |name: &str| {
            Activation::named().find(|act| act.0.entry.is_some_and(|entry| entry.is_called(name)))
        };
        let own = OWN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, activation)) = own.iter().find(|(name, _)| name == word) {
            return Some(*activation);
        }
        let lower = word.to_ascii_lowercase();
        let Some(gate) = lower.strip_prefix("glu:") else { return named(&lower) };
        let gate = named(gate).filter(|gate| !gate.is_gated())?;
        let is_its =
            |act: &Activation| act.0.entry.and_then(|entry| entry.gate.as_deref()) == Some(gate.name());
        let formula = format!("{}(g) * u", gate.name());
        let new = || Activation::compile(&format!("glu:{}", gate.name()), &formula, gate.0.entry).ok();
        Activation::named().find(is_its).or_else(new)
    }

    /// The named activation with this program, if there is one.
    fn of_program(program: &Program) -> Option<Activation> {
        Activation::named().find(|act| act.program().computes_like(program))
    }
}

/// The longest formula that is its own label.
const LABEL: usize = 24;

/// A formula, or its beginning and a hash.
fn short(formula: &str) -> String {
    if formula.chars().count() <= LABEL {
        return formula.to_string();
    }
    let start: String = formula.chars().take(LABEL - 6).collect();
    format!("{}\u{2026}{:04x}", start.trim_end(), short_hash(formula) & 0xffff)
}

/// FNV-1a.
fn short_hash(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

impl PartialEq for Activation {
    fn eq(&self, other: &Activation) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Activation {}

impl Hash for Activation {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}

impl fmt::Debug for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The label.
impl fmt::Display for Activation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.label())
    }
}

impl FromStr for Activation {
    type Err = anyhow::Error;

    /// # Errors
    /// For an unknown name, or a formula with a mistake; the message names the column.
    fn from_str(text: &str) -> Result<Self> {
        let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
        if let Some(activation) = Activation::word(&text) {
            return Ok(activation);
        }
        let is_word = |text: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || "_:".contains(c));
        if is_word(&text) && !tokens::VARIABLES.contains(&text.as_str()) && text.parse::<f64>().is_err() {
            let hint = did_you_mean(&text.to_ascii_lowercase(), Activation::named().map(Activation::name));
            bail_input!(
                "unknown activation '{text}'{hint}; `tinygpt acts` lists the names, or write a formula of x"
            )
        }
        let (label, formula) = match text.split_once('=') {
            Some((label, formula)) if is_word(label.trim()) && !formula.starts_with('=') => {
                (label.trim(), formula.trim())
            }
            _ => ("", text.as_str()),
        };
        let name = if label.is_empty() { formula.to_string() } else { format!("{label} = {formula}") };
        let activation = Activation::compile(&name, formula, None)?;
        Ok(Activation::of_program(activation.program()).unwrap_or(activation))
    }
}

impl serde::Serialize for Activation {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name())
    }
}

impl<'de> serde::Deserialize<'de> for Activation {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <String as serde::Deserialize>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests;
