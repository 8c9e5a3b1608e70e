//! Resuming: bit for bit what the undisturbed run would have been.

use super::*;
use std::time::{Duration, Instant};

#[test]
fn a_run_stopped_halfway_and_resumed_equals_the_undisturbed_one() {
    let folder = folder();
    // Batches of several epochs, accumulation and dropout: all must be found again.
    let settings = |out| {
        small_but(&[
            "--dropout",
            "0.1",
            "--grad-accum",
            "2",
            "--save-every",
            "3",
            "--steps",
            "60",
            "--out",
            out,
        ])
    };
    succeed(tinygpt(&folder).args(settings("whole")));

    // The same run, killed as soon as some checkpoint is there.
    let mut process = std::process::Command::new(env!("CARGO_BIN_EXE_tinygpt"))
        .current_dir(folder.path())
        .args(settings("killed"))
        .stderr(std::process::Stdio::null())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let began = Instant::now();
    while !exists(&folder, "killed/last") && began.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(2));
    }
    process.kill().unwrap();
    process.wait().unwrap();
    let state: Value = serde_json::from_slice(&read(&folder, "killed/last/trainer.json")).unwrap();
    assert!(number(&state, "step") < 60.0, "the run was over before it could be killed");

    succeed(tinygpt(&folder).args(["train", "--resume", "killed"]));
    for file in ["model.safetensors", "optimizer.safetensors"] {
        let of = |run: &str| read(&folder, &format!("{run}/last/{file}"));
        assert!(of("whole") == of("killed"), "{file} differs");
    }
    // Times differ, losses must not.
    let losses = |run: &str| -> Vec<(u64, Value, Value)> {
        let metrics = String::from_utf8(read(&folder, &format!("{run}/metrics.jsonl"))).unwrap();
        let lines = metrics.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        lines
            .map(|line| (line["step"].as_u64().unwrap(), line["loss"].clone(), line["val_loss"].clone()))
            .collect()
    };
    assert_eq!(losses("whole"), losses("killed"));
}

#[test]
fn a_finished_run_resumes_to_more_steps() {
    let folder = folder();
    train(&folder, &["--out", "run"]);
    let output = succeed(tinygpt(&folder).args(["train", "--resume", "run", "--steps", "20", "--json"]));
    assert_eq!(number(&last_line(&output), "steps"), 20.0);
}

#[test]
fn what_was_done_already_cannot_be_changed_by_resuming() {
    let folder = folder();
    train(&folder, &["--out", "run"]);
    let before = read(&folder, "run/last/model.safetensors");
    for (flag, value) in [("--act", "gelu"), ("--dim", "32"), ("--lr", "0.5"), ("--seed", "9")] {
        let error = fail(tinygpt(&folder).args(["train", "--resume", "run", flag, value]), 2);
        assert!(error.contains(flag) && error.contains(value), "{error}");
    }
    write(&folder, "text.txt", &text(300));
    let error = fail(tinygpt(&folder).args(["train", "--resume", "run"]), 2);
    assert!(error.contains("text.txt"), "{error}");
    assert_eq!(read(&folder, "run/last/model.safetensors"), before);
}

#[test]
fn a_dry_resume_and_a_torn_log_lose_nothing() {
    let folder = folder();
    train(&folder, &["--out", "run"]);
    let mut log = read(&folder, "run/metrics.jsonl");
    succeed(tinygpt(&folder).args(["train", "--resume", "run", "--steps", "20", "--dry-run"]));
    assert!(read(&folder, "run/metrics.jsonl") == log);
    log.extend([0xFF, 0xFE]);
    std::fs::write(folder.path().join("run/metrics.jsonl"), &log).unwrap();
    succeed(tinygpt(&folder).args(["train", "--resume", "run", "--steps", "20"]));
    let metrics = String::from_utf8(read(&folder, "run/metrics.jsonl")).unwrap();
    let steps = metrics.lines().filter(|line| line.contains("\"loss\"")).count();
    assert_eq!(steps, 20);
    for (path, steps, expected) in
        [("run", "5", "20 steps already"), ("run/step-000015", "30", "not the last")]
    {
        let error = fail(tinygpt(&folder).args(["train", "--resume", path, "--steps", steps]), 2);
        assert!(error.contains(expected), "{error}");
    }
}
