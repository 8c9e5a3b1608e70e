//! Settings in the plan, in JSON, and in files of tinygpt 0.1.

use super::*;

#[test]
fn the_plan_shows_the_effective_settings() {
    let folder = folder();
    let flags = small_but(&["--dry-run", "--beta1", "0.85", "--seed", "7", "--grad-accum", "3"]);
    let output = tinygpt(&folder).arg("train").args(flags).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    for expected in [
        "lr 0.01, cosine to 1e-3, warmup 0;",
        "decay 0.1, betas 0.85 0.99, clip 1",
        "4 sequences x 3; dropout 0, seed 7, tokenizer char",
        "cpu, ",
        "threads 1, f32, fused operations",
    ] {
        assert!(told.contains(expected), "{expected}: {told}");
    }
    let settings =
        told.lines().filter(|line| ["AdamW", "batch", "machine"].iter().any(|name| line.starts_with(name)));
    assert!(settings.clone().count() == 3 && settings.clone().all(|line| line.len() <= 80), "{told}");
}

#[test]
fn a_dry_run_prints_every_setting_as_json() {
    let folder = folder();
    let planned = train(&folder, &["--dry-run", "--act", "gelu"]);
    let settings = &planned["settings"];
    for (key, value) in [("act", "gelu"), ("data", "text.txt"), ("tokenizer", "char"), ("device", "cpu")] {
        assert_eq!(settings[key], value, "{planned}");
    }
    for (key, value) in
        [("ffn-dim", 64.0), ("min-lr", 1e-3), ("kv-heads", 2.0), ("seed", 1.0), ("threads", 1.0)]
    {
        assert_eq!(number(settings, key), value, "{planned}");
    }
    assert!(number(&planned, "memory_bytes") > 0.0 && number(&planned, "seconds") > 0.0);
    let trained = train(&folder, &["--act", "gelu", "--out", "run"]);
    assert_eq!(planned["params"]["total"], trained["params"]);
    assert_eq!(planned["flops_per_token"], trained["flops_per_token"]);
    let resumed = succeed(tinygpt(&folder).args(["train", "--resume", "run", "--dry-run", "--json"]));
    assert_eq!(number(&last_line(&resumed), "first_step"), 12.0);
}

#[test]
fn a_dry_comparison_prints_its_plan_as_json() {
    let folder = folder();
    let mut command = tinygpt(&folder);
    command.args(["compare", "--acts", "relu,swiglu", "--seeds", "3", "--match-init", "--dry-run", "--json"]);
    let plan = last_line(&succeed(command.args(SMALL)));
    assert_eq!((number(&plan, "runs"), number(&plan, "steps")), (6.0, 12.0));
    assert_eq!((plan["arms"][1]["act"].as_str(), plan["baseline"].as_str()), (Some("swiglu"), Some("relu")));
    assert!(number(&plan["arms"][1], "ffn_init_scale") > 0.0 && number(&plan["arms"][0], "params") > 0.0);
    assert!(number(&plan, "seconds") > 0.0 && plan["settings"]["lr"] == 0.01, "{plan}");
    assert!(!exists(&folder, "runs"));
}

/// Edits `trainer.json` to look as if tinygpt 0.1 had written it.
fn as_written_before(folder: &TempDir, change: impl Fn(&mut Value)) {
    let path = folder.path().join("run/last/trainer.json");
    let mut state: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    change(&mut state);
    std::fs::write(&path, state.to_string()).unwrap();
    std::fs::remove_file(folder.path().join("run/last/SHA256SUMS")).unwrap();
}

#[test]
fn settings_of_the_first_release_still_open() {
    let folder = folder();
    train(&folder, &["--out", "run"]);
    as_written_before(&folder, |state| {
        state["settings"]["dtype"] = "f32".into();
        state["settings"]["ffn-init-scale"] = 1.0.into();
        state.as_object_mut().unwrap().remove("started_in");
    });
    succeed(tinygpt(&folder).args(["train", "--resume", "run", "--steps", "14"]));
    let state: Value = serde_json::from_slice(&read(&folder, "run/last/trainer.json")).unwrap();
    assert!(state["settings"].get("dtype").is_none() && state["step"] == 14, "{state}");

    write(&folder, "mine.toml", "# mine\ndtype = \"f32\"\nffn-init-scale = 2.0\n");
    let planned = train(&folder, &["--model", "mine.toml", "--dry-run"]);
    assert_eq!(number(&planned["settings"], "ffn-init-scale"), 2.0);
    write(&folder, "mine.toml", "# mine\ndtype = \"f16\"\n");
    let error = fail(tinygpt(&folder).args(["--model", "mine.toml"]), 2);
    assert!(error.contains("mine.toml, line 2") && error.contains("f32"), "{error}");
}
