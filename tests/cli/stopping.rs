//! Ctrl-C: not an error; the last line is the command that resumes.
#![cfg(unix)]

use super::saving::wait_for;
use super::*;
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, Command as Process, Stdio};

fn start(folder: &TempDir, flags: &[String]) -> Child {
    let mut process = Process::new(env!("CARGO_BIN_EXE_tinygpt"));
    process.current_dir(folder.path()).args(flags);
    process.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn interrupt(process: &Child) {
    let sent = Process::new("kill").args(["-s", "INT", &process.id().to_string()]).status();
    assert!(sent.unwrap().success());
}

/// Interrupts a process as soon as it writes a line with `sign` to standard error. It must exit with 130 and without
/// an error. Returns the lines after `sign`.
fn interrupted_at(mut process: Child, sign: &str) -> String {
    let mut lines = BufReader::new(process.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains(sign) {
        line.clear();
        assert!(lines.read_line(&mut line).unwrap() > 0, "it ended before it wrote '{sign}'");
    }
    interrupt(&process);
    let mut rest = String::new();
    lines.read_to_string(&mut rest).unwrap();
    assert_eq!(process.wait().unwrap().code(), Some(130), "{rest}");
    assert!(!rest.contains("error:"), "{rest}");
    rest
}

/// The last line of `told`: a command.
fn command(told: &str) -> &str {
    let last = told.lines().last().unwrap();
    last.strip_prefix("    tinygpt ").unwrap_or_else(|| panic!("{last} is no command:\n{told}"))
}

/// Pastes a command into a shell, with more flags.
fn paste(folder: &TempDir, command: &str, more: &str) -> String {
    let mut shell = Command::new("sh");
    shell.current_dir(folder.path()).env("TINYGPT", env!("CARGO_BIN_EXE_tinygpt"));
    succeed(shell.args(["-c", &format!("\"$TINYGPT\" {command} {more}")]))
}

fn words(flags: &[&str]) -> Vec<String> {
    flags.iter().map(ToString::to_string).collect()
}

#[test]
fn an_interrupted_run_says_what_is_saved_and_how_to_resume() {
    let folder = folder();
    let endless = small_but(&["--steps", "1000000", "--eval-every", "0", "--out", "my run"]);
    let told = interrupted_at(start(&folder, &endless), "step 1/");
    assert!(told.contains("\nInterrupted. Step ") || told.starts_with("Interrupted. Step "), "{told}");
    assert!(told.contains(" of 1,000,000 is saved. Resume with:\n\n    tinygpt"), "{told}");
    assert_eq!(command(&told), "train --resume 'my run'");
    let state: Value = serde_json::from_slice(&read(&folder, "my run/last/trainer.json")).unwrap();
    let steps = number(&state, "step") + 3.0;
    let resumed = paste(&folder, command(&told), &format!("--steps {steps} --json"));
    assert_eq!(number(&last_line(&resumed), "steps"), steps);
}

#[test]
fn an_interrupted_comparison_says_what_is_saved_and_how_to_resume() {
    let folder = folder();
    let own = ["compare", "--acts", "relu,gelu", "--seeds", "1", "--force", "--out", "cmp"];
    let flags = [words(&own), small_but(&["--steps", "3000", "--eval-every", "0"])].concat();
    // At the second run, one is finished and one is in progress.
    let told = interrupted_at(start(&folder, &flags), "[2/2] gelu seed 1  step 1/");
    assert!(told.contains("Interrupted. 1 of 2 runs are finished"), "{told}");
    let finished = read(&folder, "cmp/results.jsonl");
    assert!(exists(&folder, "cmp/gelu-seed1/last/trainer.json"));
    // The original command had --force, which would delete the saved runs.
    assert!(!command(&told).contains("--force") && command(&told).contains("--out cmp"), "{told}");
    let report = last_line(&paste(&folder, command(&told), "--json"));
    assert_eq!(report["results"].as_array().unwrap().len(), 2);
    assert!(read(&folder, "cmp/results.jsonl").starts_with(&finished));
}

/// Every worker gets two signals, one from the terminal and one from its parent, and still saves.
#[test]
fn workers_save_and_only_the_parent_prints() {
    let folder = folder();
    let own = ["compare", "--acts", "relu,gelu", "--seeds", "1", "--jobs", "2", "--out", "cmp"];
    let flags = [words(&own), small_but(&["--steps", "1000000", "--eval-every", "0"])].concat();
    let told = interrupted_at(start(&folder, &flags), "  step 1/");
    assert_eq!(told.matches("Interrupted").count(), 1, "{told}");
    assert!(command(&told).starts_with("compare "), "{told}");
    assert!(
        ["relu", "gelu"].iter().any(|act| exists(&folder, &format!("cmp/{act}-seed1/last/trainer.json"))),
        "{told}"
    );
}

#[test]
fn interrupted_claims_reuse_the_saved_models() {
    let folder = folder();
    let flags = words(&["claims", "--steps", "1000000", "--only", "path", "--threads", "1"]);
    let told = interrupted_at(start(&folder, &flags), "  step 1/");
    assert!(told.contains("Interrupted. ") && told.contains("saved"), "{told}");
    assert_eq!(command(&told), "claims --steps 1000000 --only path --threads 1");
}

#[test]
fn interrupting_generate_is_not_an_error() {
    let folder = folder();
    train(&folder, &["--out", "run"]);
    // With temperature 0 the model never generates the end-of-text token.
    let flags =
        words(&["generate", "--checkpoint", "run", "--temperature", "0", "--max-tokens", "100000000"]);
    let mut process = start(&folder, &flags);
    // Wait for the prompt.
    process.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
    interrupt(&process);
    let output = process.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130));
    assert_eq!(String::from_utf8(output.stderr).unwrap(), "Interrupted before anything new was saved.\n");
}

#[cfg(target_os = "linux")]
#[test]
fn interrupted_commands_say_if_nothing_is_saved() {
    let folder = folder();
    train(&folder, &["--out", "run"]);
    for flags in [
        // These wait for a text on standard input.
        &["train", "--data", "-", "--out", "new"][..],
        &["compare", "--data", "-", "--out", "new"],
        &["eval", "--checkpoint", "run", "--data", "-"],
        &["inspect", "--checkpoint", "run", "--data", "-"],
        &["bench", "--seconds", "3600"],
        &["data", "tales", "--bytes", "10GB", "--out", "tales.txt"],
    ] {
        let process = start(&folder, &words(flags));
        while !catches_interrupts(&process) {
            std::thread::yield_now();
        }
        interrupt(&process);
        let output = process.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(130), "{flags:?}");
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(told.ends_with("Interrupted before anything new was saved.\n"), "{flags:?}: {told}");
        assert!(!exists(&folder, "new") && !exists(&folder, "tales.txt"), "{flags:?}");
    }
}

/// True if a process handles SIGINT: signal 2, bit 1 of the mask.
#[cfg(target_os = "linux")]
fn catches_interrupts(process: &Child) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
    u64::from_str_radix(caught.trim(), 16).unwrap() & 2 != 0
}

/// A real Ctrl-C: the terminal prints ^C into the bar and signals every foreground process.
#[test]
fn the_resume_advice_replaces_the_bar_on_a_terminal() {
    let folder = folder();
    let endless = small_but(&["--steps", "1000000", "--eval-every", "0", "--out", "run"]);
    let Some(mut terminal) = super::terminal::terminal(&folder, &endless) else { return };
    let mut process = terminal.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut output = process.stdout.take().unwrap();
    let (mut shown, mut byte) = (Vec::new(), [0]);
    // Wait until the bar shows a step.
    while !shown.ends_with(b"loss ") {
        output.read_exact(&mut byte).unwrap();
        shown.push(byte[0]);
    }
    process.stdin.as_mut().unwrap().write_all(b"\x03").unwrap();
    output.read_to_end(&mut shown).unwrap();
    assert_eq!(process.wait().unwrap().code(), Some(130));
    let shown = String::from_utf8(shown).unwrap();
    let (before, advice) = shown.split_once("Interrupted. ").unwrap();
    assert!(before.trim_end_matches(['\r', '\n']).ends_with(super::terminal::ERASE_LINE), "{shown:?}");
    assert!(
        advice.contains(" is saved. Resume with:\r\n\r\n    tinygpt train --resume run\r\n"),
        "{advice:?}"
    );
    // The bar isn't drawn over the advice.
    assert!(!advice.contains('\x1b') && advice.ends_with("run\r\n"), "{advice:?}");
}

/// Workers stop even if the parent can't signal them.
#[cfg(target_os = "linux")]
#[test]
fn workers_stop_when_their_parent_dies() {
    let folder = folder();
    let comparing =
        [SMALL, &["--steps", "1000000", "--acts", "relu,gelu", "--seeds", "1", "--jobs", "2"]].concat();
    let mut parent =
        start(&folder, &words(&[&["compare"], comparing.as_slice(), &["--out", "cmp"]].concat()));
    let workers = || {
        let here =
            |id: &str| std::fs::read_link(format!("/proc/{id}/cwd")).is_ok_and(|cwd| cwd == folder.path());
        let names = std::fs::read_dir("/proc").unwrap().flatten();
        names.filter(|name| name.file_name().to_str().is_some_and(here)).count()
    };
    wait_for(|| exists(&folder, "cmp/relu-seed1/last") && exists(&folder, "cmp/gelu-seed1/last"));
    assert_eq!(workers(), 3);
    parent.kill().unwrap();
    parent.wait().unwrap();
    wait_for(|| workers() == 0);
}
