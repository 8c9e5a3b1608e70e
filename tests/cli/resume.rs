//! A resumed run equals an uninterrupted one bit by bit.

use super::*;
use std::time::{Duration, Instant};

#[test]
fn resume_reproduces_the_same_weights() {
    let folder = folder();
    // Resuming must restore the batch order over several epochs, gradient accumulation and dropout.
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

    // The same run, killed as soon as it has a checkpoint.
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
    // Times may differ, losses must not.
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
fn finished_runs_can_be_extended() {
    let folder = folder();
    train(&folder, &["--out", "run"]);
    let output = succeed(tinygpt(&folder).args(["train", "--resume", "run", "--steps", "20", "--json"]));
    assert_eq!(number(&last_line(&output), "steps"), 20.0);
}

#[test]
fn resume_rejects_changes_to_settings_already_used() {
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
fn dry_resumes_and_damaged_logs_lose_nothing() {
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
        [("run", "5", "20 steps already"), ("run/step-000015", "30", "isn't the last")]
    {
        let error = fail(tinygpt(&folder).args(["train", "--resume", path, "--steps", steps]), 2);
        assert!(error.contains(expected), "{error}");
    }
}

/// Restarts a command until it finishes, and kills it a little later each time. Returns the number of kills and the
/// final output.
fn kill_until_done(folder: &TempDir, command: impl Fn() -> Vec<String>) -> (u32, String) {
    for kills in 0.. {
        let mut process = std::process::Command::new(env!("CARGO_BIN_EXE_tinygpt"))
            .current_dir(folder.path())
            .args(command())
            .stderr(std::process::Stdio::null())
            .stdout(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(10 + 23 * u64::from(kills)));
        if let Some(status) = process.try_wait().unwrap() {
            assert!(status.success(), "after {kills} kills");
            let output = process.wait_with_output().unwrap();
            return (kills, String::from_utf8(output.stdout).unwrap());
        }
        process.kill().unwrap();
        process.wait().unwrap();
    }
    unreachable!("some time is long enough")
}

/// Kills fall during startup, steps, saves and evaluations. `scripts/kill_test.py` kills hundreds of times at random.
#[test]
fn a_run_killed_many_times_matches_an_uninterrupted_one() {
    let folder = folder();
    let settings = |out| {
        let saving = ["--dropout", "0.1", "--save-every", "7", "--eval-every", "20", "--steps", "200"];
        small_but(&[saving.as_slice(), &["--out", out]].concat())
    };
    succeed(tinygpt(&folder).args(settings("whole")));
    // A kill may come between the first checkpoint and the link to it.
    let has_checkpoint = || exists(&folder, "killed/last") || exists(&folder, "killed/step-000007");
    let (kills, _) = kill_until_done(&folder, || match has_checkpoint() {
        true => ["train", "--resume", "killed"].map(String::from).to_vec(),
        false => settings("killed"),
    });
    assert!(kills > 3, "{kills}");
    for file in ["model.safetensors", "optimizer.safetensors"] {
        let of = |run: &str| read(&folder, &format!("{run}/last/{file}"));
        assert!(of("whole") == of("killed"), "{file} differs after {kills} kills");
    }
    // No temporary files are left.
    let names = std::fs::read_dir(folder.path().join("killed")).unwrap().flatten();
    let hidden = names.filter(|entry| entry.file_name().to_string_lossy().starts_with('.')).count();
    assert_eq!(hidden, 0);
}

#[test]
fn a_comparison_killed_many_times_matches_an_uninterrupted_one() {
    let folder = folder();
    let command = |out: &str| -> Vec<String> {
        let design =
            ["--acts", "relu,gelu", "--seeds", "2", "--steps", "100", "--save-every", "10", "--json"];
        let flags = small_but(&[design.as_slice(), &["--out", out]].concat());
        [vec!["compare".to_string()], flags].concat()
    };
    let arms = |output: &str| -> Vec<Value> {
        let mut arms = last_line(output)["results"].as_array().unwrap().clone();
        for arm in &mut arms {
            // Ignore times and memory.
            for key in ["tokens_per_second", "tokens_per_second_range", "peak_rss_mb", "seconds_to_baseline"]
            {
                arm[key].take();
            }
        }
        arms
    };
    let whole = arms(&succeed(tinygpt(&folder).args(command("whole"))));
    let (kills, output) = kill_until_done(&folder, || command("killed"));
    assert!(kills > 3, "{kills}");
    assert_eq!(arms(&output), whole, "after {kills} kills");
}

/// Resumes from ten steps, including the middle and the end of warmup (6 steps) and of epochs (about 9 steps).
#[test]
fn resume_is_exact_from_any_step() {
    let folder = folder();
    write(&folder, "text.txt", &text(60));
    let flags = ["--grad-accum", "2", "--warmup", "6", "--steps", "24", "--dropout", "0.1"];
    let saving = ["--save-every", "1", "--keep", "99", "--eval-every", "0", "--out", "run"];
    let result = train(&folder, &[flags.as_slice(), &saving].concat());
    let windows = text(60).len() as f64 * 0.9 / 16.0;
    assert!(windows / 8.0 < 10.0, "an epoch ends within the steps gone back to");
    assert_eq!(number(&result, "steps"), 24.0);
    let whole = read(&folder, "run/last/model.safetensors");
    for step in [23, 19, 18, 10, 9, 8, 7, 6, 5, 1] {
        // Remove later checkpoints, as if the process had been killed here.
        for later in step + 1..=24 {
            let _ = std::fs::remove_dir_all(folder.path().join(format!("run/step-{later:06}")));
        }
        succeed(tinygpt(&folder).args(["train", "--resume", "run"]));
        assert!(read(&folder, "run/last/model.safetensors") == whole, "gone on from step {step}");
    }
}

#[test]
fn the_resumed_checkpoint_is_never_pruned() {
    let folder = folder();
    train(&folder, &["--out", "run", "--keep", "0"]);
    let flags = ["train", "--resume", "run", "--steps", "40", "--keep", "0"];
    succeed(tinygpt(&folder).args(flags));
    assert!(exists(&folder, "run/step-000012/SHA256SUMS"));
    assert!(exists(&folder, "run/best/SHA256SUMS") && exists(&folder, "run/step-000040/SHA256SUMS"));
    assert!(!exists(&folder, "run/step-000020") || exists(&folder, "run/best"));
}

#[test]
fn resuming_with_other_steps_reports_the_learning_rate_change() {
    let folder = folder();
    train(&folder, &["--out", "run", "--steps", "40"]);
    let resume = |steps: &str| {
        let mut command = tinygpt(&folder);
        let output = command.args(["train", "--resume", "run", "--steps", steps]).output().unwrap();
        assert!(output.status.success());
        let rates: Vec<Value> = String::from_utf8(read(&folder, "run/metrics.jsonl"))
            .unwrap()
            .lines()
            .map(|line| serde_json::from_str::<Value>(line).unwrap())
            .filter(|line| line["lr"].is_number())
            .collect();
        (String::from_utf8(output.stderr).unwrap(), rates)
    };
    // Warmup was 5% of the original steps and is over. 5% of the new steps would start it again.
    let dry = ["train", "--resume", "run", "--steps", "1000", "--dry-run"];
    let told = String::from_utf8(tinygpt(&folder).args(dry).output().unwrap().stderr).unwrap();
    assert!(told.contains("instead of 40: step 41 has 9.9"), "{told}");
    let (told, rates) = resume("80");
    let said = "the learning rate now falls to 1e-3 at step 80 instead of 40: step 41 has ";
    let line = told.lines().find(|line| line.starts_with(said)).unwrap_or_else(|| panic!("{told}"));
    let rate: f64 = line[said.len()..].split(',').next().unwrap().parse().unwrap();
    assert!((rate / number(&rates[40], "lr") - 1.0).abs() < 1e-3, "{line}");
    assert!(!resume("80").0.contains("learning rate now"));
}

#[test]
fn resume_rejects_a_different_text_with_the_difference() {
    let folder = folder();
    train(&folder, &["--out", "run"]);
    let refused = || fail(tinygpt(&folder).args(["train", "--resume", "run", "--steps", "20"]), 2);
    let whole = text(400);
    write(&folder, "text.txt", &text(300));
    let error = refused();
    assert!(error.contains("tokens to train and") && error.contains("that had 8"), "{error}");
    write(&folder, "text.txt", &whole.replacen("the cat", "the cow", 1));
    assert!(refused().contains("it is as long, but reads otherwise"));
    write(&folder, "text.txt", &whole);
    // trainer.json belongs to a different model.
    std::fs::remove_file(folder.path().join("run/last/SHA256SUMS")).unwrap();
    let state = String::from_utf8(read(&folder, "run/last/trainer.json")).unwrap();
    write(&folder, "run/last/trainer.json", &state.replace("\"dim\": 16", "\"dim\": 32"));
    let error = refused();
    assert!(error.contains("'hidden_size' is 32 by the one and 16 by the other"), "{error}");
}
