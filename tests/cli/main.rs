//! Tests of the tinygpt binary. Each test runs it in its own directory.

mod acts;
mod arguments;
mod bad_input;
mod bench;
mod caches;
mod card;
mod claims;
mod compare;
mod compare_directories;
mod copies;
mod default_run;
mod determinism;
mod downloads;
mod earlier;
mod elsewhere;
mod encodings;
mod environment;
mod eval;
mod following;
mod formulas;
mod generate;
mod gguf;
mod hub;
mod imports;
mod inspect;
mod inspect_pages;
mod japanese;
mod kinds;
mod manners;
mod memory;
mod muon;
mod numbers;
mod outputs;
mod ownership;
mod report;
mod resume;
mod saving;
mod settings;
mod snapshots;
mod sources;
mod stopping;
mod tales;
mod tensorboard;
mod terminal;
mod tls;
mod tokenizers;
mod train;
mod transformers;
mod untrusted;
mod waiting;
mod widths;

use assert_cmd::Command;
use serde_json::Value;
use std::path::Path;
use tempfile::TempDir;

/// tinygpt, started in `folder`.
fn tinygpt(folder: &TempDir) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tinygpt"));
    command.current_dir(folder.path());
    command.env("TINYGPT_CACHE", folder.path().join("cache"));
    command.env("HF_HOME", folder.path().join("hub"));
    for name in USERS_OWN {
        command.env_remove(name);
    }
    command
}

/// Every command.
const COMMANDS: [&str; 13] = [
    "train",
    "generate",
    "eval",
    "compare",
    "report",
    "inspect",
    "claims",
    "export",
    "acts",
    "bench",
    "runs",
    "data",
    "completions",
];

/// Variables that may be set on the test machine and would change the program's behavior.
const USERS_OWN: &[&str] = &[
    "HF_ENDPOINT",
    "HF_HUB_CACHE",
    "HF_HUB_DISABLE_IMPLICIT_TOKEN",
    "HF_HUB_OFFLINE",
    "HF_TOKEN",
    "HF_TOKEN_PATH",
    "HUGGINGFACE_HUB_CACHE",
    "HUGGING_FACE_HUB_TOKEN",
    "SLURM_ARRAY_TASK_ID",
    "SSL_CERT_FILE",
    "TRANSFORMERS_OFFLINE",
    "ALL_PROXY",
    "all_proxy",
    "HTTPS_PROXY",
    "https_proxy",
    "HTTP_PROXY",
    "http_proxy",
];

/// Flags of a tiny model that trains quickly on `text.txt`.
const SMALL: &[&str] = &[
    "--data",
    "text.txt",
    "--layers",
    "1",
    "--heads",
    "2",
    "--dim",
    "16",
    "--context",
    "16",
    "--batch-size",
    "4",
    "--steps",
    "12",
    "--eval-every",
    "5",
    "--lr",
    "1e-2",
    "--threads",
    "1",
];

/// The flags of the tiny model with some replaced.
fn small_but(flags: &[&str]) -> Vec<String> {
    let kept = SMALL.chunks(2).filter(|pair| !flags.contains(&pair[0])).flatten();
    kept.chain(flags).map(ToString::to_string).collect()
}

/// A directory with `text.txt`: 400 lines of simple English.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    write(&folder, "text.txt", &text(400));
    folder
}

fn text(lines: usize) -> String {
    let animals = ["cat", "dog", "hen", "fox", "owl"];
    let verbs = ["sees", "likes", "hears"];
    let line = |i: usize| {
        format!("the {} {} the {}.\n", animals[i % 5], verbs[i * 7 % 3], animals[(i * 3 + i / 5) % 5])
    };
    (0..lines).map(line).collect()
}

fn write(folder: &TempDir, name: &str, text: &str) {
    std::fs::write(folder.path().join(name), text).unwrap();
}

fn read(folder: &TempDir, name: &str) -> Vec<u8> {
    std::fs::read(folder.path().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Trains the tiny model with more flags. Returns the final `--json` object.
fn train(folder: &TempDir, flags: &[&str]) -> Value {
    last_line(&succeed(tinygpt(folder).arg("train").args(small_but(flags)).arg("--json")))
}

/// Runs a command that must succeed. Returns its standard output.
fn succeed(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?} failed:\n{errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// Runs a command that must fail with `code`. Returns its one-line error.
fn fail(command: &mut Command, code: i32) -> String {
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).to_string();
    assert_eq!(output.status.code(), Some(code), "{command:?}:\n{errors}");
    assert!(!errors.contains("panicked"), "{errors}");
    errors.lines().find(|line| line.starts_with("error:")).unwrap_or_else(|| panic!("{errors}")).to_string()
}

fn last_line(output: &str) -> Value {
    let line = output.lines().last().unwrap_or_default();
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {output}"))
}

fn number(object: &Value, key: &str) -> f64 {
    object[key].as_f64().unwrap_or_else(|| panic!("{key} is no number in {object}"))
}

fn exists(folder: &TempDir, path: &str) -> bool {
    Path::new(folder.path()).join(path).exists()
}

/// A Python script from scripts/, started in `folder`. None if `TINYGPT_PYTHON` isn't set.
fn script(folder: &TempDir, name: &str) -> Option<Command> {
    let Some(python) = std::env::var_os("TINYGPT_PYTHON") else {
        eprintln!("skipped: TINYGPT_PYTHON names no interpreter; scripts/python_env makes one");
        return None;
    };
    let mut command = Command::new(python);
    command.current_dir(folder.path());
    command.arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts").join(name));
    Some(command)
}

/// A Python script that needs a package that scripts/requirements.txt doesn't list. None if it isn't installed.
fn script_with(folder: &TempDir, name: &str, package: &str) -> Option<Command> {
    let command = script(folder, name)?;
    let find = format!("import importlib.util, sys; sys.exit(importlib.util.find_spec('{package}') is None)");
    let found = Command::new(command.get_program()).args(["-c", &find]).output().unwrap().status.success();
    if !found {
        eprintln!("skipped: the Python that TINYGPT_PYTHON names has no {package}");
    }
    found.then_some(command)
}
