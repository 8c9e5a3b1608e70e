//! What tells an arm from the others.

use crate::activation::Activation;
use crate::settings::Settings;
use crate::support::numbers::setting;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::Value;
use std::fmt;
use std::sync::{LazyLock, Mutex, PoisonError};

/// An activation and the other settings in which arms differ. Equal variants are one object, as with [`Activation`].
#[derive(Clone, Copy)]
pub struct Variant(&'static Varied);

struct Varied {
    act: Activation,
    /// Without the activation.
    with: Settings,
    label: String,
}

static KNOWN: LazyLock<Mutex<Vec<Variant>>> = LazyLock::new(Mutex::default);

impl Variant {
    pub fn new(act: Activation, with: Settings) -> Variant {
        let with = Settings { act: None, ..with };
        let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(&found) = known.iter().find(|known| known.act() == act && known.0.with == with) {
            return found;
        }
        let others = with.to_map();
        let label =
            [act.label().to_string()].into_iter().chain(others.iter().map(|(key, value)| said(key, value)));
        let variant =
            Variant(Box::leak(Box::new(Varied { act, label: label.collect::<Vec<_>>().join(" "), with })));
        known.push(variant);
        variant
    }

    pub fn act(self) -> Activation {
        self.0.act
    }

    /// The name in tables and charts: `swiglu`, `swiglu muon`, `swiglu dim 64`.
    pub fn label(self) -> &'static str {
        &self.0.label
    }

    /// The label as a part of a directory's name: `swiglu`, `swiglu+dim=64`.
    pub fn file_name(self) -> String {
        let others = self.0.with.to_map();
        let others = others.iter().map(|(key, value)| format!("+{key}={}", written(value)));
        self.act().file_name() + &others.collect::<String>()
    }

    /// What its runs are told beyond what all runs are told.
    pub fn settings(self) -> Settings {
        Settings { act: Some(self.act()), ..self.0.with.clone() }
    }

    /// Its value of a setting.
    pub fn value(self, key: &str) -> Option<Value> {
        self.settings().to_map().remove(key)
    }

    /// This variant with another's value of a setting.
    pub fn with_value_of(self, key: &str, other: Variant) -> Variant {
        let mut map = self.settings().to_map();
        map.insert(key.to_string(), other.value(key).unwrap_or_default());
        let settings: Settings = serde_json::from_value(map.into()).unwrap_or_default();
        Variant::new(settings.act.unwrap_or(self.act()), settings)
    }

    /// Its value of a setting in words.
    pub fn said(self, key: &str) -> String {
        match key {
            "act" => self.act().label().to_string(),
            key => said(key, &self.value(key).unwrap_or_default()),
        }
    }
}

fn written(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) if number.is_f64() => setting(number.as_f64().unwrap_or(f64::NAN)),
        value => value.to_string(),
    }
}

/// A word speaks for itself, a number needs its setting's name.
fn said(key: &str, value: &Value) -> String {
    if value.is_string() { written(value) } else { format!("{key} {}", written(value)) }
}

impl From<Activation> for Variant {
    fn from(act: Activation) -> Variant {
        Variant::new(act, Settings::default())
    }
}

impl PartialEq for Variant {
    fn eq(&self, other: &Variant) -> bool {
        std::ptr::eq(self.0, other.0)
    }
}

impl Eq for Variant {}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.label())
    }
}

impl fmt::Debug for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.label())
    }
}

/// An activation alone is its name, as tinygpt 0.1 wrote it; anything else is a list of settings.
impl Serialize for Variant {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.0.with == Settings::default() {
            true => self.act().serialize(serializer),
            false => self.settings().serialize(serializer),
        }
    }
}

impl<'de> Deserialize<'de> for Variant {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Variant, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged)]
        enum Saved {
            Name(Activation),
            Settings(Box<Settings>),
        }
        match Saved::deserialize(deserializer)? {
            Saved::Name(act) => Ok(act.into()),
            Saved::Settings(settings) => match settings.act {
                Some(act) => Ok(Variant::new(act, *settings)),
                None => Err(serde::de::Error::custom("an arm without an activation")),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variants_keep_their_settings_and_an_activation_alone_is_its_name() {
        let swiglu: Activation = "swiglu".parse().unwrap();
        let wide = Variant::new(swiglu, Settings { dim: Some(64), lr: Some(3e-3), ..Settings::default() });
        assert_eq!(
            (wide.label(), wide.file_name()),
            ("swiglu dim 64 lr 3e-3", "swiglu+dim=64+lr=3e-3".to_string())
        );
        for variant in [wide, swiglu.into()] {
            let saved = serde_json::to_string(&variant).unwrap();
            assert_eq!(serde_json::from_str::<Variant>(&saved).unwrap(), variant, "{saved}");
        }
        assert_eq!(serde_json::to_string(&Variant::from(swiglu)).unwrap(), "\"swiglu\"");
        let narrow = wide
            .with_value_of("dim", Variant::new(swiglu, Settings { dim: Some(32), ..Settings::default() }));
        assert_eq!(narrow.label(), "swiglu dim 32 lr 3e-3");
    }
}
