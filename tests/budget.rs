//! The size budget. CONTRIBUTING.md lists it; a change that needs more says what it removes or why the limit moves.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Lines of code in `src/`, without tests, comments and blank lines.
const CODE: usize = 24_670;
/// Commands, not counting `help`.
const COMMANDS: usize = 13;
/// Different flags over all commands.
const FLAGS: usize = 78;
/// Crates that a build compiles.
const CRATES: usize = 204;
/// Size of the installed program in MB.
const INSTALLED: u64 = 25;

const PROGRAM: &str = env!("CARGO_BIN_EXE_tinygpt");

fn help(arguments: &[&str]) -> String {
    let output = Command::new(PROGRAM).args(arguments).arg("--help").output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// The first words of the lines below `heading` in the main help.
fn commands() -> Vec<String> {
    let help = help(&[]);
    let (_, commands) = help.split_once("Commands:\n").unwrap();
    let names = commands.lines().take_while(|line| !line.is_empty());
    // Longer texts continue further to the right.
    let names = names.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    names
        .filter_map(|line| line.split_whitespace().next())
        .map(String::from)
        .filter(|name| name != "help")
        .collect()
}

fn source_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for path in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if path.is_dir() {
            found.extend(source_files(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("tests.rs") {
            found.push(path);
        }
    }
    found
}

#[test]
fn the_code_stays_small() {
    let is_code = |line: &&str| !line.trim().is_empty() && !line.trim().starts_with("//");
    let lines = |path: &PathBuf| {
        let text = fs::read_to_string(path).unwrap();
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        code.lines().filter(is_code).count()
    };
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let lines: usize = source_files(&source).iter().map(lines).sum();
    println!("{lines} lines of code");
    assert!(lines <= CODE, "{lines} lines of code, and the budget is {CODE}");
}

#[test]
fn the_command_line_stays_small() {
    let commands = commands();
    assert!(commands.len() > 5 && commands.len() <= COMMANDS, "{} commands: {commands:?}", commands.len());
    let mut flags = BTreeSet::new();
    for command in &commands {
        for line in help(&[command]).lines() {
            let first = line
                .trim_start()
                .trim_start_matches(|c: char| c != ' ' && !line.trim_start().starts_with("--"));
            if let Some(flag) = first.trim_start().strip_prefix("--") {
                let name = flag.split(|c: char| !c.is_ascii_alphanumeric() && c != '-').next().unwrap();
                flags.insert(name.to_string());
            }
        }
    }
    flags.remove("help");
    println!("{} flags", flags.len());
    assert!(flags.len() > 40 && flags.len() <= FLAGS, "{} flags: {flags:?}", flags.len());
}

#[test]
fn the_program_needs_few_crates() {
    let tree =
        ["tree", "--locked", "--offline", "--edges", "normal,build", "--prefix", "none", "--no-dedupe"];
    let output =
        Command::new(env!("CARGO")).args(tree).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).unwrap();
    // Name and version.
    let crates: BTreeSet<Vec<&str>> =
        tree.lines().filter(|line| !line.is_empty()).map(|line| line.split(' ').take(2).collect()).collect();
    println!("{} crates", crates.len());
    assert!(crates.len() > 50 && crates.len() <= CRATES, "{} crates", crates.len());
}

#[test]
fn the_installed_program_is_small() {
    if cfg!(debug_assertions) {
        return eprintln!("skipped: this isn't a release build");
    }
    let size = fs::metadata(PROGRAM).unwrap().len() / 1_000_000;
    println!("{size} MB");
    assert!(size <= INSTALLED, "{size} MB, and the budget is {INSTALLED}");
}
