//! The directory of a comparison: what is in it, who may write to it, and what resumes or replaces it.

use super::compare::compare;
use super::*;
#[test]
fn finished_runs_are_not_repeated_and_killed_ones_resume() {
    let folder = folder();
    let whole = compare(&folder, &["--acts", "relu,gelu", "--seeds", "1"]);
    let lines = read(&folder, "cmp/results.jsonl");
    assert_eq!(lines.iter().filter(|byte| **byte == b'\n').count(), 2);
    assert_eq!(compare(&folder, &["--acts", "relu,gelu", "--seeds", "1"]), whole);
    assert_eq!(read(&folder, "cmp/results.jsonl"), lines);

    // Imitate a kill: truncate the second line.
    write(&folder, "cmp/results.jsonl", &String::from_utf8_lossy(&lines[..lines.len() - 40]));
    let again = compare(&folder, &["--acts", "relu,gelu", "--seeds", "1"]);
    for (a, b) in whole["results"].as_array().unwrap().iter().zip(again["results"].as_array().unwrap()) {
        assert_eq!(
            (&a["act"], &a["val_loss_mean"], &a["delta"]),
            (&b["act"], &b["val_loss_mean"], &b["delta"])
        );
    }
    // With one more seed, only the missing runs are trained.
    compare(&folder, &["--acts", "relu,gelu", "--seeds", "2"]);
    let lines = read(&folder, "cmp/results.jsonl");
    assert_eq!(lines.iter().filter(|byte| **byte == b'\n').count(), 4);
}

#[test]
fn runs_with_other_settings_are_not_mixed_into_a_comparison() {
    let folder = folder();
    compare(&folder, &["--acts", "relu", "--seeds", "1"]);
    let before = read(&folder, "cmp/results.jsonl");
    let mut command = tinygpt(&folder);
    let error = fail(
        command.arg("compare").args(SMALL).args(["--out", "cmp", "--acts", "relu", "--beta2", "0.95"]),
        2,
    );
    assert!(error.contains("other settings") && error.contains("--force"), "{error}");
    assert_eq!(read(&folder, "cmp/results.jsonl"), before);
}

#[test]
fn a_budget_chooses_seeds_and_steps_and_resuming_keeps_them() {
    let folder = folder();
    let flags = ["--acts", "relu,gelu", "--budget", "20s", "--out", "cmp"];
    let small: Vec<&str> = SMALL.chunks(2).filter(|pair| pair[0] != "--steps").flatten().copied().collect();
    let mut command = tinygpt(&folder);
    command.arg("compare").args(&small).args(["--model", "tiny.toml"]).args(flags).arg("--json");
    write(&folder, "tiny.toml", "# tiny\nsteps = 30\n");
    let seeds = number(&last_line(&succeed(&mut command))["results"][0], "seeds");
    assert!((3.0..=20.0).contains(&seeds), "{seeds}");
    // Timings change between runs, but the chosen seeds and steps must not.
    let lines = read(&folder, "cmp/results.jsonl");
    succeed(&mut command);
    assert_eq!(read(&folder, "cmp/results.jsonl"), lines);

    let mut short = tinygpt(&folder);
    short.arg("compare").args(&small).args(["--budget", "1ms", "--out", "other"]);
    let error = fail(&mut short, 2);
    assert!(error.contains("--budget is too small"), "{error}");
}

#[test]
fn processes_sharing_a_directory_split_the_runs_and_agree() {
    let folder = folder();
    let start = || {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_tinygpt"));
        command.current_dir(folder.path()).arg("compare").args(small_but(&["--steps", "60"]));
        command.args(["--acts", "relu,gelu,swiglu", "--seeds", "2", "--out", "cmp", "--json"]);
        let piped = || std::process::Stdio::piped();
        command.stdout(piped()).stderr(piped()).spawn().unwrap()
    };
    let losses = |output: std::process::Output| -> Vec<Value> {
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let report = last_line(&String::from_utf8(output.stdout).unwrap());
        report["results"].as_array().unwrap().iter().map(|arm| arm["val_loss_mean"].clone()).collect()
    };
    let started = [start(), start(), start()];
    let together: Vec<Vec<Value>> =
        started.into_iter().map(|process| losses(process.wait_with_output().unwrap())).collect();
    assert!(together[0] == together[1] && together[1] == together[2], "{together:?}");
    let lines = String::from_utf8(read(&folder, "cmp/results.jsonl")).unwrap();
    assert_eq!(lines.lines().count(), 6, "{lines}");
    // --jobs gives the same result as a single process.
    let alone = compare(&folder, &["--acts", "relu,gelu,swiglu", "--seeds", "2", "--steps", "60"]);
    let mut jobs = tinygpt(&folder);
    jobs.arg("compare").args(small_but(&["--steps", "60", "--acts", "relu,gelu,swiglu", "--seeds", "2"]));
    let report = last_line(&succeed(jobs.args(["--out", "jobs", "--json", "--jobs", "2"])));
    for (a, b) in alone["results"].as_array().unwrap().iter().zip(report["results"].as_array().unwrap()) {
        assert_eq!((&a["act"], &a["val_loss_mean"]), (&b["act"], &b["val_loss_mean"]));
    }
}

#[test]
fn compare_writes_a_report_that_can_be_rewritten_at_any_time() {
    let folder = folder();
    std::fs::rename(folder.path().join("text.txt"), folder.path().join("<b>&.txt")).unwrap();
    let flags = ["--data", "<b>&.txt", "--acts", "relu,gelu", "--seeds", "2", "--out", "cmp"];
    let page = |folder: &TempDir| String::from_utf8(read(folder, "cmp/report.html")).unwrap();
    let mut first = tinygpt(&folder);
    succeed(first.arg("compare").args(small_but(&flags)).args(["--only", "1"]));
    assert_eq!(succeed(tinygpt(&folder).args(["report", "cmp"])), "cmp/report.html\n");
    assert!(page(&folder).contains("Only relu has finished runs"));
    assert!(page(&folder).contains("1 of 4"), "a sweep that is still running says so");

    let mut all = tinygpt(&folder);
    succeed(all.arg("compare").args(small_but(&flags)).args(["--plot", "plots"]));
    let whole = page(&folder);
    assert!(
        whole.contains("Verdicts need at least 3 seeds; this comparison has 2.")
            && !whole.contains("<b>&.txt")
    );
    assert!(whole.contains("&lt;b&gt;&amp;.txt") && whole.contains("tinygpt compare --"));
    for name in ["loss-by-tokens.svg", "final-loss.svg", "differences.svg", "table.csv", "table.md"] {
        assert!(exists(&folder, &format!("plots/{name}")), "{name}");
    }
    std::fs::remove_file(folder.path().join("cmp/report.html")).unwrap();
    succeed(tinygpt(&folder).args(["report", "cmp"]));
    assert_eq!(page(&folder), whole);

    let error = fail(tinygpt(&folder).args(["report", "nowhere"]), 2);
    assert!(error.contains("nowhere holds no comparison"), "{error}");
}

#[test]
fn compare_rejects_the_directory_of_a_run() {
    let folder = folder();
    train(&folder, &["--out", "run"]);
    let before = read(&folder, "run/metrics.jsonl");
    let compare = ["compare", "--out", "run", "--acts", "relu,gelu"];
    for force in [&[][..], &["--force"]] {
        let error = fail(tinygpt(&folder).args(compare).args(small_but(&[])).args(force), 2);
        assert!(error.contains("holds no comparison"), "{error}");
    }
    assert_eq!(read(&folder, "run/metrics.jsonl"), before);
    assert!(exists(&folder, "run/best") && !exists(&folder, "run/compare.json"));
}

#[test]
fn a_smaller_comparison_does_not_replace_a_larger_one() {
    let folder = folder();
    let large = ["--acts", "relu,gelu,silu", "--seeds", "2"];
    compare(&folder, &large);
    let files =
        || ["report.html", "compare.json", "results.jsonl"].map(|name| read(&folder, &format!("cmp/{name}")));
    let before = files();
    for small in [["--acts", "relu,gelu", "--seeds", "2"], ["--acts", "relu,gelu,silu", "--seeds", "1"]] {
        let mut command = tinygpt(&folder);
        command.arg("compare").args(small_but(&small)).args(["--out", "cmp"]);
        let error = fail(&mut command, 2);
        assert!(error.contains("larger comparison") && error.contains("--out"), "{error}");
        assert_eq!(files(), before);
    }
    // The same activations with other widths are different runs.
    let mut flops = tinygpt(&folder);
    flops.arg("compare").args(small_but(&large)).args(["--out", "cmp", "--match", "flops"]);
    assert!(fail(&mut flops, 2).contains("other settings"));
    let larger = compare(&folder, &["--acts", "relu,gelu,silu,swiglu", "--seeds", "2"]);
    assert_eq!(larger["results"].as_array().unwrap().len(), 4);
    assert!(String::from_utf8(read(&folder, "cmp/report.html")).unwrap().contains("swiglu"));
}

#[test]
fn unnamed_comparisons_are_numbered_and_resumed() {
    let folder = folder();
    let unnamed = |flags: &[&str]| {
        let small: Vec<&str> =
            SMALL.chunks(2).filter(|pair| !flags.contains(&pair[0])).flatten().copied().collect();
        let mut command = tinygpt(&folder);
        succeed(command.arg("compare").args(small).args(flags));
    };
    let runs = |name: &str| {
        let lines = std::fs::read_to_string(folder.path().join(name).join("results.jsonl"));
        lines.map_or(0, |lines| lines.lines().count())
    };
    unnamed(&["--acts", "relu,gelu", "--seeds", "2"]);
    unnamed(&["--acts", "relu,gelu", "--seeds", "1", "--jobs", "2"]);
    unnamed(&["--acts", "relu,gelu", "--seeds", "2", "--steps", "6"]);
    assert_eq!(["runs/compare", "runs/compare-2", "runs/compare-3"].map(runs), [4, 2, 4]);
    // A repeated command finds its own comparison. A larger one extends the first that matches.
    for flags in [
        &["--acts", "relu,gelu", "--seeds", "2", "--steps", "6"][..],
        &["--acts", "relu,gelu", "--seeds", "3"],
    ] {
        unnamed(flags);
    }
    assert_eq!(["runs/compare", "runs/compare-2", "runs/compare-3"].map(runs), [6, 2, 4]);
    assert_eq!(succeed(tinygpt(&folder).arg("report")), "runs/compare/report.html\n");
    assert!(!exists(&folder, "runs/compare-4"));
}

#[test]
fn replacing_a_comparison_plans_every_run_again() {
    let folder = folder();
    compare(&folder, &["--acts", "relu,gelu", "--seeds", "1"]);
    let flags =
        ["--acts", "relu,gelu", "--seeds", "1", "--beta2", "0.9", "--out", "cmp", "--force", "--dry-run"];
    let output = tinygpt(&folder).arg("compare").args(small_but(&flags)).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(
        output.status.success() && told.contains("2 runs of 12 steps") && !told.contains("left"),
        "{told}"
    );
}
