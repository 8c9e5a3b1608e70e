//! Bounds of numbers. Each stands next to its flag, and holds for presets and saved settings too.

use super::Settings;
use crate::input_error;
use anyhow::Result;
use clap::{Args, Command};
use std::fmt::Debug;
use std::ops::RangeInclusive;
use std::str::FromStr;

/// Steps, and whatever is counted in steps. Far above what can be trained here.
pub const MOST_STEPS: usize = 1_000_000_000;
/// Things of which thousands would do: sequences of a batch, checkpoints kept, texts written.
pub const MANY: usize = 1 << 20;
/// The largest number that a preset, which is TOML, can hold.
pub const LARGEST_SEED: u64 = i64::MAX as u64;
/// More than any machine that this runs on has.
pub const MOST_THREADS: usize = 1024;

/// A type of number that a flag can have.
pub trait Number: FromStr + PartialOrd + Copy + Debug + Send + Sync + 'static {
    /// What an error calls it.
    const KIND: &str;
}

impl Number for usize {
    const KIND: &str = "a whole number";
}

impl Number for u64 {
    const KIND: &str = "a whole number";
}

impl Number for f64 {
    const KIND: &str = "a number";
}

/// A parser, for clap, of numbers in `range`. Anything else, NaN included, is refused with the range.
pub fn within<T: Number>(
    range: RangeInclusive<T>,
) -> impl Fn(&str) -> Result<T, String> + Clone + Send + Sync + 'static {
    move |text| match text.trim().parse::<T>() {
        Ok(number) if range.contains(&number) => Ok(number),
        _ => Err(format!("it must be {} between {:?} and {:?}", T::KIND, range.start(), range.end())),
    }
}

impl Settings {
    /// Refuses numbers outside the bounds of their flags: clap has not seen those of presets and saved runs.
    pub fn check(&self) -> Result<()> {
        let flags = Settings::augment_args(Command::new("settings").no_binary_name(true));
        let has_flag = |name: &str| flags.get_arguments().any(|flag| flag.get_long() == Some(name));
        let numbers = self.to_map().into_iter().filter(|(name, value)| value.is_number() && has_flag(name));
        let words: Vec<String> = numbers.map(|(name, value)| format!("--{name}={value}")).collect();
        flags.try_get_matches_from(words).map_err(|error| {
            let text = error.to_string();
            input_error!("{}", text.lines().next().unwrap_or_default().trim_start_matches("error: "))
        })?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_outside_the_bounds_are_rejected() {
        let (count, share) = (within(1..=1024_usize), within(0.0..=0.99));
        assert_eq!([count("1"), count(" 1024 ")], [Ok(1), Ok(1024)]);
        assert_eq!([share("0"), share("9e-1")], [Ok(0.0), Ok(0.9)]);
        for text in ["0", "1025", "-1", "1.5", "1e2", "18446744073709551616", "", "ten"] {
            assert_eq!(
                count(text),
                Err("it must be a whole number between 1 and 1024".to_string()),
                "{text}"
            );
        }
        for text in ["1", "-1e-9", "nan", "inf", "1e400", "-1e400", "", "0,5"] {
            assert_eq!(share(text), Err("it must be a number between 0.0 and 0.99".to_string()), "{text}");
        }
    }
}
