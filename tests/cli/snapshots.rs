//! Whole outputs, compared with the files in `snapshots/`. To accept new outputs and review them as a diff:
//!
//! ```text
//! INSTA_UPDATE=always cargo test --release --test cli snapshots
//! git diff tests/cli/snapshots
//! ```
//!
//! Filters replace everything that depends on the machine or on trained weights.

use super::*;
use insta::{Settings, assert_snapshot};

/// What a command prints, on a terminal of 100 columns.
fn shown(folder: &TempDir, words: &[&str]) -> String {
    let output = tinygpt(folder).env("COLUMNS", "100").args(words).output().unwrap();
    let [stdout, stderr] = [&output.stdout, &output.stderr].map(|stream| String::from_utf8_lossy(stream));
    let words: Vec<String> = words.iter().map(|word| word.replace('\n', "\\n")).collect();
    let mut text = format!("$ tinygpt {}\n{stdout}", words.join(" "));
    if !stderr.is_empty() {
        text += &format!("--- standard error\n{stderr}");
    }
    match output.status.code() {
        Some(0) => text,
        code => format!("{text}--- exit code {}\n", code.unwrap_or(-1)),
    }
    .replace(&folder.path().display().to_string(), "[folder]")
}

/// Runs `test` with filters for trained numbers, times and sizes.
fn masked(test: impl FnOnce()) {
    let filters = [
        // Lines that appear only if something takes long.
        (r"(?m)^step \d+/\d+  .*\n", ""),
        (r", best so far", ""),
        (r"(?m)^.*: (.*, )?\d+ (s|min)\b.* so far\n", ""),
        // Generated text.
        (r"(?m)(^    \| .*\n)+", "    | [text]\n"),
        (r"(?s)a sample:\n.*?\n\n(next|what)", "a sample:\n[text]\n\n$1"),
        (r"(?s)(\$ tinygpt generate [^\n]*\n).*?(---|\z)", "$1[text]\n$2"),
        // Times, sizes and the machine.
        (r"machine cpu, [^,]+", "machine cpu, [instructions]"),
        (r"\d[\d,.]* tokens/s", "[speed] tokens/s"),
        (r"(time    about )[^;]+", "$1[time]"),
        (r"\d[\d.]* (k|M|G)?B\b", "[size]B"),
        (r"\d+%? of the \d+ GFLOP/s", "[share] of the [speed] GFLOP/s"),
        (r"\b\d+ s\b", "[age]"),
        // Losses and other measurements.
        (r"\b\d+\.\d{3,4}\b", "[number]"),
        (r" +\d+\.\d\d +\d+\.\d\d\n", " [ns]\n"),
    ];
    with_filters(&filters, test);
}

fn with_filters(filters: &[(&str, &str)], test: impl FnOnce()) {
    let mut settings = Settings::clone_current();
    settings.set_omit_expression(true);
    settings.set_prepend_module_to_snapshot(false);
    for (pattern, replacement) in filters {
        settings.add_filter(pattern, *replacement);
    }
    settings.bind(test);
}

/// Both forms of help, of the program and of every command.
#[test]
fn help() {
    let folder = folder();
    with_filters(&[], || {
        for command in [""].into_iter().chain(COMMANDS) {
            let words: Vec<&str> = command.split_whitespace().collect();
            let [short, long] = ["-h", "--help"].map(|flag| shown(&folder, &[&words[..], &[flag]].concat()));
            assert_snapshot!(
                format!("help {command}").trim().replace(' ', "-"),
                format!("{short}\n\n{long}")
            );
        }
    });
}

#[test]
fn a_run_from_training_to_export() {
    let folder = folder();
    let train = [SMALL, &["--act", "swiglu", "--out", "runs/swiglu"]].concat();
    let run = |name: &str, words: &[&str]| assert_snapshot!(name, shown(&folder, words));
    masked(|| {
        run("train", &train);
        run("resume", &["train", "--resume", "runs/swiglu", "--steps", "14", "--dry-run"]);
        run("generate", &["generate", "the ", "--max-tokens", "5", "--num-samples", "2"]);
        run("eval", &["eval", "--stride", "8"]);
        run("runs", &["runs"]);
        run("export", &["export", "--quantize", "f16"]);
        run("data", &["data", "tales", "--bytes", "1KB", "--out", "tales.txt"]);
    });
}

#[test]
fn acts_and_bench() {
    let folder = folder();
    let shape = ["--layers", "1", "--dim", "16", "--heads", "2", "--context", "16", "--threads", "1"];
    masked(|| {
        assert_snapshot!("bench", shown(&folder, &[&["bench", "--seconds", "0"], &shape[..]].concat()));
    });
    with_filters(&[], || assert_snapshot!("acts", shown(&folder, &["acts", "--dim", "64"])));
}

#[test]
fn errors() {
    let folder = folder();
    train(&folder, &["--out", "run"]);
    train(&folder, &["--out", "damaged"]);
    std::fs::write(folder.path().join("damaged/last/model.safetensors"), "cut").unwrap();
    write(&folder, "empty.txt", "");
    write(&folder, "short.txt", "the cat sees the dog.\n");
    write(&folder, "one.txt", "a");
    write(&folder, "mine.toml", "# mine\nlayers = 2\nlayerz = 3\n");
    let cases: &[&[&str]] = &[
        &["--layer", "2"],
        &["compar"],
        &["text.txt"],
        &["small-10m"],
        &["train", "Once upon a time"],
        &["--steps", "many"],
        &["--lr", "-1"],
        &["--ops", "slow"],
        &["--act", "swigul"],
        &["--data"],
        &["--data", "--act", "gelu"],
        &["--steps", "1", "--epochs", "1"],
        &["--steps", "1", "compare"],
        &["completions"],
        &["--dtype", "f32"],
        &["generate", "--prompt-file", "text.txt"],
        &["data", "tales", "--stats"],
        &["bench", "--vocab", "65"],
        &["--model", "shakespeare"],
        &["--model", "mine.toml"],
        &["--heads", "3"],
        &["--data", "missing.txt"],
        &["--data", "empty.txt"],
        &["--data", "short.txt"],
        &["--data", "text.txt", "--val-data", "one.txt"],
        &["--data", "text.txt", "--tokenizer", "bpe:10"],
        &["--data", "text.txt", "--steps", "5", "--warmup", "9"],
        &["--data", "text.txt", "--out", "run"],
        &["--data", "text.txt", "--init", "text.txt"],
        &["--data", "text.txt", "--init", "run", "--dim", "32"],
        &["--resume", "nowhere"],
        &["--resume", "run", "--act", "gelu"],
        &["--resume", "damaged"],
        &["generate", "--checkpoint", "nowhere"],
        &["generate"],
        &["eval", "--checkpoint", "damaged"],
        &["eval", "--checkpoint", "run", "--stride", "64"],
        &["export", "--checkpoint", "run", "--out", "text.txt"],
        &["acts", "--plot", "nowhere/acts.svg"],
        &["data", "stories"],
        &["data", "tales", "--bytes", "much"],
        &["runs", "nowhere"],
        &["report", "run"],
        &["compare", "--acts", "relu,,gelu"],
        &["inspect", "--top", "3"],
        &["claims", "--only", "speed"],
    ];
    let mut told = String::new();
    for words in cases {
        let output = tinygpt(&folder).args(*words).output().unwrap();
        let errors = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{words:?}: {errors}");
        assert_eq!(errors.matches("error: ").count(), 1, "{words:?}: {errors}");
        let error = errors.lines().last().filter(|line| line.starts_with("error: "));
        told += &format!("$ tinygpt {}\n{}\n\n", words.join(" "), error.unwrap_or_default());
    }
    with_filters(&[], || assert_snapshot!("errors", told));
    assert!(!exists(&folder, "runs"), "a command that failed left a run behind");
}
