//! Out of memory: refused in advance with the limit, or a one-line error and exit code 1.

use super::*;
use std::process::Output;

/// Runs tinygpt with at most `kilobytes` of address space.
fn limited(folder: &TempDir, kilobytes: u64, arguments: &[&str]) -> Output {
    let program = env!("CARGO_BIN_EXE_tinygpt");
    let mut command = Command::new("sh");
    command.current_dir(folder.path());
    command.args(["-c", "ulimit -v \"$0\" && exec \"$@\"", &kilobytes.to_string(), program]).args(arguments);
    command.output().unwrap()
}

/// Checks that the command failed with a one-line error and not by a signal. Returns the error.
fn one_error(output: &Output) -> String {
    let told = String::from_utf8_lossy(&output.stderr).to_string();
    assert!(matches!(output.status.code(), Some(1 | 2)), "{:?}: {told}", output.status);
    assert_eq!(told.lines().filter(|line| line.starts_with("error:")).count(), 1, "{told}");
    assert!(!told.contains("panicked") && !told.contains("backtrace"), "{told}");
    told
}

#[cfg(target_os = "linux")]
#[test]
fn runs_that_do_not_fit_in_memory_are_rejected_with_the_limit() {
    let folder = folder();
    let flags = small_but(&["--dim", "2048", "--layers", "8", "--out", "run"]);
    let output = limited(&folder, 1_000_000, &flags.iter().map(String::as_str).collect::<Vec<_>>());
    let told = one_error(&output);
    assert_eq!(output.status.code(), Some(2), "{told}");
    assert!(told.contains("ulimit -v allows") && told.contains("--batch-size"), "{told}");
    assert!(!exists(&folder, "run"));
}

/// The limits go from far too little memory to enough.
#[cfg(target_os = "linux")]
#[test]
fn running_out_of_memory_is_always_a_one_line_error() {
    let folder = folder();
    // 100 MB of weights.
    let shape = ["--dim", "1024", "--layers", "2", "--steps", "1", "--eval-every", "0", "--out", "run"];
    succeed(tinygpt(&folder).args(small_but(&shape)));
    let mut codes = Vec::new();
    for megabytes in [100, 120, 140, 170, 210, 260, 320, 4000] {
        let flags = ["generate", "--checkpoint", "run", "--max-tokens", "3", "--threads", "1"];
        let output = limited(&folder, megabytes * 1000, &flags);
        if !output.status.success() {
            one_error(&output);
        }
        codes.push(output.status.code().unwrap());
    }
    assert_eq!((codes.first(), codes.last()), (Some(&1), Some(&0)), "{codes:?}");
}

/// Earlier checkpoints stay intact.
#[cfg(target_os = "linux")]
#[test]
fn running_out_of_memory_leaves_no_partial_files() {
    let folder = folder();
    let shape = ["--dim", "512", "--layers", "2", "--steps", "1", "--out", "run"];
    succeed(tinygpt(&folder).args(small_but(&shape)));
    let before = read(&folder, "run/last/model.safetensors");
    for megabytes in [200, 300, 400, 500, 600] {
        let flags = ["train", "--resume", "run", "--steps", "3", "--threads", "1"];
        let output = limited(&folder, megabytes * 1000, &flags);
        if output.status.success() {
            return;
        }
        one_error(&output);
        assert_eq!(read(&folder, "run/last/model.safetensors"), before);
    }
    succeed(tinygpt(&folder).args(["train", "--resume", "run", "--steps", "3"]));
}

#[cfg(target_os = "linux")]
#[test]
fn failing_to_start_threads_is_a_one_line_error() {
    let folder = folder();
    let flags = small_but(&["--threads", "1000", "--out", "run"]);
    let output = limited(&folder, 800_000, &flags.iter().map(String::as_str).collect::<Vec<_>>());
    let told = one_error(&output);
    assert!(told.contains("--threads"), "{told}");
    assert!(!exists(&folder, "run"));
}

/// Attention scores of a whole context would take 256 MB for each of the two heads.
#[cfg(target_os = "linux")]
#[test]
fn a_long_context_uses_the_planned_memory() {
    let folder = folder();
    write(&folder, "text.txt", &text(4000));
    let flags = small_but(&["--context", "8000", "--batch-size", "1", "--steps", "1", "--dry-run"]);
    let output = limited(&folder, 1_500_000, &flags.iter().map(String::as_str).collect::<Vec<_>>());
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
