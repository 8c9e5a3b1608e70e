//! Every numeric flag of every command must have bounds.

use super::command::Cli;
use clap::error::ErrorKind;
use clap::{Arg, Command, CommandFactory, Error};
use std::any::TypeId;

/// Every numeric flag with its command.
fn numeric_flags() -> Vec<(Command, Arg)> {
    let top = Cli::command();
    let commands: Vec<Command> = std::iter::once(top.clone()).chain(top.get_subcommands().cloned()).collect();
    let flags = |command: Command| {
        let flags: Vec<Arg> = command.get_arguments().filter(|arg| is_numeric(arg)).cloned().collect();
        flags.into_iter().map(move |flag| (command.clone(), flag))
    };
    commands.into_iter().flat_map(flags).collect()
}

fn is_numeric(arg: &Arg) -> bool {
    let is = |number: TypeId| arg.get_value_parser().type_id() == number;
    let whole = [TypeId::of::<usize>(), TypeId::of::<u64>(), TypeId::of::<u32>(), TypeId::of::<i64>()];
    let real = [TypeId::of::<f64>(), TypeId::of::<f32>()];
    whole.into_iter().chain(real).any(is)
}

/// clap's error for a value, unless it is about missing flags.
fn refusal(command: &Command, flag: &Arg, value: &str) -> Option<Error> {
    let word = format!("--{}={value}", flag.get_long().expect("a numeric flag has a long name"));
    let parsed = command.clone().try_get_matches_from([command.get_name(), &word]);
    parsed.err().filter(|error| error.kind() == ErrorKind::ValueValidation)
}

/// The range in an error message.
fn range(refusal: &Error) -> (String, String) {
    let text = refusal.to_string();
    let words: Vec<&str> = text.split_whitespace().collect();
    let at = words.iter().position(|word| *word == "between").unwrap_or_else(|| panic!("no range: {text}"));
    (words[at + 1].to_string(), words[at + 3].trim_end_matches(',').to_string())
}

/// A number just outside a range, with the unit of its end: `-1`, `1025`, `10.1GB`.
fn beyond(end: &str, step: f64) -> String {
    let (number, unit) = end.split_at(end.find(['B', 'G', '%']).unwrap_or(end.len()));
    match number.parse::<u128>() {
        Ok(_) if unit.is_empty() && step < 0.0 && number == "0" => "-1".to_string(),
        Ok(number) if unit.is_empty() => number.wrapping_add_signed(step as i128).to_string(),
        _ => {
            let number: f64 = number.parse().unwrap();
            format!("{}{unit}", number + step * number.abs().max(1e-3))
        }
    }
}

#[test]
fn absurd_values_are_refused_with_the_flag_and_its_range() {
    let flags = numeric_flags();
    assert!(flags.len() > 80, "{}", flags.len());
    for (command, flag) in flags {
        let absurd =
            ["nan", "inf", "-inf", "1e400", "-1e400", "99999999999999999999999", "", "ten", "0x10", "-1"];
        for value in absurd {
            let name = format!("{} --{}={value}", command.get_name(), flag.get_long().unwrap());
            let error = refusal(&command, &flag, value).unwrap_or_else(|| panic!("{name} is accepted"));
            let text = error.to_string();
            let first = text.lines().next().unwrap();
            assert_eq!(error.exit_code(), 2, "{name}");
            assert!(first.contains(&format!("--{} ", flag.get_long().unwrap())), "{name}: {text}");
            assert!(first.contains("between"), "{name}: {text}");
            assert_eq!(text.matches("error:").count(), 1, "{name}: {text}");
        }
    }
}

#[test]
fn ranges_are_exact_at_both_ends() {
    for (command, flag) in numeric_flags() {
        let (low, high) = range(&refusal(&command, &flag, "nan").unwrap());
        for (end, step) in [(&low, -1.0), (&high, 1.0)] {
            let name = format!("{} --{}={end}", command.get_name(), flag.get_long().unwrap());
            assert!(refusal(&command, &flag, end).is_none(), "{name} is refused");
            let beyond = beyond(end, step);
            assert!(refusal(&command, &flag, &beyond).is_some(), "{name}: {beyond} is accepted");
        }
    }
}
