//! The command line: values, lists and repetitions. `snapshots.rs` has its errors. Rules for every flag of every
//! command are tested over clap's own definitions in `src/cli/command/tests.rs`.

use super::*;

#[test]
fn help_and_version_succeed() {
    let folder = folder();
    for words in [["--help"], ["-h"], ["help"]] {
        assert!(succeed(tinygpt(&folder).args(words)).contains("Usage: tinygpt"), "{words:?}");
    }
    assert_eq!(succeed(tinygpt(&folder).arg("-V")), format!("tinygpt {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn file_names_may_start_with_a_dash() {
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
fn file_names_that_are_not_utf8_are_used_or_refused() {
    use std::os::unix::ffi::OsStrExt;
    let folder = folder();
    let name = std::ffi::OsStr::from_bytes(b"caf\xe9");
    succeed(
        tinygpt(&folder).arg("compare").args(small_but(&["--dry-run", "--seeds", "1", "--out"])).arg(name),
    );
    succeed(tinygpt(&folder).args(small_but(&[])).arg("--out").arg(name));
    assert!(folder.path().join(name).join("last").exists());
    let error = fail(tinygpt(&folder).arg("--data").arg(name), 2);
    assert!(error.contains("UTF-8"), "{error}");
}

#[test]
fn a_prompt_can_be_an_argument_a_flag_or_standard_input() {
    let folder = folder();
    train(&folder, &["--out", "run"]);
    let write = |words: &[&str], input: &str| {
        let mut command = tinygpt(&folder);
        command.args(["generate", "--checkpoint", "run", "--max-tokens", "20", "--json"]).args(words);
        last_line(&succeed(command.write_stdin(input)))["text"].clone()
    };
    for prompt in ["the cat ", "-5 degrees"] {
        let flag = write(&["--prompt", prompt], "");
        assert_eq!(write(&["-"], prompt), flag);
        assert_eq!(write(&["--prompt", "-"], prompt), flag);
        assert_eq!(write(&["--", prompt], ""), flag);
    }
    assert_eq!(write(&["the cat "], ""), write(&["--prompt", "the cat "], ""));
    assert_eq!(write(&["--prompt", "the", "--stop", "---"], ""), write(&["--prompt", "the"], ""));
}

#[test]
fn the_last_of_repeated_flags_wins() {
    let folder = folder();
    let flags = small_but(&["--steps", "3", "--out", "run"]);
    let trained =
        succeed(tinygpt(&folder).arg("train").args(flags).args(["--json", "--steps", "5", "--json"]));
    assert_eq!(number(&last_line(&trained), "steps"), 5.0);
}

#[test]
fn spaces_in_a_list_do_not_matter() {
    let folder = folder();
    let small: Vec<&str> = SMALL.chunks(2).filter(|pair| pair[0] != "--lr").flatten().copied().collect();
    let plan = |acts: &str, lrs: &str| {
        let flags = ["--dry-run", "--json", "--acts", acts, "--lrs", lrs];
        number(&last_line(&succeed(tinygpt(&folder).arg("compare").args(&small).args(flags))), "runs")
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
        (&["--act", "swigl"] as &[&str], "swiglu swiglu_oai swiglu_clamped"),
        (&["train", "--act", "gelu_"], "gelu_tanh"),
        (&["compare", "--baseline", "gegl"], "geglu"),
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
fn completions_survive_a_closed_pipe() {
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
