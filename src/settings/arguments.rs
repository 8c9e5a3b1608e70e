//! How flags read their values: names that completions propose, and lists.

use super::{DeviceKind, PRESETS, Preset, SHAPES, TokenizerKind, within};
use crate::activation::{self, Activation};
use anyhow::{Result, anyhow, bail};
use clap::builder::{PossibleValue, TypedValueParser, ValueParserFactory};
use std::ffi::OsStr;
use std::marker::PhantomData;
use std::ops::Deref;
use std::str::FromStr;

/// Parses a value with `FromStr`. Completions propose `names`, but other values may be valid too.
#[derive(Clone)]
pub struct Proposing<T> {
    names: fn() -> Vec<PossibleValue>,
    value: PhantomData<fn() -> T>,
}

impl<T> Proposing<T> {
    pub fn new(names: fn() -> Vec<PossibleValue>) -> Proposing<T> {
        Proposing { names, value: PhantomData }
    }
}

impl<T> TypedValueParser for Proposing<T>
where
    T: FromStr<Err: Into<Box<dyn std::error::Error + Send + Sync>>> + Clone + Send + Sync + 'static,
{
    type Value = T;

    fn parse_ref(
        &self,
        command: &clap::Command,
        arg: Option<&clap::Arg>,
        value: &OsStr,
    ) -> Result<T, clap::Error> {
        T::from_str.parse_ref(command, arg, value)
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new((self.names)().into_iter()))
    }
}

/// Makes every flag of these types propose the names behind the arrow.
macro_rules! propose {
    ($($type:ty => $names:expr;)*) => {$(
        impl ValueParserFactory for $type {
            type Parser = Proposing<$type>;

            fn value_parser() -> Self::Parser {
                Proposing::new(|| $names.into_iter().map(PossibleValue::new).collect())
            }
        }
    )*};
}

propose! {
    Activation => activations();
    DeviceKind => ["cpu", "cuda", "metal"];
    TokenizerKind => ["char", "bpe:4096"];
    List<Activation> => std::iter::once("all").chain(activations());
}

fn activations() -> impl Iterator<Item = &'static str> {
    Activation::named().map(Activation::name)
}

/// The value of `compare --baseline`: an activation, or a value of another setting in which arms differ.
pub fn arm_name() -> Proposing<String> {
    Proposing::new(|| activations().map(PossibleValue::new).collect())
}

/// The value of `--model`: the name of a preset or of a file.
pub fn preset_name() -> Proposing<String> {
    Proposing::new(|| PRESETS.iter().map(proposed).collect())
}

/// The value of `inspect --model`, which may also be a model that is too large to train.
pub fn shape_name() -> Proposing<String> {
    Proposing::new(|| PRESETS.iter().chain(SHAPES).map(proposed).collect())
}

fn proposed(preset: &Preset) -> PossibleValue {
    PossibleValue::new(preset.name).help(preset.purpose())
}

/// A flag's values, separated by commas, each once. Spaces around a value don't count.
#[derive(Clone, Debug, PartialEq)]
pub struct List<T>(Vec<T>);

/// A value that a [`List`] can hold.
pub trait Item: Sized + PartialEq {
    /// The values that one word of a list stands for.
    fn read(word: &str) -> Result<Vec<Self>>;

    /// The words of a list.
    fn words(text: &str) -> Vec<&str> {
        text.split(',').map(str::trim).collect()
    }
}

impl Item for Activation {
    fn read(word: &str) -> Result<Vec<Activation>> {
        if word == "all" { Ok(Activation::named().collect()) } else { Ok(vec![word.parse()?]) }
    }

    fn words(text: &str) -> Vec<&str> {
        activation::in_list(text)
    }
}

impl Item for f64 {
    fn read(word: &str) -> Result<Vec<f64>> {
        Ok(vec![within(f64::MIN..=f64::MAX)(word).map_err(|_| anyhow!("'{word}' isn't a finite number"))?])
    }
}

impl Item for usize {
    fn read(word: &str) -> Result<Vec<usize>> {
        Ok(vec![word.parse().map_err(|_| anyhow!("'{word}' isn't a whole number of 0 or more"))?])
    }
}

impl Item for String {
    fn read(word: &str) -> Result<Vec<String>> {
        Ok(vec![word.to_string()])
    }
}

impl<T: Item> FromStr for List<T> {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<List<T>> {
        let mut values = Vec::new();
        for (i, word) in T::words(text).into_iter().enumerate() {
            if word.is_empty() {
                bail!("item {} is empty; write the items with one comma between them", i + 1);
            }
            for value in T::read(word)? {
                if !values.contains(&value) {
                    values.push(value);
                }
            }
        }
        Ok(List(values))
    }
}

impl<T> Deref for List<T> {
    type Target = [T];

    fn deref(&self) -> &[T] {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn acts(text: &str) -> Result<Vec<String>> {
        Ok(text.parse::<List<Activation>>()?.iter().map(|act| act.name().to_string()).collect())
    }

    #[test]
    fn lists_ignore_spaces_and_duplicates() {
        assert_eq!(acts(" relu, gelu ,relu").unwrap(), ["relu", "gelu"]);
        assert_eq!(*"1e-3, 0.001, 3e-3".parse::<List<f64>>().unwrap(), [1e-3, 3e-3]);
        assert_eq!(acts("swiglu,all").unwrap().len(), Activation::named().count());
    }

    #[test]
    fn empty_list_items_are_rejected_by_position() {
        for (text, number) in [("", 1), ("relu,", 2), ("relu,,gelu", 2), (" , relu", 1)] {
            let error = acts(text).unwrap_err().to_string();
            assert!(error.contains(&format!("item {number} is empty")), "{text}: {error}");
        }
    }

    #[test]
    fn invalid_list_items_are_named() {
        assert!(acts("relu, geluu").unwrap_err().to_string().contains("did you mean 'gelu'?"));
        assert!("1e-3, nan".parse::<List<f64>>().unwrap_err().to_string().contains("'nan'"));
    }

    #[test]
    fn every_suggested_value_is_accepted() {
        for name in activations() {
            name.parse::<Activation>().unwrap();
        }
        for name in ["char", "bpe:4096"] {
            name.parse::<TokenizerKind>().unwrap();
        }
        for name in ["cpu", "cuda", "metal"] {
            name.parse::<DeviceKind>().unwrap();
        }
    }
}
