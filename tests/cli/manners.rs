//! Conventions of command lines: help, suggestions, completions, pipes.

use super::*;

#[test]
fn every_help_has_an_example() {
    let folder = folder();
    for command in COMMANDS {
        let help = succeed(tinygpt(&folder).args([command, "--help"]));
        assert!(help.contains(&format!("Example: tinygpt {command}")), "{help}");
    }
    let help = succeed(tinygpt(&folder).arg("--help"));
    assert!(
        help.contains("Exit codes: 0 done, 1 failure, 2 wrong usage or input, 3 training diverged, 130"),
        "{help}"
    );
    assert!(COMMANDS.iter().all(|command| help.contains(command)), "{help}");
}

#[test]
fn typos_get_a_suggestion() {
    let folder = folder();
    let error = |flags: &[&str]| {
        let output = tinygpt(&folder).args(flags).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        String::from_utf8(output.stderr).unwrap()
    };
    assert!(error(&["--act", "swigul"]).contains("did you mean 'swiglu'?"));
    assert!(error(&["--model", "shakespear-char"]).contains("did you mean 'shakespeare-char'?"));
    assert!(error(&["--layer", "3"]).contains("--layers"));
}

#[test]
fn a_pipe_gets_no_colors_and_no_progress_bar() {
    let folder = folder();
    let training = [SMALL, &["--out", "run"]].concat();
    for flags in [training.as_slice(), &["--help"], &["--layer", "3"], &["--act", "swigul"], &["acts"]] {
        let output = tinygpt(&folder).env_remove("CLICOLOR_FORCE").args(flags).output().unwrap();
        for stream in [output.stdout, output.stderr] {
            let shown = String::from_utf8_lossy(&stream);
            assert!(!stream.contains(&0x1b) && !stream.contains(&b'\r'), "{flags:?}: {shown}");
        }
    }
}

#[test]
fn completions_contain_the_commands_and_flags() {
    let folder = folder();
    for shell in ["bash", "zsh", "fish"] {
        let script = succeed(tinygpt(&folder).args(["completions", shell]));
        assert!(script.contains("compare") && script.contains("grad-accum"), "{shell}");
    }
}

/// As with `| head`.
#[test]
fn a_closed_pipe_ends_the_command_quietly() {
    let folder = folder();
    let mut process = std::process::Command::new(env!("CARGO_BIN_EXE_tinygpt"))
        .current_dir(folder.path())
        .args(["data", "tales", "--bytes", "5MB"])
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(process.stdout.take());
    let output = process.wait_with_output().unwrap();
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn training_survives_a_closed_standard_error() {
    let folder = folder();
    let mut process = std::process::Command::new(env!("CARGO_BIN_EXE_tinygpt"))
        .current_dir(folder.path())
        .args(small_but(&["--out", "run"]))
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    drop(process.stderr.take());
    process.wait_with_output().unwrap();
    let state: Value = serde_json::from_slice(&read(&folder, "run/last/trainer.json")).unwrap();
    assert_eq!(number(&state, "step"), 12.0);
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_is_an_error_without_a_panic() {
    let folder = folder();
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = std::process::Command::new(env!("CARGO_BIN_EXE_tinygpt"))
        .current_dir(folder.path())
        .args(["acts", "--json"])
        .stdout(full)
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
}
