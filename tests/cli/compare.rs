//! Comparing: paired, resumable, and honest about what one seed can say.

use super::*;

fn compare(folder: &TempDir, flags: &[&str]) -> Value {
    let command = &mut tinygpt(folder);
    last_line(&succeed(command.arg("compare").args(small_but(flags)).args(["--out", "cmp", "--json"])))
}

#[test]
fn every_arm_is_reported_against_the_baseline_best_first() {
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
        if arm["act"] == "swiglu" {
            assert!(arm["delta"].is_null());
            continue;
        }
        let delta = number(arm, "val_loss_mean") - number(base, "val_loss_mean");
        assert!((number(arm, "delta") - delta).abs() < 1e-9);
        let (low, high) = (arm["ci95"][0].as_f64().unwrap(), arm["ci95"][1].as_f64().unwrap());
        assert!(low < delta && delta < high, "{arm}");
    }
}

#[test]
fn finished_runs_are_not_repeated_and_a_killed_one_goes_on() {
    let folder = folder();
    let whole = compare(&folder, &["--acts", "relu,gelu", "--seeds", "1"]);
    let lines = read(&folder, "cmp/results.jsonl");
    assert_eq!(lines.iter().filter(|byte| **byte == b'\n').count(), 2);
    assert_eq!(compare(&folder, &["--acts", "relu,gelu", "--seeds", "1"]), whole);
    assert_eq!(read(&folder, "cmp/results.jsonl"), lines);

    // As a kill leaves it: the second line cut in the middle, its run at an earlier checkpoint.
    write(&folder, "cmp/results.jsonl", &String::from_utf8_lossy(&lines[..lines.len() - 40]));
    let again = compare(&folder, &["--acts", "relu,gelu", "--seeds", "1"]);
    for (a, b) in whole["results"].as_array().unwrap().iter().zip(again["results"].as_array().unwrap()) {
        assert_eq!(
            (&a["act"], &a["val_loss_mean"], &a["delta"]),
            (&b["act"], &b["val_loss_mean"], &b["delta"])
        );
    }
    // A further seed trains only what is missing.
    compare(&folder, &["--acts", "relu,gelu", "--seeds", "2"]);
    let lines = read(&folder, "cmp/results.jsonl");
    assert_eq!(lines.iter().filter(|byte| **byte == b'\n').count(), 4);
}

#[test]
fn a_comparison_with_other_settings_is_not_mixed_in() {
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
fn arms_of_one_seed_read_the_same_batches_and_share_initial_values() {
    let folder = folder();
    compare(&folder, &["--acts", "relu,identity", "--seeds", "1", "--lr", "0"]);
    let tensors = |act: &str| read(&folder, &format!("cmp/{act}-seed1/last/model.safetensors"));
    // Nothing was learned at a rate of zero, and ungated arms have the same tensors.
    assert_eq!(tensors("relu"), tensors("identity"));
}

#[test]
fn the_table_is_markdown() {
    let folder = folder();
    let table =
        succeed(tinygpt(&folder).arg("compare").args(SMALL).args(["--acts", "relu,gelu", "--seeds", "1"]));
    assert!(table.contains("| act ") && table.contains("| gelu ") && table.contains("baseline"), "{table}");
}

/// Decay by a factor of 1 - 10 * 10 per step overflows every arm's weights: the second still runs.
#[test]
fn a_run_that_diverges_is_reported_and_the_others_go_on() {
    let folder = folder();
    let rates = ["--lr", "10", "--warmup", "0", "--min-lr", "10", "--weight-decay", "10", "--steps", "400"];
    let arms = ["--acts", "relu,gelu", "--seeds", "1", "--eval-every", "0", "--out", "cmp"];
    let mut command = tinygpt(&folder);
    command.arg("compare").args(small_but(&[rates.as_slice(), &arms].concat())).arg("--json");
    // The second time nothing is left to run.
    for _ in 0..2 {
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
        let report = last_line(&String::from_utf8(output.stdout).unwrap());
        let diverged: Vec<&Value> =
            report["diverged"].as_array().unwrap().iter().map(|run| &run["act"]).collect();
        assert_eq!(diverged, ["relu", "gelu"]);
    }
}
