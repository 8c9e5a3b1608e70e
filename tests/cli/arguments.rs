//! The command line: values, lists, repeated flags and one-line errors. `src/cli/command/tests.rs` tests properties
//! of every flag on clap's definitions.

use super::*;

/// Runs a command that must fail with exit code 2. Returns its standard error.
fn refusal(folder: &TempDir, words: &[&str]) -> String {
    let output = tinygpt(folder).args(words).output().unwrap();
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(2), "{words:?}: {errors}");
    assert!(output.stdout.is_empty(), "{words:?}");
    errors
}

#[test]
fn every_wrong_command_line_is_one_line_that_says_what_to_do() {
    let folder = folder();
    let cases: &[(&[&str], &str)] = &[
        (&["--layer", "2"], "unknown flag --layer (did you mean '--layers'?)"),
        (&["train", "--layer=2"], "(did you mean '--layers'?)"),
        (
            &["compar"],
            "'compar' isn't a command; `tinygpt --help` lists the commands (did you mean 'compare'?)",
        ),
        (&["text.txt"], "'text.txt' isn't a command; to read a text, write --data text.txt"),
        (&["train", "text.txt"], "unexpected argument 'text.txt'; to read a text, write --data text.txt"),
        (&["eval", "missing.txt"], "to read a text, write --data missing.txt"),
        (&["small-10m"], "to start from a preset, write --model small-10m"),
        (&["Once upon a time"], "to continue a text, write tinygpt generate 'TEXT'"),
        (&["--seed", "-1"], "--seed is '-1'; it must be a whole number"),
        (&["--steps", "many"], "--steps is 'many'; it must be a whole number"),
        (
            &["--steps", "99999999999999999999"],
            "--steps is '99999999999999999999'; it must be a whole number",
        ),
        (&["--lr", "fast"], "--lr is 'fast'; it must be a"),
        (&["--lr", "-1"], "--lr is "),
        (&["--act", "gleu"], "did you mean 'gelu'?"),
        (&["--ops", "slow"], "--ops is 'slow'; it must be one of plain, fused"),
        (&["--data", "--act", "gelu"], "--data needs a value"),
        (&["--data"], "--data needs a value"),
        (&["--steps", "1", "--epochs", "1"], "--steps can't be combined with --epochs"),
        (&["--steps", "1", "compare"], "put the flags of compare behind it: tinygpt compare"),
        (&["inspect", "--layers", "3"], "--acts is missing"),
        (&["inspect", "--top", "3"], "--top was removed: `inspect --prompt` shows the 5"),
        (&["completions"], "<SHELL> is missing"),
        (&["compare", "--acts", "relu,,gelu"], "--acts is 'relu,,gelu'; item 2 is empty"),
        (&["compare", "--lrs", "1e-3,"], "item 2 is empty"),
        (&["claims", "--only", " "], "item 1 is empty"),
        (&["compare", "--budget", "soon"], "--budget is 'soon'"),
        (&["--dtype", "f32"], "--dtype was removed: all arithmetic is f32"),
        (
            &["compare", "--ffn-init-scale=2"],
            "--ffn-init-scale was removed: `compare --match-init` chooses it",
        ),
        (&["export", "--format", "gguf"], "--format was removed"),
        (&["generate", "--promt", "a"], "(did you mean '--prompt'?)"),
        (&["generate", "a", "--prompt", "b"], "can't be combined with"),
        (&["generate", "a", "b"], "unexpected argument 'b'"),
    ];
    for (words, expected) in cases {
        let errors = refusal(&folder, words);
        assert!(errors.starts_with("error: ") && errors.lines().count() == 1, "{words:?}: {errors}");
        assert!(errors.contains(expected), "{words:?}: {errors}");
    }
    assert!(!exists(&folder, "runs"), "a refused command line left something behind");
}

#[test]
fn help_and_version_are_no_errors() {
    let folder = folder();
    for words in [["--help"], ["-h"], ["help"]] {
        assert!(succeed(tinygpt(&folder).args(words)).contains("Usage: tinygpt"), "{words:?}");
    }
    assert_eq!(succeed(tinygpt(&folder).arg("-V")), format!("tinygpt {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn files_and_directories_may_begin_with_a_dash() {
    let folder = folder();
    write(&folder, "-x.txt", &text(400));
    succeed(tinygpt(&folder).args(small_but(&["--data", "-x.txt", "--out", "-run"])));
    succeed(tinygpt(&folder).args(["train", "--resume", "-run", "--steps", "14"]));
    succeed(tinygpt(&folder).args(["eval", "--checkpoint", "-run", "--data", "-x.txt"]));
    let exported = succeed(tinygpt(&folder).args(["export", "--checkpoint", "-run", "--out", "-m.gguf"]));
    assert!(exported.contains("-m.gguf") && exists(&folder, "-m.gguf"), "{exported}");
}

#[cfg(unix)]
#[test]
fn names_that_are_not_utf8_are_used_or_refused_and_never_a_panic() {
    use std::os::unix::ffi::OsStrExt;
    let folder = folder();
    let name = std::ffi::OsStr::from_bytes(b"caf\xe9");
    let plan = succeed(tinygpt(&folder).args(["compare", "--plan", "--seeds", "1", "--out"]).arg(name));
    assert_eq!(plan.lines().count(), 4, "{plan}");
    succeed(tinygpt(&folder).args(small_but(&[])).arg("--out").arg(name));
    assert!(folder.path().join(name).join("last").exists());
    let error = fail(tinygpt(&folder).arg("--data").arg(name), 2);
    assert!(error.contains("UTF-8"), "{error}");
}

#[test]
fn a_prompt_is_the_same_as_a_flag_by_itself_and_on_standard_input() {
    let folder = folder();
    train(&folder, &["--out", "run"]);
    let write = |words: &[&str], input: &str| {
        let mut command = tinygpt(&folder);
        command.args(["generate", "--checkpoint", "run", "--max-tokens", "20", "--json"]).args(words);
        last_line(&succeed(command.write_stdin(input)))["text"].clone()
    };
    for prompt in ["the cat ", "-5 degrees"] {
        let flag = write(&["--prompt", prompt], "");
        assert_eq!(write(&["--prompt-file", "-"], prompt), flag);
        assert_eq!(write(&["--", prompt], ""), flag);
    }
    assert_eq!(write(&["the cat "], ""), write(&["--prompt", "the cat "], ""));
    assert_eq!(write(&["--prompt", "the", "--stop", "---"], ""), write(&["--prompt", "the"], ""));
}

#[test]
fn the_last_of_repeated_flags_counts() {
    let folder = folder();
    let flags = small_but(&["--steps", "3", "--out", "run"]);
    let trained =
        succeed(tinygpt(&folder).arg("train").args(flags).args(["--json", "--steps", "5", "--json"]));
    assert_eq!(number(&last_line(&trained), "steps"), 5.0);
}

#[test]
fn spaces_in_a_list_do_not_matter() {
    let folder = folder();
    let plan = |acts: &str, lrs: &str| {
        succeed(tinygpt(&folder).args(["compare", "--plan", "--acts", acts, "--lrs", lrs])).lines().count()
    };
    assert_eq!(plan("relu, gelu ,relu", "1e-3, 3e-3"), plan("relu,gelu", "1e-3,3e-3"));
    let depths =
        ["--layers", "1, 2", "--acts", "relu, tanh", "--dim", "16", "--context", "16", "--heads", "2"];
    let found = succeed(tinygpt(&folder).args(["inspect", "--json", "--data", "text.txt"]).args(depths));
    assert!(found.contains("\"tanh\""), "{found}");
}

#[test]
fn bash_completes_values() {
    let folder = folder();
    if std::process::Command::new("bash").arg("--version").output().is_err() {
        eprintln!("skipped: there is no bash");
        return;
    }
    write(&folder, "tinygpt.bash", &succeed(tinygpt(&folder).args(["completions", "bash"])));
    let complete = |words: &[&str]| {
        let [.., before, last] = words else { panic!("{words:?}") };
        let script = format!(
            "source tinygpt.bash; COMP_WORDS=(tinygpt {}); COMP_CWORD={}; _tinygpt tinygpt '{last}' '{before}'; echo ${{COMPREPLY[@]}}",
            words.join(" "),
            words.len()
        );
        let mut bash = Command::new("bash");
        succeed(bash.current_dir(folder.path()).args(["--norc", "-c", &script])).trim().to_string()
    };
    for (words, expected) in [
        (&["--act", "swi"] as &[&str], "swiglu"),
        (&["train", "--act", "gelu_"], "gelu_tanh"),
        (&["compare", "--baseline", "swi"], "swiglu"),
        (&["compare", "--acts", "al"], "all"),
        (&["train", "--model", "sh"], "shakespeare-char"),
        (&["inspect", "--model", "gpt3"], "gpt3-175b"),
        (&["train", "--tokenizer", "c"], "char"),
        (&["train", "--backbone", "ll"], "llama"),
        (&["claims", "--lang", "j"], "ja"),
        (&["generate", "--device", "m"], "metal"),
    ] {
        assert_eq!(complete(words), expected, "{words:?}");
    }
}

#[test]
fn completions_for_a_reader_that_leaves_are_no_failure() {
    let folder = folder();
    for shell in ["bash", "zsh", "fish"] {
        let mut process = std::process::Command::new(env!("CARGO_BIN_EXE_tinygpt"))
            .current_dir(folder.path())
            .args(["completions", shell])
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        drop(process.stdout.take());
        let output = process.wait_with_output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && errors.is_empty(), "{shell}: {errors}");
    }
}
