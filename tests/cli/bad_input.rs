//! Bad input: one clear line, exit code 2, nothing lost.

use super::*;

#[test]
fn wrong_files_are_named_with_what_is_wrong() {
    let folder = folder();
    write(&folder, "empty.txt", "");
    write(&folder, "short.txt", "hello\n");
    std::fs::write(folder.path().join("binary.txt"), [b'a', 0x80, 0x00, 0xFD, 0xFE, 0xA0, 0x00]).unwrap();
    let cases = [
        ("missing.txt", "cannot read missing.txt"),
        ("empty.txt", "empty.txt is empty"),
        ("binary.txt", "binary.txt is not UTF-8 (byte 1"),
        ("short.txt", "at least 17 are needed for a context of 16"),
        ("*.tex", "no file matches '*.tex'"),
        ("tales:fr", "tales:ja"),
    ];
    for (file, expected) in cases {
        let error = fail(tinygpt(&folder).args(small_but(&["--data", file, "--out", "run"])), 2);
        assert!(error.contains(expected), "{error}");
        assert!(!exists(&folder, "run"), "{file} left a run behind");
    }
}

#[test]
fn wrong_flags_are_named_with_what_is_allowed() {
    let folder = folder();
    let cases: &[(&[&str], &str)] = &[
        (&["--act", "gleu"], "swiglu"),
        (&["--model", "enormous"], "shakespeare-char"),
        (&["--heads", "3"], "--heads 3 does not divide --dim 16"),
        (&["--dim", "18", "--heads", "2"], "head size 9"),
        (&["--kv-heads", "3", "--heads", "4"], "--kv-heads 3 does not divide --heads 4"),
        (&["--backbone", "gpt2", "--kv-heads", "1"], "llama"),
        (&["--layers", "0"], "--layers is 0"),
        (&["--dim", "99999999999"], "between 1 and"),
        (&["--steps", "0"], "--steps is 0"),
        (&["--dropout", "1.5"], "--dropout is 1.5"),
        (&["--lr", "nan"], "finite number"),
        (&["--lr", "-1"], "--lr"),
        (&["--threads", "0"], "--threads is 0"),
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
fn a_preset_with_an_unknown_key_is_refused_with_its_line() {
    let folder = folder();
    write(&folder, "mine.toml", "# mine\nlayers = 1\n\nlayerz = 2\n");
    let error = fail(tinygpt(&folder).args(["--model", "mine.toml"]), 2);
    assert!(error.contains("mine.toml, line 4") && error.contains("layerz"), "{error}");
}

#[test]
fn a_run_in_the_way_is_kept_unless_forced() {
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
fn runs_without_a_name_never_collide() {
    let folder = folder();
    for _ in 0..2 {
        train(&folder, &["--act", "glu:mish", "--steps", "1"]);
    }
    assert!(exists(&folder, "runs/glu-mish/last") && exists(&folder, "runs/glu-mish-2/last"));
}

/// Rewrites the safetensors header of a checkpoint; the data behind it stays.
fn with_header(folder: &TempDir, change: impl Fn(&str) -> String) {
    let bytes = read(folder, "run/last/model.safetensors");
    let length = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let header = change(std::str::from_utf8(&bytes[8..8 + length]).unwrap());
    let file = [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &bytes[8 + length..]].concat();
    std::fs::write(folder.path().join("run/last/model.safetensors"), file).unwrap();
}

#[test]
fn a_broken_checkpoint_is_refused_with_the_tensor_that_is_wrong() {
    let folder = folder();
    train(&folder, &["--out", "run"]);
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
    // The model of another config.json: a tensor is missing.
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
fn a_missing_checkpoint_says_what_to_do() {
    let folder = folder();
    let error = fail(tinygpt(&folder).arg("generate"), 2);
    assert!(error.contains("no run in runs/") && error.contains("--checkpoint"), "{error}");
    let error = fail(tinygpt(&folder).args(["eval", "--checkpoint", "nowhere", "--data", "text.txt"]), 2);
    assert!(error.contains("nowhere"), "{error}");
    let error = fail(tinygpt(&folder).args(["train", "--resume", "nowhere"]), 2);
    assert!(error.contains("nowhere"), "{error}");
}

#[test]
fn sampling_flags_out_of_range_are_refused() {
    let folder = folder();
    train(&folder, &["--out", "run"]);
    for (flag, value) in
        [("--temperature", "-1"), ("--top-p", "1.5"), ("--min-p", "2"), ("--repeat-penalty", "0")]
    {
        let flag_value = format!("{flag}={value}");
        let error = fail(tinygpt(&folder).args(["generate", "--checkpoint", "run", &flag_value]), 2);
        assert!(error.contains(flag), "{error}");
    }
    let error = fail(
        tinygpt(&folder).args(["eval", "--checkpoint", "run", "--data", "text.txt", "--stride", "17"]),
        2,
    );
    assert!(error.contains("--stride is 17"), "{error}");
}
