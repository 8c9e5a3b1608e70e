//! The shape of the code: modules use only those listed above them, and no file is long.

use std::fs;
use std::path::{Path, PathBuf};

/// More than this and a file holds two ideas.
const LONGEST: usize = 450;

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Every Rust file below `folder`.
fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        if entry.is_dir() {
            found.extend(files(&entry));
        } else if entry.extension().is_some_and(|extension| extension == "rs") {
            found.push(entry);
        }
    }
    found
}

/// Modules in the order in which `lib.rs` lists them: bottom-up.
fn modules() -> Vec<String> {
    let lib = fs::read_to_string(source().join("lib.rs")).unwrap();
    let module = |line: &str| {
        let rest = line.strip_prefix("pub mod ").or_else(|| line.strip_prefix("mod "))?;
        rest.strip_suffix(';').map(str::to_string)
    };
    lib.lines().filter_map(module).collect()
}

#[test]
fn a_module_uses_only_those_listed_above_it() {
    let modules = modules();
    let order = |name: &str| modules.iter().position(|module| module == name);
    assert!(modules.len() >= 14, "{modules:?}");
    for file in files(&source()) {
        let relative = file.strip_prefix(source()).unwrap();
        let own = relative.iter().next().unwrap().to_str().unwrap().trim_end_matches(".rs");
        let Some(own_order) = order(own) else { continue };
        let text = fs::read_to_string(&file).unwrap();
        let uses = text.match_indices("crate::").map(|(at, _)| &text[at + "crate::".len()..]);
        for used in uses {
            let name: String = used.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
            if let Some(used_order) = order(&name) {
                assert!(
                    used_order <= own_order,
                    "{} uses {name}, which lib.rs lists below it",
                    file.display()
                );
            }
        }
    }
}

#[test]
fn no_file_is_long() {
    for file in files(&source()) {
        let lines = fs::read_to_string(&file).unwrap().lines().count();
        assert!(lines <= LONGEST, "{} has {lines} lines", file.display());
    }
}

/// The reference model is meant to be read in one sitting.
#[test]
fn the_model_stays_readable() {
    let reference = ["attention", "dropout", "ffn", "gpt", "norm", "observe", "ops", "parts", "positions"];
    let text =
        |name: &str| fs::read_to_string(source().join("model").join(name).with_extension("rs")).unwrap();
    let is_code = |line: &&str| !line.trim().is_empty() && !line.trim().starts_with("//");
    let lines: usize = reference.iter().map(|name| text(name).lines().filter(is_code).count()).sum();
    assert!(lines <= 480, "the reference model has {lines} lines of code");
}
