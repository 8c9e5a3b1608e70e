//! Checkpoints are complete or absent, are checked when read, and never end a run when saving fails.

use super::*;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStderr, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

const FILES: [&str; 6] = [
    "config.json",
    "model.safetensors",
    "optimizer.safetensors",
    "tokenizer.json",
    "tokenizer_config.json",
    "trainer.json",
];

fn flip_a_bit(folder: &TempDir, name: &str) {
    let mut bytes = read(folder, name);
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(folder.path().join(name), bytes).unwrap();
}

#[test]
fn changed_files_are_reported_with_a_checkpoint_to_go_back_to() {
    let folder = folder();
    train(&folder, &["--out", "run", "--keep", "9"]);
    let whole = read(&folder, "run/step-000012/model.safetensors");
    let advice = "remove step-000012 and its run goes on from step-000010, which was saved before it";
    for file in ["model.safetensors", "config.json", "tokenizer.json"] {
        let path = format!("run/step-000012/{file}");
        let before = read(&folder, &path);
        flip_a_bit(&folder, &path);
        for directory in ["run/last", "run/step-000012"] {
            let error = fail(tinygpt(&folder).args(["generate", "--checkpoint", directory]), 2);
            assert!(error.contains(&format!("{file} is not what was saved")), "{error}");
            assert!(error.contains(advice) && error.contains("remove SHA256SUMS"), "{error}");
        }
        std::fs::write(folder.path().join(path), before).unwrap();
    }
    for file in ["optimizer.safetensors", "trainer.json"] {
        let path = format!("run/step-000012/{file}");
        let before = read(&folder, &path);
        flip_a_bit(&folder, &path);
        let error = fail(tinygpt(&folder).args(["train", "--resume", "run", "--steps", "20"]), 2);
        assert!(error.contains(file) && error.contains(advice), "{error}");
        std::fs::write(folder.path().join(path), before).unwrap();
    }
    // The advice in the error works.
    std::fs::remove_dir_all(folder.path().join("run/step-000012")).unwrap();
    succeed(tinygpt(&folder).args(["train", "--resume", "run"]));
    assert!(read(&folder, "run/last/model.safetensors") == whole);
}

#[test]
fn sha256sum_can_check_the_manifest() {
    let folder = folder();
    train(&folder, &["--out", "run"]);
    let manifest = String::from_utf8(read(&folder, "run/last/SHA256SUMS")).unwrap();
    let names: Vec<&str> = manifest.lines().map(|line| line.split_once("  ").unwrap().1).collect();
    assert_eq!(names, FILES);
    let mut check = Command::new("sha256sum");
    check.current_dir(folder.path().join("run/last")).args(["--check", "--strict", "SHA256SUMS"]);
    match check.output() {
        Ok(output) => assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout)),
        Err(_) => eprintln!("skipped: there is no sha256sum"),
    }
}

/// Other programs don't write manifests.
#[test]
fn missing_manifests_are_accepted_and_incomplete_ones_are_not() {
    let folder = folder();
    train(&folder, &["--out", "run"]);
    let manifest = String::from_utf8(read(&folder, "run/last/SHA256SUMS")).unwrap();
    let short: String = manifest
        .lines()
        .filter(|line| !line.contains("tokenizer.json"))
        .map(|line| format!("{line}\n"))
        .collect();
    write(&folder, "run/last/SHA256SUMS", &short);
    let error = fail(tinygpt(&folder).args(["generate", "--checkpoint", "run"]), 2);
    assert!(error.contains("tokenizer.json is not named in SHA256SUMS"), "{error}");
    std::fs::remove_file(folder.path().join("run/last/SHA256SUMS")).unwrap();
    succeed(tinygpt(&folder).args(["generate", "--checkpoint", "run", "--max-tokens", "3"]));
}

/// A run that continues until a signal stops it, and the lines of its standard error.
struct Running {
    process: Child,
    lines: Receiver<String>,
}

impl Running {
    fn start(folder: &TempDir, flags: &[&str]) -> Running {
        // The shell ignores SIGXFSZ, and tinygpt inherits that, so writes past the limit fail like on a full
        // disk.
        let mut command = std::process::Command::new("sh");
        command.args(["-c", "trap '' XFSZ; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_tinygpt")]);
        Running::of(command.current_dir(folder.path()).args(small_but(flags)))
    }

    fn of(command: &mut std::process::Command) -> Running {
        let mut process = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = lines_of(process.stderr.take().unwrap());
        Running { process, lines }
    }

    /// Waits for a line that contains `part` and returns it.
    fn line(&self, part: &str) -> String {
        let began = Instant::now();
        while let Ok(line) = self.lines.recv_timeout(Duration::from_secs(60)) {
            if line.contains(part) {
                return line;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "no '{part}' yet, but {line}");
        }
        panic!("it ended, or said nothing for a minute, without '{part}'");
    }

    fn signal(&self, signal: &str) {
        let kill =
            std::process::Command::new("kill").args(["-s", signal, &self.process.id().to_string()]).status();
        assert!(kill.unwrap().success());
    }

    fn end(mut self, signal: &str) -> Option<i32> {
        self.signal(signal);
        // The run must survive that nobody reads its output.
        drop(self.lines);
        self.process.wait().unwrap().code()
    }
}

fn lines_of(stderr: ChildStderr) -> Receiver<String> {
    let (sender, lines) = channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stderr).lines().map_while(Result::ok) {
            let _ = sender.send(line);
        }
    });
    lines
}

pub fn wait_for(mut what: impl FnMut() -> bool) {
    let began = Instant::now();
    while !what() {
        assert!(began.elapsed() < Duration::from_secs(60), "nothing happened in a minute");
        std::thread::sleep(Duration::from_millis(2));
    }
}

fn last_step(folder: &TempDir) -> f64 {
    let state = std::fs::read(folder.path().join("run/last/trainer.json")).unwrap_or_default();
    serde_json::from_slice::<Value>(&state).map_or(0.0, |state| number(&state, "step"))
}

const ENDLESS: [&str; 8] = ["--steps", "1000000", "--eval-every", "0", "--save-every", "20", "--out", "run"];

/// A limit on file sizes fails like a full disk, in the middle of a file.
#[cfg(target_os = "linux")]
#[test]
fn a_temporarily_full_disk_does_not_end_the_run() {
    let folder = folder();
    let run = Running::start(&folder, &ENDLESS);
    let limit = |bytes: &str| {
        let set = std::process::Command::new("prlimit")
            .args(["--pid", &run.process.id().to_string(), &format!("--fsize={bytes}:unlimited")])
            .status();
        set.is_ok_and(|status| status.success())
    };
    wait_for(|| exists(&folder, "run/last"));
    // The limit is below the size of a model and cuts the log in the middle of a line.
    if !limit("30000") {
        eprintln!("skipped: there is no prlimit to set a limit with");
        run.end("KILL");
        return;
    }
    let warning = run.line("cannot save the checkpoint run/step-");
    assert!(warning.contains("training goes on, and the last good checkpoint is run/step-"), "{warning}");
    let told = run.line("cannot write run/metrics.jsonl");
    assert!(told.contains("training goes on without"), "{told}");
    // The checkpoint named in the warning exists and is intact.
    let last = warning.split("the last good checkpoint is ").nth(1).unwrap().to_string();
    succeed(tinygpt(&folder).args(["generate", "--max-tokens", "3", "--checkpoint", &last]));
    let unfinished = std::fs::read_dir(folder.path().join("run")).unwrap().flatten();
    let names: Vec<_> = unfinished.map(|entry| entry.file_name().into_string().unwrap()).collect();
    let steps = names.iter().filter(|name| name.starts_with("step-"));
    assert!(steps.clone().all(|name| exists(&folder, &format!("run/{name}/SHA256SUMS"))), "{names:?}");

    let before = last_step(&folder);
    assert!(limit("unlimited"));
    wait_for(|| last_step(&folder) > before);
    assert_eq!(run.end("TERM"), Some(130));
    // No lines of the log and no events are mixed up.
    let metrics = String::from_utf8(read(&folder, "run/metrics.jsonl")).unwrap();
    assert!(metrics.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()));
    let names = std::fs::read_dir(folder.path().join("run")).unwrap().flatten();
    let name =
        names.map(|entry| entry.file_name().into_string().unwrap()).find(|name| name.contains("tfevents"));
    assert!(super::following::events(&read(&folder, &format!("run/{}", name.unwrap()))).len() > 100);
    let more = (last_step(&folder) + 2.0).to_string();
    let resumed = succeed(tinygpt(&folder).args(["train", "--resume", "run", "--steps", &more, "--json"]));
    assert_eq!(last_line(&resumed)["steps"].to_string(), more);
}

#[cfg(target_os = "linux")]
#[test]
fn a_directory_that_becomes_read_only_does_not_end_the_run() {
    use std::os::unix::fs::PermissionsExt;
    let folder = folder();
    let permit = |name: &str, mode: u32| {
        let path = folder.path().join(name);
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
    };
    permit("", 0o777);
    // Root ignores permissions, so as root the test runs tinygpt as another user.
    let is_root = std::fs::write("/proc/self/oom_score_adj", "0").is_ok() && users_id() == "0";
    let mut command = std::process::Command::new(if is_root { "setpriv" } else { "env" });
    if is_root {
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]);
    }
    command.arg(env!("CARGO_BIN_EXE_tinygpt")).args(small_but(&ENDLESS)).current_dir(folder.path());
    command.env("TINYGPT_CACHE", folder.path().join("cache"));
    let mut run = Running::of(&mut command);
    wait_for(|| exists(&folder, "run/last") || run.process.try_wait().unwrap().is_some());
    if run.process.try_wait().unwrap().is_some() {
        eprintln!("skipped: another user cannot run the program here");
        return;
    }
    permit("run", 0o555);
    let warning = run.line("cannot save the checkpoint run/step-");
    assert!(warning.contains("Permission denied") && warning.contains("training goes on"), "{warning}");
    let before = last_step(&folder);
    permit("run", 0o777);
    wait_for(|| last_step(&folder) > before);
    assert_eq!(run.end("TERM"), Some(130));
}

#[cfg(target_os = "linux")]
fn users_id() -> String {
    let output = std::process::Command::new("id").arg("-u").output().unwrap();
    String::from_utf8(output.stdout).unwrap().trim().to_string()
}

/// The last checkpoint is the result of the run, so the run fails without it.
#[cfg(target_os = "linux")]
#[test]
fn a_run_fails_if_its_final_checkpoint_cannot_be_saved() {
    let folder = folder();
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' XFSZ; ulimit -f 8; exec \"$@\"", "sh", env!("CARGO_BIN_EXE_tinygpt")]);
    command.current_dir(folder.path()).args(small_but(&["--out", "run"]));
    let error = fail(&mut command, 1);
    assert!(error.contains("step 12, which is lost; there is no checkpoint yet"), "{error}");
    assert!(error.contains("cannot save the checkpoint run/step-000012"), "{error}");
    train(&folder, &["--out", "run"]);
}

#[cfg(unix)]
#[test]
fn sigusr1_saves_a_checkpoint_and_the_run_continues() {
    let folder = folder();
    let run = Running::start(&folder, &["--steps", "1000000", "--eval-every", "0", "--out", "run"]);
    run.line("tokens/s");
    assert!(!exists(&folder, "run/last"));
    run.signal("USR1");
    let line = run.line("saved run/step-");
    assert!(line.ends_with("as a signal asked"), "{line}");
    let step = last_step(&folder);
    run.signal("USR1");
    run.line("saved run/step-");
    assert!(last_step(&folder) > step);
    assert_eq!(run.end("TERM"), Some(130));
}

/// Scoring takes many times longer than the steps before it.
#[cfg(unix)]
#[test]
fn signals_are_handled_during_evaluation() {
    let folder = folder();
    write(&folder, "long.txt", &text(80_000));
    let flags = ["--val-data", "long.txt", "--dim", "64", "--layers", "4", "--out", "run"];
    let run = Running::start(&folder, &flags);
    wait_for(|| exists(&folder, "run/last"));
    run.signal("USR1");
    run.line("saved run/step-000005 before this evaluation");
    run.signal("TERM");
    run.line("Interrupted. Step 5 of 12 is saved. Resume with:");
    let mut process = run.process;
    assert_eq!(process.wait().unwrap().code(), Some(130));
    assert_eq!(last_step(&folder), 5.0);
    // Nothing was scored yet. The resumed run scores it.
    let metrics = || String::from_utf8(read(&folder, "run/metrics.jsonl")).unwrap();
    assert!(!metrics().contains("val_loss"));
}
