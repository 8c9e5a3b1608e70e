//! `tinygpt compare`: paired runs, resuming, and verdicts only with enough seeds.

use super::*;
use serde_json::json;

pub fn compare(folder: &TempDir, flags: &[&str]) -> Value {
    let command = &mut tinygpt(folder);
    last_line(&succeed(command.arg("compare").args(small_but(flags)).args(["--out", "cmp", "--json"])))
}

#[test]
fn arms_are_compared_with_the_baseline_and_listed_best_first() {
    let folder = folder();
    let report = compare(&folder, &["--acts", "relu,swiglu,sigmoid", "--seeds", "2", "--baseline", "swiglu"]);
    let results = report["results"].as_array().unwrap();
    assert_eq!(results.len(), 3);
    let losses: Vec<f64> = results.iter().map(|arm| number(arm, "val_loss_mean")).collect();
    assert!(losses.windows(2).all(|pair| pair[0] <= pair[1]), "{losses:?}");
    let base = results.iter().find(|arm| arm["act"] == "swiglu").unwrap();
    for arm in results {
        assert_eq!(number(arm, "seeds"), 2.0);
        for key in ["params", "ffn_dim", "val_loss_std", "perplexity", "bits_per_byte", "tokens_per_second"] {
            assert!(number(arm, key) > 0.0, "{key} in {arm}");
        }
        for key in ["best_loss_mean", "peak_rss_mb", "flops_per_token", "ffn_output_rms"] {
            assert!(number(arm, key) > 0.0, "{key} in {arm}");
        }
        if arm["act"] == "swiglu" {
            assert!(arm["delta"].is_null());
            continue;
        }
        let delta = number(arm, "val_loss_mean") - number(base, "val_loss_mean");
        assert!((number(arm, "delta") - delta).abs() < 1e-9);
        let (low, high) = (arm["ci95"][0].as_f64().unwrap(), arm["ci95"][1].as_f64().unwrap());
        assert!(low < delta && delta < high, "{arm}");
        assert!((0.0..=1.0).contains(&number(arm, "p")), "{arm}");
        // Two seeds give no verdict.
        assert_eq!(arm["verdict"], "too_few_seeds");
    }
}

#[test]
fn arms_with_the_same_seed_share_batches_and_initial_values() {
    let folder = folder();
    compare(&folder, &["--acts", "relu,identity", "--seeds", "1", "--lr", "0"]);
    let tensors = |act: &str| read(&folder, &format!("cmp/{act}-seed1/last/model.safetensors"));
    // A learning rate of zero keeps the initial values, and ungated arms have the same tensors.
    assert_eq!(tensors("relu"), tensors("identity"));
}

#[test]
fn the_table_is_markdown() {
    let folder = folder();
    let table =
        succeed(tinygpt(&folder).arg("compare").args(SMALL).args(["--acts", "relu,gelu", "--seeds", "1"]));
    assert!(
        table.contains("| activation ") && table.contains("| gelu ") && table.contains("baseline"),
        "{table}"
    );
    assert!(
        table.ends_with(
            "Verdicts need at least 3 seeds; this comparison has 1. relu has the lowest loss so far.\n"
        ) || table.ends_with(
            "Verdicts need at least 3 seeds; this comparison has 1. gelu has the lowest loss so far.\n"
        ),
        "{table}"
    );
}

/// Weight decay multiplies the weights by 1 - 10 * 10 per step, so every arm diverges. The second arm must still run.
#[test]
fn diverged_runs_are_reported_and_the_others_continue() {
    let folder = folder();
    let rates = ["--lr", "10", "--warmup", "0", "--min-lr", "10", "--weight-decay", "10", "--steps", "400"];
    let arms = ["--acts", "relu,gelu", "--seeds", "1", "--eval-every", "0", "--out", "cmp"];
    let mut command = tinygpt(&folder);
    command.arg("compare").args(small_but(&[rates.as_slice(), &arms].concat())).arg("--json");
    // The second time, no runs are left.
    for _ in 0..2 {
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
        let report = last_line(&String::from_utf8(output.stdout).unwrap());
        let diverged: Vec<&Value> =
            report["diverged"].as_array().unwrap().iter().map(|run| &run["act"]).collect();
        assert_eq!(diverged, ["relu", "gelu"]);
        let verdicts: Vec<&Value> =
            report["results"].as_array().unwrap().iter().map(|arm| &arm["verdict"]).collect();
        assert_eq!(verdicts, ["diverged", "diverged"]);
    }
}

/// swiglu beats sigmoid clearly enough for a verdict with three seeds.
#[test]
fn three_seeds_with_a_clear_difference_give_a_verdict() {
    let folder = folder();
    let flags = ["--acts", "swiglu,sigmoid", "--baseline", "sigmoid", "--seeds", "3", "--steps", "60"];
    let report = compare(&folder, &flags);
    let winner = &report["results"][0];
    assert_eq!((&winner["act"], &winner["verdict"]), (&json!("swiglu"), &json!("better")), "{report}");
    assert!(winner["ci95"][1].as_f64().unwrap() < 0.0 && winner["text_ci95"][1].as_f64().unwrap() < 0.0);
    let headline = report["headline"].as_str().unwrap();
    assert!(headline.starts_with("swiglu beats sigmoid by ") && headline.contains("at this learning rate"));

    // The difference is smaller than --matters, which makes the two equal.
    let report = compare(&folder, &[flags.as_slice(), &["--matters", "90%"]].concat());
    assert_eq!(report["results"][0]["verdict"], "equal_slightly_better");

    // Scripts ask for a verdict from either side. Everything has been trained, so only the verdict is checked.
    let asserting = |text: &str| {
        let mut command = tinygpt(&folder);
        command.arg("compare").args(SMALL).args(flags).args(["--out", "cmp", "--assert", text]);
        command.output().unwrap()
    };
    for shown in ["swiglu better than sigmoid", "sigmoid worse than swiglu"] {
        assert!(asserting(shown).status.success(), "{shown}");
    }
    let refuted = asserting("swiglu equal to sigmoid");
    let error = String::from_utf8(refuted.stderr).unwrap();
    assert_eq!(refuted.status.code(), Some(4), "{error}");
    assert!(error.contains("swiglu against sigmoid is \"better\""), "{error}");
    assert!(!refuted.stdout.is_empty(), "the table comes first");
    let other = asserting("swiglu better than gelu");
    assert_eq!(other.status.code(), Some(2), "a pair that isn't tested");
}

#[test]
fn arms_can_differ_in_two_settings_and_resume() {
    let folder = folder();
    let run = |flags: &[&str]| {
        let mut command = tinygpt(&folder);
        command.arg("compare").args(SMALL).args(["--seeds", "3", "--steps", "2"]).args(flags);
        let output = command.output().unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        (output.status.code(), text(output.stdout), text(output.stderr))
    };
    let flags = ["--acts", "relu,swiglu", "--vary", "batch-size=2,4", "--out", "cmp"];
    let (code, table, plan) = run(&flags);
    assert_eq!(code, Some(0), "{plan}");
    assert!(plan.contains("4 arms x 3 seeds = 12 runs of 2 steps"), "{plan}");
    assert!(plan.contains("2 pairs with relu, and how differences change with batch-size (1)"), "{plan}");
    assert!(table.contains("it changes by"), "{table}");
    // Every run was of its own batch size.
    for (arm, size) in [("relu+batch-size=2", 2), ("swiglu+batch-size=4", 4)] {
        let trainer = read(&folder, &format!("cmp/{arm}-seed1/last/trainer.json"));
        let trainer: Value = serde_json::from_slice(&trainer).unwrap();
        assert_eq!(trainer["settings"]["batch-size"], size);
    }
    // The same command finds everything done; one with another setting is another comparison.
    let (code, again, nothing) = run(&flags);
    assert_eq!((code, again), (Some(0), table));
    assert!(!nothing.contains("plan "), "{nothing}");
    let (code, _, error) = run(&["--acts", "relu,swiglu", "--vary", "dim=8,16", "--out", "cmp"]);
    assert_eq!(code, Some(2), "{error}");
    assert!(error.contains("other settings or another text"), "{error}");

    // One setting other than the activation.
    let rates = ["--act", "gelu", "--vary", "lr=1e-3,1e-2", "--baseline", "1e-2", "--out", "rates"];
    let (code, table, error) = run(&rates);
    assert_eq!(code, Some(0), "{error}");
    assert!(table.contains("vs lr 0.01"), "{table}");
}

/// Otherwise the pairs could be chosen after a look at the results.
#[test]
fn a_finished_comparison_keeps_the_pairs_it_was_begun_with() {
    let folder = folder();
    let run = |flags: &[&str]| {
        let mut command = tinygpt(&folder);
        command.arg("compare").args(SMALL).args(["--acts", "relu,gelu,silu", "--seeds", "3", "--out", "cmp"]);
        command.args(flags).output().unwrap()
    };
    assert!(run(&["--baseline", "relu", "--steps", "2"]).status.success());
    let other = run(&["--baseline", "gelu", "--steps", "2"]);
    let error = String::from_utf8(other.stderr).unwrap();
    assert_eq!(other.status.code(), Some(2), "{error}");
    assert!(
        error.contains("tested pairs that this one leaves out") && error.contains("--all-pairs"),
        "{error}"
    );
    let all = run(&["--all-pairs", "--steps", "2", "--json"]);
    let report: Value = serde_json::from_slice(&all.stdout).unwrap();
    assert_eq!(report["pairs"].as_array().unwrap().len(), 3, "{report}");
}

#[test]
fn compare_prints_a_plan_and_a_dry_run_stops_there() {
    let folder = folder();
    let mut command = tinygpt(&folder);
    command.arg("compare").args(SMALL).args(["--acts", "relu,swiglu", "--seeds", "4", "--dry-run"]);
    let output = command.args(["--out", "cmp"]).output().unwrap();
    let plan = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && output.stdout.is_empty(), "{plan}");
    assert!(plan.contains("2 activations x 4 seeds = 8 runs of 12 steps"), "{plan}");
    assert!(
        plan.contains("milliseconds per step: relu") && plan.contains("% of the loss with a chance of"),
        "{plan}"
    );
    assert!(plan.contains("root mean square of the FFN outputs: relu 0."), "{plan}");
    assert!(!exists(&folder, "cmp"));

    let mut long = tinygpt(&folder);
    long.arg("compare").args(small_but(&["--steps", "10000"])).args(["--dry-run", "--seeds", "3"]);
    let warning = String::from_utf8(long.output().unwrap().stderr).unwrap();
    assert!(warning.contains("warning:") && warning.contains("passes over the training text"), "{warning}");
}

#[test]
fn a_learning_rate_grid_compares_arms_at_their_best_rates() {
    let folder = folder();
    let flags = ["--acts", "relu,gelu", "--seeds", "1", "--lrs", "1e-2,1e-5,1e-3"];
    let kept: Vec<&str> = SMALL.chunks(2).filter(|pair| pair[0] != "--lr").flatten().copied().collect();
    let mut command = tinygpt(&folder);
    command.arg("compare").args(&kept).args(flags).args(["--out", "cmp"]);
    let report = last_line(&succeed(command.arg("--json")));
    for arm in report["results"].as_array().unwrap() {
        let rates = arm["rates"].as_array().unwrap();
        let lrs: Vec<f64> = rates.iter().map(|rate| number(rate, "lr")).collect();
        assert_eq!(lrs, [1e-5, 1e-3, 1e-2]);
        let losses: Vec<f64> = rates.iter().map(|rate| number(&rate["loss"], "mean")).collect();
        let best = losses.iter().copied().fold(f64::INFINITY, f64::min);
        assert_eq!(number(arm, "val_loss_mean"), best);
        assert!((number(arm, "sensitivity") - (losses[0] - best)).abs() < 1e-9, "{arm}");
    }
    // A rate of 1e-5 learns almost nothing, so the best rate is at the upper edge of the grid.
    let warnings = report["warnings"].to_string();
    assert!(warnings.contains("edge of the grid"), "{warnings}");
    assert!(exists(&folder, "cmp/relu-lr0.001-seed1/last"));
}

#[test]
fn match_init_gives_all_arms_the_same_initial_output() {
    let folder = folder();
    let rms = |flags: &[&str]| -> Vec<f64> {
        let acts = ["--acts", "relu,swiglu,sigmoid", "--seeds", "1", "--steps", "1", "--force"];
        let report = compare(&folder, &[acts.as_slice(), flags].concat());
        report["results"].as_array().unwrap().iter().map(|arm| number(arm, "ffn_output_rms")).collect()
    };
    let spread = |rms: &[f64]| {
        rms.iter().copied().fold(0.0, f64::max) / rms.iter().copied().fold(f64::INFINITY, f64::min)
    };
    assert!(spread(&rms(&[])) > 1.3);
    assert!(spread(&rms(&["--match-init"])) < 1.02);
}

#[test]
fn tasks_of_a_scheduler_train_one_run_each() {
    let folder = folder();
    let design = ["--acts", "relu,gelu", "--seeds", "2", "--out", "cmp"];
    let error = fail(tinygpt(&folder).arg("compare").args(design).arg("--plan"), 2);
    assert!(error.contains("--plan was removed: `compare --dry-run`"), "{error}");
    let finished = |folder: &TempDir| String::from_utf8(read(folder, "cmp/results.jsonl")).unwrap();
    succeed(tinygpt(&folder).arg("compare").args(SMALL).args(design).args(["--only", "2"]));
    assert!(finished(&folder).contains("\"act\":\"gelu\",\"lr\":null,\"seed\":1,"));
    assert_eq!(finished(&folder).lines().count(), 1);
    let mut array = tinygpt(&folder);
    succeed(array.arg("compare").args(SMALL).args(design).env("SLURM_ARRAY_TASK_ID", "4"));
    assert!(finished(&folder).lines().nth(1).unwrap().contains("\"act\":\"gelu\",\"lr\":null,\"seed\":2,"));
    let error = fail(tinygpt(&folder).arg("compare").args(SMALL).args(design).args(["--only", "5"]), 2);
    assert!(error.contains("between 1 and 4"), "{error}");
    // A command without --only trains the remaining runs and evaluates.
    let report = compare(&folder, &["--acts", "relu,gelu", "--seeds", "2"]);
    assert_eq!(number(&report["results"][0], "seeds"), 2.0);
}

#[test]
fn bad_compare_flags_give_one_line_and_write_nothing() {
    let folder = folder();
    for (flags, says) in [
        (["--acts", "relu,geluu"], "did you mean 'gelu'?"),
        (["--baseline", "mish"], "--baseline mish is not among the values of act: relu, gelu"),
        (["--lrs", "1e-3,nan"], "--lrs"),
        (["--lrs", "1e-3,100"], "it must be a number between 0.0 and 10.0"),
        (["--matters", "5"], "a share between 0% and 100%, such as 0.5% or 0.005"),
        (["--jobs", "0"], "between 1 and 256"),
        (["--seeds", "0"], "between 1 and 1000"),
        (["--only", "0"], "between 1 and"),
        (["--budget", "soon"], "--budget"),
    ] {
        let without = |pair: &&[&str]| pair[0] != "--lr" || flags[0] != "--lrs";
        let small: Vec<&str> = SMALL.chunks(2).filter(without).flatten().copied().collect();
        let small: Vec<&str> = match flags[0] {
            "--budget" => small.chunks(2).filter(|pair| pair[0] != "--steps").flatten().copied().collect(),
            _ => small,
        };
        let error = fail(tinygpt(&folder).arg("compare").args(small).args(flags).args(["--out", "cmp"]), 2);
        assert!(error.contains(says), "{flags:?}: {error}");
        assert!(!exists(&folder, "cmp"), "{flags:?}");
    }
    let mut array = tinygpt(&folder);
    array.arg("compare").args(SMALL).env("SLURM_ARRAY_TASK_ID", "first");
    assert!(fail(&mut array, 2).contains("SLURM_ARRAY_TASK_ID is 'first'; set it to a whole number"));
}

#[test]
fn invalid_comparisons_are_rejected_before_timing() {
    let folder = folder();
    train(&folder, &["--out", "run"]);
    compare(&folder, &["--acts", "relu", "--seeds", "1"]);
    for (flags, says) in [
        (["--out", "run"].as_slice(), "run holds no comparison"),
        (&["--out", "cmp", "--beta2", "0.9"], "cmp holds a comparison with other settings"),
        (&["--out", "new", "--plot", "text.txt"], "--plot text.txt isn't a directory"),
        (&["--out", "text.txt"], "text.txt"),
        (&["--out", "new", "--only", "9"], "--only is 9; it must be between 1 and 4"),
    ] {
        let arms = ["--acts", "relu,gelu", "--seeds", "2"];
        let refused =
            tinygpt(&folder).arg("compare").args(small_but(&[&arms, flags].concat())).output().unwrap();
        let told = String::from_utf8(refused.stderr).unwrap();
        assert_eq!(refused.status.code(), Some(2), "{told}");
        // If steps had been timed, a plan would come before the error.
        assert!(told.starts_with("error: ") && told.lines().count() == 1 && told.contains(says), "{told}");
        assert!(!exists(&folder, "new"), "{flags:?}");
    }
    // The check of the budget needs timed steps, so the directory is refused first.
    let untimed: Vec<&str> = SMALL.chunks(2).filter(|pair| pair[0] != "--steps").flatten().copied().collect();
    let budget = ["--budget", "1ms", "--out", "run"];
    let error = fail(tinygpt(&folder).arg("compare").args(untimed).args(budget), 2);
    assert!(error.contains("holds no comparison"), "{error}");
}

#[test]
fn progress_lines_show_the_time_left_for_all_runs() {
    let folder = folder();
    let told = |flags: &[&str]| {
        let arms = ["--acts", "relu,gelu", "--seeds", "1"];
        let output =
            tinygpt(&folder).arg("compare").args(small_but(&[&arms, flags].concat())).output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let alone = told(&["--out", "alone"]);
    let first = alone.lines().find(|line| line.starts_with("[1/2] relu seed 1  step 1/12")).unwrap();
    assert!(first.contains(" left, ") && first.ends_with(" for all runs"), "{first}");
    let workers = told(&["--out", "workers", "--jobs", "2"]);
    assert!(workers.contains("2 of 2 runs are finished, about 0 s left"), "{workers}");
}

#[test]
fn learning_rates_are_printed_without_rounding_errors() {
    let folder = folder();
    let kept: Vec<&str> = SMALL.chunks(2).filter(|pair| pair[0] != "--lr").flatten().copied().collect();
    let grid = ["--acts", "relu,gelu", "--seeds", "1", "--lrs", "0.0006000000000000001,3e-3", "--out", "cmp"];
    let output = tinygpt(&folder).arg("compare").args(kept).args(grid).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap() + &String::from_utf8(output.stdout).unwrap();
    assert!(told.contains("[1/4] relu lr 6e-4 seed 1") && told.contains("| lr 6e-4 | lr 3e-3 |"), "{told}");
    assert!(!told.contains("0.0006"), "{told}");
    // Directory names are the same as in earlier versions.
    assert!(exists(&folder, "cmp/relu-lr0.003-seed1/last"));
    // The default --min-lr is a tenth of --lr.
    train(&folder, &["--lr", "6e-3", "--out", "run"]);
    let resumed = tinygpt(&folder).args(["train", "--resume", "run", "--steps", "14"]).output().unwrap();
    let told = String::from_utf8(resumed.stderr).unwrap();
    assert!(told.contains("falls to 6e-4 at step 14"), "{told}");
}
