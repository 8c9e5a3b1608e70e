//! Rules for every flag of every command, including new ones.

use super::*;
use crate::cli::usage::attach_values;
use clap::builder::Resettable;
use clap::{ArgAction, Command, value_parser};
use std::ffi::OsString;

/// Every command with its name. `None` is training without a command.
fn commands() -> Vec<(Option<String>, Command)> {
    let mut command = command().unwrap();
    command.build();
    let subcommands = command.get_subcommands().filter(|own| own.get_name() != "help");
    let named = subcommands.map(|own| (Some(own.get_name().to_string()), own.clone()));
    named.chain([(None, command.clone())]).collect()
}

fn train() -> Command {
    commands().into_iter().find(|(name, _)| name.as_deref() == Some("train")).unwrap().1
}

/// The flags of a command that need a value.
fn options(command: &Command) -> Vec<&Arg> {
    let needs_value = |arg: &&Arg| arg.get_num_args().is_some_and(|count| count.min_values() == 1);
    command.get_opts().filter(needs_value).collect()
}

fn flag(arg: &Arg) -> String {
    format!("--{}", arg.get_long().unwrap())
}

fn collects(arg: &Arg) -> bool {
    matches!(arg.get_action(), ArgAction::Append)
}

/// The values of a flag after parsing these words. Accepts any text as a value and ignores `requires`.
fn values(command: Option<&str>, arg: &Arg, words: &[&str]) -> Vec<String> {
    let lenient = |arg: Arg| match arg.get_action().takes_values() {
        true => arg.value_parser(value_parser!(OsString)).required(false).requires(Resettable::Reset),
        false => arg,
    };
    let mut parser = super::command().unwrap().mut_args(lenient).mut_subcommands(|own| own.mut_args(lenient));
    parser.build();
    let words = ["tinygpt"].into_iter().chain(command).chain(words.iter().copied());
    let words = attach_values(&parser, words.map(OsString::from).collect());
    let matches = parser.try_get_matches_from(words).unwrap_or_else(|error| panic!("{error}"));
    let own = command.map_or(&matches, |name| matches.subcommand_matches(name).unwrap());
    let raw = own.get_raw(arg.get_id().as_str()).unwrap();
    raw.map(|value| value.to_string_lossy().into_owned()).collect()
}

#[test]
fn clap_accepts_the_definitions() {
    command().unwrap().debug_assert();
}

#[test]
fn the_last_value_of_a_repeated_flag_wins() {
    for (name, command) in commands() {
        for arg in options(&command) {
            let flag = flag(arg);
            let found = values(name.as_deref(), arg, &[&flag, "first", &flag, "last"]);
            let expected = if collects(arg) { vec!["first", "last"] } else { vec!["last"] };
            assert_eq!(found, expected, "{name:?} {flag}");
        }
    }
}

#[test]
fn help_says_which_flags_collect_values() {
    for (name, command) in commands() {
        for arg in options(&command).into_iter().filter(|arg| collects(arg)) {
            let help = arg.get_help().unwrap().to_string();
            assert!(help.contains("more than once"), "{name:?} {}: {help}", flag(arg));
        }
    }
}

#[test]
fn every_flag_accepts_a_value_that_begins_with_a_dash() {
    for (name, command) in commands() {
        for arg in options(&command) {
            for value in ["---", "-1", "-x.txt", "-5 degrees", "--no-such-flag", "-", "--"] {
                assert_eq!(
                    values(name.as_deref(), arg, &[&flag(arg), value]),
                    [value],
                    "{name:?} {}",
                    flag(arg)
                );
            }
        }
    }
}

#[test]
fn a_flag_is_never_taken_as_another_flags_value() {
    for (name, command) in commands() {
        for arg in options(&command) {
            for other in ["--help", "-h", &flag(arg), "--threads=2"] {
                let words: Vec<OsString> = ["tinygpt"]
                    .into_iter()
                    .chain(name.as_deref())
                    .chain([flag(arg).as_str(), other])
                    .map(OsString::from)
                    .collect();
                let mut parser = super::command().unwrap();
                parser.build();
                let known = other != "--threads=2" || command.get_opts().any(|arg| arg.get_id() == "threads");
                if known {
                    assert_eq!(attach_values(&parser, words.clone()), words, "{name:?}");
                }
            }
        }
    }
}

#[test]
fn help_shows_defaults_of_flags_set_by_presets() {
    let defaults = PRESETS[0].settings().unwrap().to_map();
    for (name, command) in commands() {
        for arg in options(&command).into_iter().filter(|arg| !arg.is_hide_set()) {
            let help = arg.get_help().unwrap().to_string();
            let stated =
                help.matches("[default: ").count() + usize::from(!arg.get_default_values().is_empty());
            let expected = usize::from(defaults.contains_key(arg.get_long().unwrap()));
            assert!((expected..=1).contains(&stated), "{name:?} {}: {help}", flag(arg));
        }
    }
    let train = train();
    for (key, value) in &defaults {
        let arg = train.get_opts().find(|arg| arg.get_long() == Some(key)).unwrap();
        let help = arg.get_help().unwrap().to_string();
        assert!(help.ends_with(&format!("[default: {}]", plain(value))), "--{key}: {help}");
    }
}

#[test]
fn help_lists_every_preset_with_its_purpose_and_its_keys() {
    let help = train().term_width(10_000).render_long_help().to_string();
    for preset in PRESETS {
        assert!(help.contains(preset.purpose()), "{}", preset.name);
    }
    for (name, preset) in PRESETS.iter().map(|preset| (preset.name, preset)).chain([("--init", &FINE_TUNE)]) {
        let line = help.lines().find(|line| line.starts_with(&format!("  {name}: "))).unwrap_or_default();
        for (key, value) in preset.settings().unwrap().to_map() {
            assert!(line.contains(&format!("{key} {}", plain(&value))), "{name}: {key}");
        }
    }
}

#[test]
fn flags_never_have_only_one_possible_value() {
    for (name, command) in commands() {
        for arg in options(&command) {
            assert_ne!(arg.get_possible_values().len(), 1, "{name:?} {}", flag(arg));
        }
    }
}
