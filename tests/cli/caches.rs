//! The cache of token ids and tokenizers for texts above 16 MiB.

use super::*;
use std::path::PathBuf;

/// A directory with a `text.txt`. Its training split is longer than 16 MiB.
fn folder_with_long_text() -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    write(&folder, "text.txt", &text(400).repeat(2200));
    folder
}

fn run(folder: &TempDir, out: &str) -> String {
    let flags = small_but(&["--steps", "1", "--eval-every", "0", "--out", out]);
    let output = tinygpt(folder).args(flags).output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    said
}

fn entries(folder: &TempDir) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> =
        std::fs::read_dir(folder.path().join("cache")).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
}

#[test]
fn cached_tokens_and_tokenizers_are_reused_and_rebuilt_if_damaged() {
    let folder = folder_with_long_text();
    let said = run(&folder, "first");
    assert!(said.contains("encoding 1") && said.contains("making the tokenizer char"), "{said}");
    let (whole, model) = (entries(&folder), read(&folder, "first/last/model.safetensors"));
    assert_eq!(whole.len(), 2, "{whole:?}");
    assert!(!run(&folder, "second").contains("once"));
    let contents: Vec<Vec<u8>> = whole.iter().map(|path| std::fs::read(path).unwrap()).collect();
    let [mut changed, mut cut] = [contents[0].clone(), contents[1].clone()];
    changed[100] ^= 1;
    cut.truncate(cut.len() / 2);
    std::fs::write(&whole[0], changed).unwrap();
    std::fs::write(&whole[1], cut).unwrap();
    let said = run(&folder, "third");
    assert_eq!(said.matches("making it again").count(), 2, "{said}");
    assert!(whole.iter().zip(&contents).all(|(path, contents)| std::fs::read(path).unwrap() == *contents));
    assert!(read(&folder, "third/last/model.safetensors") == model);
}
