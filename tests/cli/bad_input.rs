//! Bad input gives a clear one-line error and exit code 2, and nothing is lost.

use super::*;

#[test]
fn unusable_texts_are_refused_with_the_reason() {
    let folder = folder();
    write(&folder, "empty.txt", "");
    write(&folder, "short.txt", "hello\n");
    std::fs::write(folder.path().join("binary.txt"), [b'a', 0x80, 0x00, 0xFD, 0xFE, 0xA0, 0x00]).unwrap();
    let cases = [
        ("missing.txt", "missing.txt can't be read: No such file"),
        ("empty.txt", "empty.txt is empty"),
        ("binary.txt", "binary.txt isn't text: there is a NUL at byte 2 (line 1)"),
        (
            "short.txt",
            "short.txt has 5 tokens; it needs at least 17 tokens: use a longer text or a smaller --context",
        ),
        ("*.tex", "no file matches '*.tex'"),
        ("tales:fr", "tales[:ja][:facts=N]"),
    ];
    for (file, expected) in cases {
        let error = fail(tinygpt(&folder).args(small_but(&["--data", file, "--out", "run"])), 2);
        assert!(error.contains(expected), "{error}");
        assert!(!exists(&folder, "run"), "{file} left a run behind");
    }
}

#[test]
fn wrong_values_are_refused_with_the_valid_ones() {
    let folder = folder();
    let cases: &[(&[&str], &str)] = &[
        (&["--act", "gleu"], "did you mean 'gelu'?"),
        (&["--act", "x * sigmiod(x)"], "column 5"),
        (&["--model", "enormous"], "shakespeare-char"),
        (&["--heads", "3"], "--heads 3 does not divide --dim 16"),
        (&["--dim", "18", "--heads", "2"], "head size 9"),
        (&["--kv-heads", "3", "--heads", "4"], "--kv-heads 3 does not divide --heads 4"),
        (&["--backbone", "gpt2", "--kv-heads", "1"], "llama"),
        (&["--layers", "0"], "'0' for '--layers <N>': it must be a whole number between 1 and 1024"),
        (&["--dim", "99999999999"], "between 1 and 1048576"),
        (&["--init-std", "1e30"], "'1e30' for '--init-std <STD>': it must be a number between 1e-6 and 1.0"),
        (&["--steps", "0"], "'0' for '--steps <N>': it must be a whole number between 1 and"),
        (&["--warmup", "12"], "--warmup is 12, but the run has 12 steps"),
        (&["--min-lr", "0.1"], "--min-lr is 0.1, more than --lr, 0.01"),
        (&["--dropout", "1"], "between 0.0 and 0.99"),
        (&["--lr", "nan"], "a number between 0.0 and 10.0"),
        (&["--lr", "-1"], "--lr"),
        (&["--threads", "0"], "between 1 and 1024"),
        (&["--device", "tpu"], "cuda"),
        (&["--device", "cuda"], "--features cuda"),
        (&["--tokenizer", "words"], "char"),
    ];
    for (flags, expected) in cases {
        let error = fail(tinygpt(&folder).args(small_but(flags)).args(["--out", "run"]), 2);
        assert!(error.contains(expected), "{flags:?}: {error}");
        assert!(!exists(&folder, "run"), "{flags:?} left a run behind");
    }
}

#[test]
fn an_unknown_key_in_a_preset_is_refused_with_its_line() {
    let folder = folder();
    write(&folder, "mine.toml", "# mine\nlayers = 1\n\nlayerz = 2\n");
    let error = fail(tinygpt(&folder).args(["--model", "mine.toml"]), 2);
    assert!(error.contains("mine.toml, line 4") && error.contains("layerz"), "{error}");
}

#[test]
fn an_existing_run_is_replaced_only_with_force() {
    let folder = folder();
    train(&folder, &["--out", "run"]);
    let before = read(&folder, "run/last/model.safetensors");
    let error = fail(tinygpt(&folder).args(small_but(&["--out", "run", "--seed", "2"])), 2);
    assert!(error.contains("--resume") && error.contains("--force"), "{error}");
    assert_eq!(read(&folder, "run/last/model.safetensors"), before);
    train(&folder, &["--out", "run", "--seed", "2", "--force"]);
    assert_ne!(read(&folder, "run/last/model.safetensors"), before);
}

#[test]
fn runs_without_a_name_get_different_directories() {
    let folder = folder();
    for _ in 0..2 {
        train(&folder, &["--act", "glu:mish", "--steps", "1"]);
    }
    assert!(exists(&folder, "runs/glu-mish/last") && exists(&folder, "runs/glu-mish-2/last"));
    // Runs that start at the same time don't collide either.
    let start = || {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_tinygpt"));
        command.current_dir(folder.path()).args(small_but(&["--act", "relu", "--steps", "1"]));
        command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null()).spawn().unwrap()
    };
    let mut started = [start(), start(), start()];
    assert!(started.iter_mut().all(|process| process.wait().unwrap().success()));
    for name in ["relu", "relu-2", "relu-3"] {
        assert!(exists(&folder, &format!("runs/{name}/last")), "{name}");
    }
}

/// Rewrites the safetensors header of a checkpoint and keeps the data.
fn with_header(folder: &TempDir, change: impl Fn(&str) -> String) {
    let bytes = read(folder, "run/last/model.safetensors");
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header = change(std::str::from_utf8(&bytes[8..8 + length]).unwrap());
    let file = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &bytes[8 + length..]].concat();
    std::fs::write(folder.path().join("run/last/model.safetensors"), file).unwrap();
}

#[test]
fn a_damaged_checkpoint_is_refused_with_the_wrong_tensor() {
    let folder = folder();
    train(&folder, &["--out", "run"]);
    // Without a manifest, like a directory from another program, the checkpoint is still checked.
    std::fs::remove_file(folder.path().join("run/last/SHA256SUMS")).unwrap();
    let whole = read(&folder, "run/last/model.safetensors");
    let refused = |expected: &str| {
        let error = fail(tinygpt(&folder).args(["generate", "--checkpoint", "run/last"]), 2);
        assert!(error.contains("model.safetensors") && error.contains(expected), "{error}");
    };
    let restore = || std::fs::write(folder.path().join("run/last/model.safetensors"), &whole).unwrap();

    with_header(&folder, |header| header.replace("model.norm.weight", "model.Norm.weight"));
    refused("model.Norm.weight");
    restore();
    with_header(&folder, |header| header.replace("\"shape\":[16]", "\"shape\":[4,4]"));
    refused("[4, 4]");
    restore();
    std::fs::write(folder.path().join("run/last/model.safetensors"), &whole[..whole.len() - 10]).unwrap();
    refused("no whole safetensors file");
    restore();
    // With one more layer in config.json, a tensor is missing.
    let config = String::from_utf8(read(&folder, "run/last/config.json")).unwrap();
    write(
        &folder,
        "run/last/config.json",
        &config.replace("\"num_hidden_layers\": 1", "\"num_hidden_layers\": 2"),
    );
    refused("lacks the tensor model.layers.1");
    write(
        &folder,
        "run/last/config.json",
        &config.replace("\"attention_bias\": false", "\"attention_bias\": true"),
    );
    let error = fail(tinygpt(&folder).args(["generate", "--checkpoint", "run/last"]), 2);
    assert!(error.contains("attention_bias"), "{error}");
}

#[test]
fn a_missing_checkpoint_is_refused_with_advice() {
    let folder = folder();
    let error = fail(tinygpt(&folder).arg("generate"), 2);
    assert!(error.contains("no run in runs/") && error.contains("--checkpoint"), "{error}");
    let error = fail(tinygpt(&folder).args(["eval", "--checkpoint", "nowhere", "--data", "text.txt"]), 2);
    assert!(error.contains("nowhere"), "{error}");
    let error = fail(tinygpt(&folder).args(["train", "--resume", "nowhere"]), 2);
    assert!(error.contains("nowhere"), "{error}");
}

#[test]
fn out_of_range_sampling_flags_are_rejected() {
    let folder = folder();
    train(&folder, &["--out", "run"]);
    for (flag, value) in [
        ("--temperature", "-1"),
        ("--top-p", "1.5"),
        ("--min-p", "2"),
        ("--repeat-penalty", "0"),
        ("--max-tokens", "0"),
        ("--top-k", "18446744073709551615"),
    ] {
        let flag_value = format!("{flag}={value}");
        let error = fail(tinygpt(&folder).args(["generate", "--checkpoint", "run", &flag_value]), 2);
        assert!(error.contains(flag) && error.contains("between"), "{error}");
    }
    let error = fail(
        tinygpt(&folder).args(["eval", "--checkpoint", "run", "--data", "text.txt", "--stride", "17"]),
        2,
    );
    assert!(error.contains("--stride 17 would skip tokens"), "{error}");
}

#[test]
fn absurd_values_are_refused_before_a_model_is_built() {
    let folder = folder();
    let cases: &[(&[&str], &str)] = &[
        (&["--grad-accum", "4611686018427387904"], "--grad-accum"),
        (&["--steps", "18446744073709551615"], "--steps"),
        (&["--warmup", "18446744073709551615"], "--warmup"),
        (&["--layers", "16777216"], "--layers"),
        (&["--threads", "99999"], "--threads"),
        (&["--dim", "65536", "--batch-size", "1000"], "of memory"),
        (&["--batch-size", "900000000"], "--batch-size"),
        (&["--batch-size", "1000000", "--dim", "1024", "--ops", "plain"], "of memory"),
        (&["--batch-size", "1000000", "--grad-accum", "1000000"], "sequences"),
    ];
    for (flags, expected) in cases {
        let error = fail(tinygpt(&folder).args(small_but(flags)).args(["--out", "run", "--dry-run"]), 2);
        assert!(error.contains(expected), "{flags:?}: {error}");
    }
}

/// tinygpt can convert epochs to steps only after it reads the text. The bounds apply to resuming too.
#[test]
fn epochs_have_the_same_bounds_as_steps() {
    let folder = folder();
    let length = |epochs: &str| {
        let flags = small_but(&["--epochs", epochs, "--out", "run"]);
        flags.chunks(2).filter(|pair| pair[0] != "--steps").flatten().cloned().collect::<Vec<String>>()
    };
    let error = fail(tinygpt(&folder).args(length("1e9")), 2);
    assert!(error.contains("--epochs 1000000000") && error.contains("the most are 1000000000"), "{error}");
    assert!(!exists(&folder, "run"));
    succeed(tinygpt(&folder).args(length("0.1")));
    let error = fail(tinygpt(&folder).args(["train", "--resume", "run", "--epochs", "1e9"]), 2);
    assert!(error.contains("the most are 1000000000"), "{error}");
    succeed(tinygpt(&folder).args(["train", "--resume", "run", "--epochs", "1e6", "--dry-run"]));
}

#[test]
fn out_of_range_saved_settings_are_rejected_with_the_file() {
    let folder = folder();
    train(&folder, &["--out", "run"]);
    let saved = String::from_utf8(read(&folder, "run/last/trainer.json")).unwrap();
    let changed = saved.replace("\"lr\": 0.01", "\"lr\": 1e30");
    assert_ne!(saved, changed);
    write(&folder, "run/last/trainer.json", &changed);
    std::fs::remove_file(folder.path().join("run/last/SHA256SUMS")).unwrap();
    let error = fail(tinygpt(&folder).args(["train", "--resume", "run", "--steps", "20"]), 2);
    assert!(error.contains("run/") && error.contains("trainer.json: ") && error.contains("--lr"), "{error}");
    assert!(error.contains("between 0.0 and 10.0"), "{error}");
}

#[test]
fn a_run_shorter_than_the_warmup_of_its_preset_uses_the_default_warmup() {
    let folder = folder();
    let flags = small_but(&["--model", "shakespeare-char", "--out", "run"]);
    let output = tinygpt(&folder).args(&flags).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && told.contains("warmup of 100 steps is longer"), "{told}");
    let rates = String::from_utf8(read(&folder, "run/metrics.jsonl")).unwrap();
    let first: Value = serde_json::from_str(rates.lines().next().unwrap()).unwrap();
    assert_eq!(number(&first, "lr"), 0.01);
}

/// Seeds count up from --seed.
#[test]
fn the_last_of_several_seeds_is_bounded() {
    let folder = folder();
    let seed = i64::MAX.to_string();
    let error = fail(tinygpt(&folder).arg("compare").args(small_but(&["--seed", &seed])), 2);
    assert!(error.contains("to count up from it"), "{error}");
    assert!(!exists(&folder, "runs"));
}

#[test]
fn force_deletes_only_what_tinygpt_wrote() {
    let folder = folder();
    let compare = |flags: &[&str]| {
        let mut command = tinygpt(&folder);
        command
            .arg("compare")
            .args(small_but(&["--acts", "relu", "--seeds", "1", "--out", "cmp"]))
            .args(flags);
        command
    };
    succeed(&mut compare(&[]));
    train(&folder, &["--out", "cmp/mine"]);
    train(&folder, &["--out", "elsewhere"]);
    std::os::unix::fs::symlink("../elsewhere", folder.path().join("cmp/linked")).unwrap();
    std::fs::create_dir(folder.path().join("cmp/gelu-seed1")).unwrap();
    write(&folder, "cmp/gelu-seed1/thesis.tex", "years of work");

    succeed(&mut compare(&["--beta2", "0.9", "--force"]));
    assert!(exists(&folder, "cmp/mine/last/model.safetensors"));
    assert!(exists(&folder, "elsewhere/last/model.safetensors"));
    let mut command = tinygpt(&folder);
    command.args(["compare", "--out", "cmp"]).args(small_but(&[
        "--acts",
        "relu,gelu",
        "--seeds",
        "1",
        "--beta2",
        "0.9",
    ]));
    let error = fail(&mut command, 2);
    assert!(error.contains("thesis.tex"), "{error}");
    assert!(exists(&folder, "cmp/gelu-seed1/thesis.tex"));
}

#[test]
fn a_run_without_a_checkpoint_can_be_replaced_without_force() {
    let folder = folder();
    // Weight decay multiplies the weights by 1 - 10 * 10 per step, so they overflow before the first checkpoint.
    let flags = ["--lr", "10", "--warmup", "0", "--min-lr", "10", "--weight-decay", "10"];
    let length = ["--steps", "400", "--eval-every", "0", "--out", "run"];
    let diverging = small_but(&[flags.as_slice(), &length].concat());
    fail(tinygpt(&folder).args(&diverging), 3);
    train(&folder, &["--out", "run"]);
    assert!(exists(&folder, "run/last/model.safetensors"));
}

#[test]
fn only_one_process_writes_to_a_run() {
    let folder = folder();
    let mut first = std::process::Command::new(env!("CARGO_BIN_EXE_tinygpt"))
        .current_dir(folder.path())
        .args(small_but(&["--steps", "1000000", "--eval-every", "0", "--save-every", "5", "--out", "run"]))
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    while !exists(&folder, "run/last") {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    for flags in [
        vec!["--resume", "run"],
        small_but(&["--out", "run", "--force"]).iter().map(String::as_str).collect(),
    ] {
        let error = fail(tinygpt(&folder).arg("train").args(flags), 2);
        assert!(error.contains("another process"), "{error}");
    }
    first.kill().unwrap();
    first.wait().unwrap();
    succeed(tinygpt(&folder).args(["train", "--resume", "run", "--steps", "100000", "--dry-run"]));
}

#[test]
fn short_texts_are_named_with_their_number_of_tokens() {
    let folder = folder();
    write(&folder, "one.txt", "a");
    let error = fail(tinygpt(&folder).args(small_but(&["--val-data", "one.txt", "--out", "run"])), 2);
    assert!(
        error.contains("the validation text of one.txt has 1 token; it needs at least 2 tokens"),
        "{error}"
    );
    assert!(!error.contains("text.txt"), "{error}");
    let error = fail(tinygpt(&folder).args(small_but(&["--data", "one.txt", "--val-data", "text.txt"])), 2);
    assert!(error.contains("the training text of one.txt has 1 token; it needs at least"), "{error}");
    assert!(!exists(&folder, "run"));
}
