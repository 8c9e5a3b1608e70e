//! Gathers the program's own source and documents into the text it trains on without `--data`.

use std::path::{Path, PathBuf};

fn main() {
    let root = PathBuf::from(std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let mut files = vec![root.join("README.md")];
    for folder in ["docs", "models", "src", "tests"] {
        println!("cargo::rerun-if-changed={folder}");
        collect(&root.join(folder), &mut files);
    }
    println!("cargo::rerun-if-changed=README.md");
    let mut text = String::new();
    for file in files {
        // A checkout on Windows may have its line ends changed; the text must not.
        text.push_str(&std::fs::read_to_string(&file).unwrap_or_default().replace('\r', ""));
    }
    let out = PathBuf::from(std::env::var_os("OUT_DIR").expect("cargo sets it"));
    std::fs::write(out.join("built_in_corpus.txt"), text).expect("OUT_DIR can be written");
}

/// Every text file below `folder`, in the order of their names.
fn collect(folder: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        if path.is_dir() {
            collect(&path, files);
        } else if path.extension().is_some_and(|e| e == "rs" || e == "md" || e == "toml") {
            files.push(path);
        }
    }
}
