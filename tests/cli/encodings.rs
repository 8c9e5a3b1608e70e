//! The encoding of a text is detected if there is evidence, set by `--encoding` otherwise, and saved with the run.

use super::*;

fn write_bytes(folder: &TempDir, name: &str, bytes: &[u8]) {
    std::fs::write(folder.path().join(name), bytes).unwrap();
}

/// French in windows-1252, and the same text in UTF-8.
fn french(folder: &TempDir) {
    let text = "Où est le garçon ? À l'école, près du café « Noël ».\n".repeat(40);
    write(folder, "utf8.txt", &text);
    write_bytes(folder, "latin.txt", &encoding_rs::WINDOWS_1252.encode(&text).0);
}

fn model(folder: &TempDir, run: &str) -> Vec<u8> {
    read(folder, &format!("{run}/last/model.safetensors"))
}

#[test]
fn undetectable_encodings_are_rejected_with_the_flag_to_use() {
    let folder = folder();
    french(&folder);
    let error = fail(tinygpt(&folder).args(small_but(&["--data", "latin.txt", "--out", "run"])), 2);
    assert!(error.contains("latin.txt isn't UTF-8 at byte 1 (line 1)"), "{error}");
    assert!(!exists(&folder, "run"));
    // The suggested flag works.
    let label = error.rsplit("--encoding ").next().unwrap();
    assert_eq!(label, "windows-1252");
    train(&folder, &["--data", "latin.txt", "--encoding", label, "--out", "run"]);
    train(&folder, &["--data", "utf8.txt", "--out", "expected"]);
    assert!(model(&folder, "run") == model(&folder, "expected"));

    write_bytes(&folder, "quote.txt", b"a text\nin plain ASCII\nbut it\x92s got one quote\n");
    let error = fail(tinygpt(&folder).args(small_but(&["--data", "quote.txt"])), 2);
    assert!(error.contains("byte 28 (line 3)") && error.contains("--encoding windows-1252"), "{error}");
}

#[test]
fn the_encoding_is_saved_for_resuming_and_scoring() {
    let folder = folder();
    french(&folder);
    let data = ["--data", "latin.txt", "--val-data", "latin.txt", "--encoding", "latin1"];
    train(&folder, &[&data[..], &["--steps", "6", "--out", "run"]].concat());
    let trainer: Value = serde_json::from_slice(&read(&folder, "run/last/trainer.json")).unwrap();
    assert_eq!(trainer["settings"]["encoding"], "windows-1252");

    succeed(tinygpt(&folder).args(["train", "--resume", "run", "--steps", "12"]));
    train(&folder, &["--data", "utf8.txt", "--val-data", "utf8.txt", "--steps", "12", "--out", "expected"]);
    let loss = |run: &str, flags: &[&str]| {
        let mut command = tinygpt(&folder);
        number(
            &last_line(&succeed(command.args(["eval", "--json", "--checkpoint", run]).args(flags))),
            "loss",
        )
    };
    let expected = loss("run", &["--data", "utf8.txt", "--encoding", "utf-8"]);
    assert_eq!(loss("run", &["--data", "latin.txt"]), expected);
    // A run without a saved encoding detects it.
    let trainer: Value = serde_json::from_slice(&read(&folder, "expected/last/trainer.json")).unwrap();
    assert!(trainer["settings"].get("encoding").is_none());
    fail(tinygpt(&folder).args(["eval", "--checkpoint", "expected", "--data", "latin.txt"]), 2);
    loss("expected", &["--data", "latin.txt", "--encoding", "latin1"]);

    write(&folder, "mine.toml", "# mine\nencoding = \"latin1\"\n");
    train(&folder, &["--model", "mine.toml", "--data", "latin.txt", "--steps", "2", "--out", "preset"]);
}

#[test]
fn wrong_encodings_are_rejected_or_reported() {
    let folder = folder();
    french(&folder);
    let refused = |flags: &[&str]| fail(tinygpt(&folder).args(small_but(flags)).args(["--out", "run"]), 2);
    let error = refused(&["--data", "latin.txt", "--encoding", "utf-8"]);
    assert!(error.contains("latin.txt isn't valid UTF-8 at byte 1 (line 1)"), "{error}");
    let error = refused(&["--data", "latin.txt", "--encoding", "windows-1525"]);
    assert!(error.contains("did you mean 'windows-1252'?"), "{error}");
    let error = refused(&["--data", "tales", "--encoding", "latin1"]);
    assert!(error.contains("--encoding") && error.contains("built in"), "{error}");
    write_bytes(&folder, "marked.jsonl", b"\xef\xbb\xbf{\"text\": \"one\"}\n{\"text\": \"\xff\"}\n");
    let error = refused(&["--data", "marked.jsonl"]);
    assert!(error.contains("marked.jsonl isn't valid UTF-8 at byte 29 (line 2)"), "{error}");

    let flags = small_but(&["--data", "utf8.txt", "--encoding", "latin1", "--out", "run"]);
    let told = tinygpt(&folder).args(flags).output().unwrap().stderr;
    let told = String::from_utf8(told).unwrap();
    assert!(told.contains("valid UTF-8, but read as windows-1252"), "{told}");
}
