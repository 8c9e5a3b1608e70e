//! Untrusted text and names can't control a terminal, and secrets are written nowhere.

use super::terminal::{ERASE_LINE, on_a_terminal};
use super::*;
use std::path::PathBuf;

/// A file name with escape sequences. Its text has them too.
const NAME: &str = "\u{1b}[31mred\u{9b}0m.txt";

fn hostile() -> TempDir {
    let folder = folder();
    let lines =
        ["\u{1b}[2J\u{1b}[31mthe cat\u{1b}[0m sees\r\u{7}\n", "\u{9b}1m\u{1b}]0;the dog\u{1b}\\ hears\n"];
    write(&folder, NAME, &lines.concat().repeat(300));
    folder
}

/// Checks that the only control characters are line ends, tabs and those of the progress bar.
fn assert_inert(shown: &str, command: &str) {
    let shown = shown.replace(ERASE_LINE, "").replace("\r\n", "\n").replace("\r", "");
    let control = shown.find(|c: char| c.is_control() && c != '\n' && c != '\t');
    assert_eq!(control, None, "{command}: {:?}", &shown[control.unwrap_or_default()..]);
}

#[test]
fn untrusted_names_and_texts_are_escaped_in_output() {
    let folder = hostile();
    let small = |flags: &[&str]| small_but(&[&["--data", NAME], flags].concat());
    let (run, cmp) = ("\u{1b}[32mrun", "\u{1b}[32mcmp");
    let commands = [
        small(&["--out", run]),
        [vec!["compare".to_string()], small(&["--acts", "relu,gelu", "--seeds", "1", "--out", cmp])].concat(),
        ["eval", "--checkpoint", run, "--data", NAME].map(String::from).to_vec(),
        ["inspect", "--checkpoint", run, "--data", NAME].map(String::from).to_vec(),
        ["train", "--resume", run, "--steps", "14"].map(String::from).to_vec(),
        ["report", cmp].map(String::from).to_vec(),
        ["runs", "."].map(String::from).to_vec(),
        // Errors with such names.
        ["eval", "--checkpoint", run, "--data", "\u{1b}[31m.txt"].map(String::from).to_vec(),
        ["generate", "--checkpoint", "\u{1b}[31mnothing"].map(String::from).to_vec(),
        ["train", "--resume", run, "--act", "gelu"].map(String::from).to_vec(),
    ];
    for command in commands {
        let output = tinygpt(&folder).args(&command).output().unwrap();
        let shown = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert!(!shown.is_empty());
        assert_inert(&shown, &command.join(" "));
    }
}

/// The model writes escape sequences one character per token.
#[test]
fn model_output_cannot_control_the_terminal() {
    let folder = hostile();
    let mut training = tinygpt(&folder);
    let length = ["--steps", "150", "--eval-every", "0", "--data", NAME, "--out", "run"];
    succeed(training.args(small_but(&length)));
    let prompt = "\u{1b}[2J";
    write(&folder, "prompt.txt", prompt);
    let flags = ["generate", "-", "--checkpoint", "run", "--max-tokens", "80"];
    let from_file = [&flags[..], &["<", "prompt.txt"]].concat();
    let Some(shown) = on_a_terminal(&folder, ("TERM", "xterm"), &from_file) else { return };
    assert_inert(&shown, "generate");
    assert!(shown.matches("\\u{1b}[").count() > 2, "{shown}");
    // A pipe gets the text as it is.
    assert!(succeed(tinygpt(&folder).args(flags).write_stdin(prompt)).starts_with(prompt));
}

/// Every file below `folder`.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = walkdir::WalkDir::new(folder).into_iter().map(Result::unwrap);
    entries.filter(|entry| entry.file_type().is_file()).map(walkdir::DirEntry::into_path).collect()
}

#[test]
fn tokens_and_the_home_directory_appear_in_no_file_or_log() {
    let folder = folder();
    let home = folder.path().join("home/somebody");
    std::fs::create_dir_all(home.join("texts")).unwrap();
    std::fs::write(home.join("texts/a b.txt"), text(400)).unwrap();
    let data = home.join("texts/a b.txt").display().to_string();
    let out = home.join("runs").display().to_string();
    let run = |flags: &[&str]| {
        let mut command = tinygpt(&folder);
        command.env("HOME", &home).env("HF_TOKEN", "hf_secretsecret").args(flags);
        command
    };
    let mut told = Vec::new();
    let training = small_but(&["--data", &data, "--out", "run"]);
    let comparing = small_but(&["--data", &data, "--acts", "relu,gelu", "--seeds", "1", "--out", &out]);
    let words = |command: &str, flags: &[String]| -> Vec<String> { [&[command.to_string()], flags].concat() };
    for command in [words("train", &training), words("compare", &comparing)] {
        let flags: Vec<&str> = command.iter().map(String::as_str).collect();
        let output = run(&flags).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        if command[0] == "train" {
            told.extend(output.stderr);
        }
    }
    // The saved settings are enough to resume and to repeat the comparison.
    succeed(&mut run(&["train", "--resume", "run", "--steps", "14"]));
    let comparison: Value =
        serde_json::from_slice(&std::fs::read(format!("{out}/compare.json")).unwrap()).unwrap();
    assert_eq!(comparison["settings"]["data"], "~/texts/a b.txt");
    assert!(comparison["command"].as_str().unwrap().contains("--data ~/'texts/a b.txt'"), "{comparison}");
    // The server can't be reached. The request would have sent the token.
    let mut fetch = run(&[]);
    fetch
        .args(small_but(&["--data", "hf:owner/name/text.txt", "--out", "none"]))
        .env("HF_ENDPOINT", "http://127.0.0.1:9");
    told.extend(fail(&mut fetch, 2).into_bytes());

    let written = [files(&folder.path().join("run")), files(Path::new(&out))].concat();
    assert!(written.len() > 20);
    let holds =
        |bytes: &[u8], secret: &str| bytes.windows(secret.len()).any(|part| part == secret.as_bytes());
    for secret in ["hf_secretsecret", home.to_str().unwrap()] {
        assert!(!holds(&told, secret), "{}", String::from_utf8_lossy(&told));
        for file in &written {
            assert!(!holds(&std::fs::read(file).unwrap(), secret), "{} holds {secret}", file.display());
        }
    }
}
