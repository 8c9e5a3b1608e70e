//! Structure of the source: modules use only modules listed above them, files have no circular dependencies, and no
//! file is long.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

/// Most lines in a file. A longer file should be split.
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

/// Modules in the order of `lib.rs`, bottom-up.
fn modules() -> Vec<String> {
    let lib = fs::read_to_string(source().join("lib.rs")).unwrap();
    let module = |line: &str| {
        let rest = line.strip_prefix("pub mod ").or_else(|| line.strip_prefix("mod "))?;
        rest.strip_suffix(';').map(str::to_string)
    };
    lib.lines().filter_map(module).collect()
}

#[test]
fn modules_use_only_modules_listed_above_them() {
    let modules = modules();
    let order = |name: &str| modules.iter().position(|module| module == name);
    assert!((10..=11).contains(&modules.len()), "about ten rooms: {modules:?}");
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

/// Path of a module: `["model", "fused"]` is `src/model/fused/mod.rs`, and an empty path is `lib.rs`.
type Module = Vec<String>;
/// The names that each module imports with `use`, with their full paths.
type Brought = BTreeMap<Module, BTreeMap<String, Module>>;

/// The code of every module without comments and the tests at the end.
fn code() -> BTreeMap<Module, String> {
    let mut code = BTreeMap::new();
    for file in files(&source()) {
        let relative = file.strip_prefix(source()).unwrap().with_extension("");
        let mut module: Module = relative.iter().map(|part| part.to_str().unwrap().to_string()).collect();
        module.pop_if(|last| ["mod", "lib"].contains(&last.as_str()));
        let text = fs::read_to_string(&file).unwrap();
        let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        let lines = text.lines().map(|line| line.split("//").next().unwrap());
        code.insert(module, lines.collect::<Vec<_>>().join("\n"));
    }
    code
}

/// The paths in a `use` tree, each with the name it imports.
fn leaves(tree: &str, before: &[String]) -> Vec<(Module, String)> {
    let parts = |text: &str| -> Module {
        text.split("::").map(|part| part.trim().to_string()).filter(|part| !part.is_empty()).collect()
    };
    let Some((head, rest)) = tree.split_once('{') else {
        let (path, alias) = tree.split_once(" as ").map_or((tree, None), |(path, alias)| (path, Some(alias)));
        let path = [before, &parts(path)].concat();
        let name = alias.map_or_else(|| path.last().unwrap().clone(), |alias| alias.trim().to_string());
        return vec![(path, name)];
    };
    let before = [before, &parts(head)].concat();
    let inner = &rest[..rest.rfind('}').unwrap()];
    let (mut depth, mut start, mut found) = (0, 0, Vec::new());
    for (at, c) in inner.char_indices().chain([(inner.len(), ',')]) {
        depth += i32::from(c == '{') - i32::from(c == '}');
        if c == ',' && depth == 0 {
            let branch = inner[start..at].trim();
            found.extend((!branch.is_empty()).then(|| leaves(branch, &before)).into_iter().flatten());
            start = at + 1;
        }
    }
    found
}

/// A module's code, split into imports and the rest.
#[derive(Default)]
struct Parts {
    /// Imported paths with their local names.
    uses: Vec<(Module, String)>,
    /// Paths that it only re-exports with `pub use` or `pub(crate) use`.
    passes_on: Vec<(Module, String)>,
    /// The code without imports.
    rest: String,
}

fn parts(code: &str) -> Parts {
    let (mut parts, mut open) = (Parts::default(), None::<String>);
    for line in code.lines() {
        let begins =
            ["use ", "pub use ", "pub(crate) use "].iter().any(|begin| line.trim_start().starts_with(begin));
        let Some(mut tree) = open.take().or(begins.then(String::new)) else {
            parts.rest += line;
            parts.rest.push('\n');
            continue;
        };
        tree += line;
        match tree.split_once(';').map(|(tree, _)| tree.split_once("use ").unwrap()) {
            Some((public, tree)) if public.contains("pub") => parts.passes_on.extend(leaves(tree, &[])),
            Some((_, tree)) => parts.uses.extend(leaves(tree, &[])),
            None => open = Some(tree),
        }
    }
    parts
}

/// Every path with at least two parts in the code, such as `super::names::LAST`.
fn paths(code: &str) -> Vec<Module> {
    let is_path = |c: char| c.is_alphanumeric() || c == '_' || c == ':';
    let words = code.split(|c| !is_path(c)).filter(|word| word.contains("::"));
    words.map(|word| word.split("::").map(str::to_string).collect()).collect()
}

/// The module that defines the target of `path` in `module`, following imports and re-exports. None for paths outside
/// this crate.
fn home(path: &[String], module: &Module, brought: &Brought) -> Option<Module> {
    let child = |at: &Module, name: &String| {
        let inside = [at.as_slice(), std::slice::from_ref(name)].concat();
        brought.contains_key(&inside).then_some(inside)
    };
    let mut at = match path[0].as_str() {
        "crate" => Module::new(),
        "self" => module.clone(),
        "super" => module.split_last()?.1.to_vec(),
        _ => child(module, &path[0])?,
    };
    for name in &path[1..] {
        if name == "super" {
            at.pop();
        } else if let Some(inside) = child(&at, name) {
            at = inside;
        } else {
            let from = brought[&at].get(name).and_then(|from| home(from, &at, brought));
            return from.or(Some(at));
        }
    }
    Some(at)
}

/// Depth-first search from the last module of `way`. Returns the first cycle found.
fn circle(
    way: &mut Vec<Module>,
    uses: &BTreeMap<Module, Vec<Module>>,
    done: &mut Vec<Module>,
) -> Option<String> {
    let last = way.last().unwrap().clone();
    for next in uses[&last].iter().filter(|next| !done.contains(next)).cloned().collect::<Vec<_>>() {
        if let Some(at) = way.iter().position(|module| *module == next) {
            let names = way[at..].iter().chain([&next]).map(|module| module.join("::"));
            return Some(names.collect::<Vec<_>>().join(" uses "));
        }
        way.push(next);
        if let Some(found) = circle(way, uses, done) {
            return Some(found);
        }
    }
    done.extend(way.pop());
    None
}

#[test]
fn files_have_no_circular_dependencies() {
    let modules: BTreeMap<Module, Parts> =
        code().into_iter().map(|(module, text)| (module, parts(&text))).collect();
    let names = |parts: &Parts| {
        let all = parts.uses.iter().chain(&parts.passes_on).cloned();
        all.map(|(path, name)| (name, path)).collect()
    };
    let brought: Brought = modules.iter().map(|(module, parts)| (module.clone(), names(parts))).collect();
    let homes = |module: &Module, parts: &Parts| {
        let all = parts.uses.iter().map(|(path, _)| path.clone()).chain(paths(&parts.rest));
        let homes = all.filter_map(|path| home(&path, module, &brought));
        homes.filter(|home| home != module && !home.is_empty()).collect::<Vec<_>>()
    };
    let used: BTreeMap<Module, Vec<Module>> =
        modules.iter().map(|(module, parts)| (module.clone(), homes(module, parts))).collect();
    assert!(used.values().map(Vec::len).sum::<usize>() > 500, "the files are followed");
    let mut done = Vec::new();
    for module in used.keys() {
        assert_eq!(circle(&mut vec![module.clone()], &used, &mut done), None);
    }
}

#[test]
fn no_file_is_long() {
    for file in files(&source()) {
        let lines = fs::read_to_string(&file).unwrap().lines().count();
        assert!(lines <= LONGEST, "{} has {lines} lines", file.display());
    }
}

/// The reference model should be short enough to read in one sitting.
#[test]
fn the_reference_model_stays_short() {
    let reference = ["attention", "dropout", "ffn", "gpt", "norm", "observe", "ops", "parts", "positions"];
    let text =
        |name: &str| fs::read_to_string(source().join("model").join(name).with_extension("rs")).unwrap();
    let is_code = |line: &&str| !line.trim().is_empty() && !line.trim().starts_with("//");
    let lines: usize = reference.iter().map(|name| text(name).lines().filter(is_code).count()).sum();
    assert!(lines <= 480, "the reference model has {lines} lines of code");
}
