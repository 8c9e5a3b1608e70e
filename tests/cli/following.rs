//! Metrics, TensorBoard events, the list of runs, dry runs and signals.

use super::*;
use std::time::{Duration, Instant};

/// Parses the records of an event file: length, masked CRC of the length, data, masked CRC of the data.
pub fn events(bytes: &[u8]) -> Vec<&[u8]> {
    let masked = |data: &[u8]| crc32c::crc32c(data).rotate_right(15).wrapping_add(0xa282_ead8).to_le_bytes();
    let mut rest = bytes;
    let mut records = Vec::new();
    while !rest.is_empty() {
        let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
        assert_eq!(rest[8..12], masked(&rest[..8]));
        let data = &rest[12..12 + length];
        assert_eq!(rest[12 + length..16 + length], masked(data));
        records.push(data);
        rest = &rest[16 + length..];
    }
    records
}

#[test]
fn metrics_and_tensorboard_events_contain_every_step() {
    let folder = folder();
    succeed(tinygpt(&folder).args(SMALL).args(["--out", "run"]));
    let metrics = String::from_utf8(read(&folder, "run/metrics.jsonl")).unwrap();
    let lines: Vec<Value> = metrics.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let with = |key: &str| lines.iter().filter(|line| !line[key].is_null()).count();
    assert_eq!((with("loss"), with("val_loss"), with("sample")), (12, 3, 3));

    let files = std::fs::read_dir(folder.path().join("run")).unwrap().flatten();
    let name = files
        .map(|file| file.file_name().into_string().unwrap())
        .find(|name| name.contains("tfevents"))
        .unwrap();
    let bytes = read(&folder, &format!("run/{name}"));
    let records = events(&bytes);
    // One version record, twelve steps and three evaluations.
    assert_eq!(records.len(), 1 + 12 + 3);
    let holds =
        |record: &[u8], text: &str| record.windows(text.len()).any(|window| window == text.as_bytes());
    assert!(holds(records[0], "brain.Event:2"));
    assert!(records[1..].iter().filter(|record| holds(record, "train/loss")).count() == 12);
    assert!(records[1..].iter().filter(|record| holds(record, "validation/loss")).count() == 3);
}

#[test]
fn runs_lists_activation_size_and_loss() {
    let folder = folder();
    train(&folder, &["--act", "gelu", "--out", "runs/one"]);
    train(&folder, &["--act", "mish", "--out", "runs/two/arm"]);
    let list = last_line(&succeed(tinygpt(&folder).args(["runs", "--json"])));
    let runs = list["runs"].as_array().unwrap();
    let acts: Vec<&str> = runs.iter().map(|run| run["act"].as_str().unwrap()).collect();
    assert_eq!(acts, ["gelu", "mish"]);
    assert!(runs.iter().all(|run| number(run, "val_loss") > 0.0 && number(run, "params") > 0.0));
    let table = succeed(tinygpt(&folder).arg("runs"));
    assert!(table.contains("runs/two/arm") && table.contains("12 of 12"), "{table}");
}

#[test]
fn a_dry_run_prints_the_plan_and_writes_nothing() {
    let folder = folder();
    let output = tinygpt(&folder).args(SMALL).args(["--out", "run", "--dry-run"]).output().unwrap();
    assert!(output.status.success());
    let plan = String::from_utf8(output.stderr).unwrap();
    for part in ["params", "FLOP per token", "memory", "12 steps"] {
        assert!(plan.contains(part), "{plan}");
    }
    assert!(!exists(&folder, "run") && !exists(&folder, "runs"));
}

/// After a signal, the run saves, exits with 130 and can be resumed.
#[cfg(unix)]
#[test]
fn a_signal_saves_and_stops_the_run() {
    let folder = folder();
    for signal in ["INT", "TERM"] {
        let out = format!("run-{signal}");
        let mut process = std::process::Command::new(env!("CARGO_BIN_EXE_tinygpt"))
            .current_dir(folder.path())
            .args(small_but(&["--steps", "1000000", "--eval-every", "0", "--out", &out]))
            .stderr(std::process::Stdio::null())
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let log = folder.path().join(&out).join("metrics.jsonl");
        let began = Instant::now();
        while std::fs::metadata(&log).map_or(0, |log| log.len()) < 2000
            && began.elapsed() < Duration::from_secs(60)
        {
            std::thread::sleep(Duration::from_millis(5));
        }
        let sent =
            std::process::Command::new("kill").args(["-s", signal, &process.id().to_string()]).status();
        assert!(sent.unwrap().success());
        assert_eq!(process.wait().unwrap().code(), Some(130));
        let state: Value =
            serde_json::from_slice(&read(&folder, &format!("{out}/last/trainer.json"))).unwrap();
        let step = number(&state, "step");
        assert!(step > 1.0);
        let more = (step + 3.0).to_string();
        let resumed = succeed(tinygpt(&folder).args(["train", "--resume", &out, "--steps", &more, "--json"]));
        assert_eq!(number(&last_line(&resumed), "steps"), step + 3.0);
    }
}

/// A second signal doesn't wait for the current step, which takes seconds here. Nothing is saved.
#[cfg(unix)]
#[test]
fn a_second_signal_stops_the_run_at_once() {
    let folder = folder();
    let large = ["--dim", "256", "--heads", "4", "--layers", "8", "--context", "128", "--batch-size", "64"];
    let mut process = std::process::Command::new(env!("CARGO_BIN_EXE_tinygpt"))
        .current_dir(folder.path())
        .args(small_but(
            &[large.as_slice(), &["--steps", "1000", "--eval-every", "0", "--out", "run"]].concat(),
        ))
        .stderr(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    while !exists(&folder, "run/metrics.jsonl") {
        std::thread::sleep(Duration::from_millis(20));
    }
    for _ in 0..2 {
        let sent = std::process::Command::new("kill").args(["-s", "INT", &process.id().to_string()]).status();
        assert!(sent.unwrap().success());
        std::thread::sleep(Duration::from_millis(100));
    }
    assert_eq!(process.wait().unwrap().code(), Some(130));
    assert!(!exists(&folder, "run/last"));
}
