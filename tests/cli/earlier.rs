//! tinygpt reads files from earlier versions, refuses files from newer ones by name, and reports damaged lines.

use super::*;
use serde_json::json;

/// Flags of the comparison in tests/fixtures/0.1.
const COMPARISON: &str = "--data text.txt --layers 1 --heads 1 --dim 4 --context 8 --batch-size 2 --eval-every 3 --keep 0 --lr 1e-2 --threads 1 --steps 6 --acts relu,swiglu --seeds 1";

/// A directory with the text and the run or comparison `name` from tinygpt 0.1.
fn from_0_1(name: &str) -> TempDir {
    let folder = folder();
    copy_0_1(name, &folder);
    folder
}

fn copy_0_1(name: &str, folder: &TempDir) {
    let fixture = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/0.1").join(name);
    let status = std::process::Command::new("cp").arg("-R").arg(fixture).arg(folder.path()).status();
    assert!(status.unwrap().success());
}

/// The values in a JSON Lines file.
fn lines(folder: &TempDir, name: &str) -> Vec<Value> {
    let text = String::from_utf8(read(folder, name)).unwrap();
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// Sets a key of the object in a JSON file, and removes the checksums beside it.
fn set(folder: &TempDir, name: &str, key: &str, value: Value) {
    let mut object: Value = serde_json::from_slice(&read(folder, name)).unwrap();
    object[key] = value;
    write(folder, name, &object.to_string());
    let _ = std::fs::remove_file(folder.path().join(name).with_file_name("SHA256SUMS"));
}

fn compare(folder: &TempDir) -> Command {
    let mut command = tinygpt(folder);
    command.arg("compare").args(COMPARISON.split(' ')).args(["--out", "comparison", "--json"]);
    command
}

#[test]
fn runs_of_0_1_can_be_resumed() {
    let folder = from_0_1("run");
    let before = lines(&folder, "run/metrics.jsonl");
    let resumed =
        last_line(&succeed(tinygpt(&folder).args(["train", "--resume", "run", "--steps", "12", "--json"])));
    assert_eq!(number(&resumed, "steps"), 12.0);
    let after = lines(&folder, "run/metrics.jsonl");
    let losses = |lines: &[Value]| -> Vec<Value> { lines.iter().map(|line| line["loss"].clone()).collect() };
    assert_eq!(losses(&after)[..6], losses(&before)[..6]);
    assert_eq!(after.iter().filter(|line| line["loss"].is_number()).count(), 12);
}

#[test]
fn checkpoints_of_0_1_generate_and_keep_their_score() {
    let folder = from_0_1("run");
    let generate = ["generate", "--checkpoint", "run", "--prompt", "the ", "--max-tokens", "5"];
    assert!(succeed(tinygpt(&folder).args(generate)).starts_with("the "));
    let score = last_line(&succeed(tinygpt(&folder).args(["eval", "--checkpoint", "run/last", "--json"])));
    let evaluations = lines(&folder, "run/metrics.jsonl");
    let last = evaluations.iter().rev().find(|line| line["val_loss"].is_number()).unwrap();
    // The fixture's machine may have had an instruction set with different rounding.
    assert!((number(&score, "loss") - number(last, "val_loss")).abs() < 1e-4, "{score}");
}

#[test]
fn comparisons_of_0_1_can_be_finished_and_keep_finished_runs() {
    let folder = from_0_1("comparison");
    let before = read(&folder, "comparison/results.jsonl");
    let report = last_line(&succeed(&mut compare(&folder)));
    assert_eq!(report["results"].as_array().unwrap().len(), 2);
    assert!(read(&folder, "comparison/results.jsonl").starts_with(&before));
    let ids: Vec<bool> =
        lines(&folder, "comparison/results.jsonl").iter().map(|line| line["id"].is_string()).collect();
    assert_eq!(ids, [false, true], "only a line of this version says which run it is by its settings");
    // No run is left to train.
    let whole = read(&folder, "comparison/results.jsonl");
    succeed(&mut compare(&folder));
    assert_eq!(read(&folder, "comparison/results.jsonl"), whole);
}

#[test]
fn interrupted_runs_in_comparisons_of_0_1_can_be_resumed() {
    let folder = from_0_1("comparison");
    let before = lines(&folder, "comparison/results.jsonl");
    std::fs::remove_file(folder.path().join("comparison/results.jsonl")).unwrap();
    let log = read(&folder, "comparison/relu-seed1/metrics.jsonl");
    succeed(&mut compare(&folder));
    let line = &lines(&folder, "comparison/results.jsonl")[0];
    assert_eq!(line["outcome"]["train_loss"], before[0]["outcome"]["train_loss"]);
    let steps = String::from_utf8(log).unwrap().lines().count();
    assert_eq!(lines(&folder, "comparison/relu-seed1/metrics.jsonl").len(), steps, "no step was taken again");
}

#[test]
fn files_from_newer_versions_are_rejected_by_name() {
    let folder = from_0_1("run");
    copy_0_1("comparison", &folder);
    succeed(tinygpt(&folder).args(["train", "--resume", "run", "--steps", "7"]));
    succeed(&mut compare(&folder));
    let refused = |file: &str, mut command: Command| {
        let sound = read(&folder, file);
        set(&folder, file, "format", json!(3));
        let error = fail(&mut command, 2);
        let said = format!("{file} has format 3; this tinygpt reads up to 2. Use a newer tinygpt.");
        assert!(error.ends_with(&said), "{error}");
        std::fs::write(folder.path().join(file), sound).unwrap();
    };
    let with = |arguments: &[&str]| {
        let mut command = tinygpt(&folder);
        command.args(arguments);
        command
    };
    let resume = ["train", "--resume", "run", "--steps", "9"];
    refused("run/step-000007/trainer.json", with(&resume));
    // `eval --data` reads trainer.json only for the encoding of the run's text.
    write(&folder, "other.txt", "A cat is an animal.\n");
    let eval = ["eval", "--checkpoint", "run", "--data", "other.txt"];
    refused("run/step-000007/trainer.json", with(&eval));
    refused("run/tinygpt.json", with(&resume));
    refused("comparison/compare.json", with(&["report", "comparison"]));
    refused("comparison/compare.json", compare(&folder));
}

#[test]
fn a_damaged_results_line_is_reported_without_retraining_its_run() {
    let folder = from_0_1("comparison");
    succeed(&mut compare(&folder));
    let sound = String::from_utf8(read(&folder, "comparison/results.jsonl")).unwrap();
    for (damage, said) in [
        (sound.replacen("\"val_loss\":", "\"val_loss\":x", 1), "results.jsonl, line 1, can't be read"),
        (sound.replacen("\"act\":\"relu\"", "\"act\":\"rel\"", 1), "results.jsonl, line 1, can't be read"),
        (sound.replacen("\"format\":2", "\"format\":3", 1), "results.jsonl, line 2, has format 3"),
        (sound.replacen("\"id\":\"", "\"id\":\"0", 1), "a run of swiglu seed 1 with other settings"),
    ] {
        assert_ne!(damage, sound);
        write(&folder, "comparison/results.jsonl", &damage);
        for mut command in [compare(&folder), {
            let mut report = tinygpt(&folder);
            report.args(["report", "comparison"]);
            report
        }] {
            let error = fail(&mut command, 2);
            assert!(error.contains(said), "{error}");
        }
        assert_eq!(String::from_utf8(read(&folder, "comparison/results.jsonl")).unwrap(), damage);
    }
}

#[test]
fn a_damaged_metrics_line_is_reported_and_nothing_is_lost() {
    let folder = from_0_1("run");
    let sound = String::from_utf8(read(&folder, "run/metrics.jsonl")).unwrap();
    let damage = sound.replacen("\"tokens\":32", "\"tokens\":", 1);
    write(&folder, "run/metrics.jsonl", &damage);
    let error = fail(tinygpt(&folder).args(["train", "--resume", "run", "--steps", "9"]), 2);
    assert!(error.contains("run/metrics.jsonl, line 2, can't be read"), "{error}");
    assert_eq!(String::from_utf8(read(&folder, "run/metrics.jsonl")).unwrap(), damage);
    let output = tinygpt(&folder).args(["runs", "."]).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && told.contains("metrics.jsonl, line 2, can't be read"), "{told}");
}

#[test]
fn a_run_directory_with_another_run_inside_is_rejected() {
    let folder = from_0_1("comparison");
    let only_relu = String::from_utf8(read(&folder, "comparison/results.jsonl")).unwrap();
    succeed(&mut compare(&folder));
    write(&folder, "comparison/results.jsonl", &only_relu);
    set(&folder, "comparison/swiglu-seed1/last/trainer.json", "data", json!("another text"));
    let error = fail(&mut compare(&folder), 2);
    assert!(error.contains("isn't a checkpoint of swiglu seed 1"), "{error}");
}

#[test]
fn a_changed_instruction_set_is_reported_on_resume_and_in_comparisons() {
    let folder = from_0_1("run");
    let resume = |steps: &str| {
        let output = tinygpt(&folder).args(["train", "--resume", "run", "--steps", steps]).output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let own = resume("7");
    assert!(!own.contains("last bits"), "{own}");
    let state: Value = serde_json::from_slice(&read(&folder, "run/last/trainer.json")).unwrap();
    let this = state["build"]["instruction_set"].as_str().unwrap().to_string();
    assert_eq!(state["build"]["version"], env!("CARGO_PKG_VERSION"));
    set(&folder, "run/last/trainer.json", "build", json!({"version": "0.2.0", "instruction_set": "NEON64"}));
    let told = resume("8");
    let said = format!("the checkpoint was computed with NEON64, this machine uses {this}");
    assert!(told.contains(&said), "{told}");

    let folder = from_0_1("comparison");
    succeed(&mut compare(&folder));
    let results = String::from_utf8(read(&folder, "comparison/results.jsonl")).unwrap();
    let elsewhere = "\"build\":{\"version\":\"0.2.0\",\"instruction_set\":\"NEON64\"}";
    let (first, second) = results.split_once('\n').unwrap();
    let first = first.replacen("\"seed\":1", &format!("\"seed\":1,{elsewhere}"), 1);
    write(&folder, "comparison/results.jsonl", &format!("{first}\n{second}"));
    let report = last_line(&succeed(&mut compare(&folder)));
    let warnings = report["warnings"].to_string();
    assert!(warnings.contains("NEON64") && warnings.contains(&this), "{warnings}");
}
