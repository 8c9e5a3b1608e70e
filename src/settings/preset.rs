//! Presets: the files of `models/`, compiled in, and files of the user's own.

use super::Settings;
use crate::activation::Activation;
use crate::support::failure::did_you_mean;
use crate::{bail_input, input_error};
use anyhow::Result;
use std::path::Path;

/// A named preset: TOML whose keys are the flags of `tinygpt train`.
pub struct Preset {
    pub name: &'static str,
    text: &'static str,
}

macro_rules! presets {
    ($($name:literal),*) => {
        /// The presets compiled in; `default` comes first and fills what the others leave open.
        pub const PRESETS: &[Preset] = &[$(Preset {
            name: $name,
            text: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/models/", $name, ".toml")),
        }),*];
    };
}
presets!("default", "shakespeare-char", "small-10m", "stories260k", "gpt2");

/// Models that are too large to train here. `tinygpt inspect --model` counts their parameters.
pub const SHAPES: &[Preset] =
    &[Preset { name: "gpt3-175b", text: include_str!("../../models/shapes/gpt3-175b.toml") }];

/// What `--init` starts from. It has no model and can't be chosen by name.
pub const FINE_TUNE: Preset = Preset {
    name: "fine-tune",
    text: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/models/fine-tune.toml")),
};

impl Preset {
    pub fn settings(&self) -> Result<Settings> {
        parse(self.text, self.name)
    }

    /// Its first line: what the preset is for.
    pub fn purpose(&self) -> &'static str {
        self.text.lines().next().unwrap_or_default().trim_start_matches("# ")
    }
}

impl Settings {
    /// The settings that `--init` starts from, completed by the preset `default`.
    pub fn fine_tuning() -> Result<Settings> {
        Ok(FINE_TUNE.settings()?.over(&PRESETS[0].settings()?))
    }

    /// The settings of a model to count: a preset, or one of [`SHAPES`], completed by the preset `default`.
    pub fn shape(name: &str) -> Result<Settings> {
        match SHAPES.iter().find(|shape| shape.name == name) {
            Some(shape) => Ok(shape.settings()?.over(&PRESETS[0].settings()?)),
            None => Settings::preset(name),
        }
    }

    /// The settings of `--model NAME|FILE`, completed by the preset `default`.
    pub fn preset(name: &str) -> Result<Settings> {
        let default = PRESETS[0].settings()?;
        if let Some(preset) = PRESETS.iter().find(|preset| preset.name == name) {
            return Ok(preset.settings()?.over(&default));
        }
        let path = Path::new(name);
        if path.extension().is_some_and(|extension| extension == "toml") || path.is_file() {
            let text = std::fs::read_to_string(path)
                .map_err(|error| input_error!("cannot read preset {name}: {error}"))?;
            define(&text, name)?;
            return Ok(parse(&text, name)?.over(&default));
        }
        if SHAPES.iter().any(|shape| shape.name == name) {
            bail_input!(
                "{name} is too large to train; `tinygpt inspect --model {name}` counts its parameters"
            );
        }
        let names: Vec<&str> = PRESETS.iter().map(|preset| preset.name).collect();
        let hint = did_you_mean(name, names.iter().copied());
        bail_input!("unknown preset '{name}'{hint}; known: {}, or a .toml file", names.join(", "))
    }
}

/// Defines the activations of a preset's table `[activations]`, which the flags may then name. A preset that can't be
/// read defines nothing: reading its settings tells why.
pub fn define_activations(name: &str) -> Result<()> {
    std::fs::read_to_string(name).map_or(Ok(()), |text| define(&text, name))
}

fn define(text: &str, name: &str) -> Result<()> {
    let Ok(table) = toml::from_str::<toml::Table>(text) else { return Ok(()) };
    let Some(activations) = table.get("activations").and_then(toml::Value::as_table) else { return Ok(()) };
    for (own, formula) in activations {
        let Some(formula) = formula.as_str() else {
            bail_input!("preset {name}: activation {own} isn't a formula in quotation marks");
        };
        Activation::define(own, formula).map_err(|error| input_error!("preset {name}: {error}"))?;
    }
    Ok(())
}

fn parse(text: &str, name: &str) -> Result<Settings> {
    let refused = |error: toml::de::Error| {
        let line = 1 + error.span().map_or(0, |span| text[..span.start].matches('\n').count());
        input_error!("preset {name}, line {line}: {}", error.message())
    };
    let settings: Settings = toml::from_str(text).map_err(refused)?;
    if settings.steps.is_some() && settings.epochs.is_some() {
        bail_input!("preset {name} sets both steps and epochs; keep one");
    }
    // JSON, the format of saved settings, has only finite numbers.
    let table: toml::Table = toml::from_str(text).map_err(refused)?;
    let is_infinite = |value: &toml::Value| value.as_float().is_some_and(|number| !number.is_finite());
    if let Some((key, _)) = table.iter().find(|(_, value)| is_infinite(value)) {
        bail_input!("preset {name}: {key} isn't a finite number");
    }
    settings.check().map_err(|error| input_error!("preset {name}: {error}"))?;
    Ok(settings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Recipe;
    use clap::{Arg, Args, Command};
    use std::any::TypeId;

    #[test]
    fn every_preset_is_valid_and_starts_with_its_purpose() {
        for preset in PRESETS {
            let settings = Settings::preset(preset.name).unwrap();
            Recipe::new(settings).unwrap_or_else(|error| panic!("{}: {error}", preset.name));
            assert!(preset.text.starts_with("# "), "{}", preset.name);
        }
    }

    #[test]
    fn unknown_preset_keys_are_rejected_with_their_line() {
        let error = parse("# mine\nlayers = 2\nlayerz = 3\n", "mine.toml").unwrap_err().to_string();
        assert!(error.contains("mine.toml, line 3") && error.contains("layerz"), "{error}");
    }

    /// Every number that a preset can hold, far above what its flag takes.
    #[test]
    fn preset_values_have_the_same_bounds_as_flags() {
        let flags = Settings::augment_args(Command::new("settings"));
        let is = |arg: &Arg, number| arg.get_value_parser().type_id() == number;
        // A seed may be as large as TOML has numbers.
        let whole = |arg: &Arg| is(arg, TypeId::of::<usize>());
        let mut found = 0;
        for arg in flags.get_arguments().filter(|arg| whole(arg) || is(arg, TypeId::of::<f64>())) {
            let value = if whole(arg) { "9223372036854775807" } else { "1e300" };
            let name = arg.get_long().unwrap();
            let error = parse(&format!("{name} = {value}\n"), "mine.toml").unwrap_err().to_string();
            assert!(error.starts_with("preset mine.toml: "), "{error}");
            assert!(error.contains(&format!("--{name}")) && error.contains("between"), "{error}");
            found += 1;
        }
        assert!(found > 20, "{found}");
    }

    #[test]
    fn flags_override_preset_keys() {
        let flags = Settings { layers: Some(9), ..Settings::default() };
        let merged = flags.over(&Settings::preset("shakespeare-char").unwrap());
        assert_eq!((merged.layers, merged.dim), (Some(9), Some(128)));
    }

    #[test]
    fn epochs_override_preset_steps() {
        let flags = Settings { epochs: Some(2.0), ..Settings::default() };
        let merged = flags.over(&Settings::preset("default").unwrap());
        assert_eq!((merged.steps, merged.epochs), (None, Some(2.0)));
    }
}
