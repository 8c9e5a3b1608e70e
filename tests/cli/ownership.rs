//! tinygpt replaces and removes only files that it wrote.

use super::*;
use std::collections::BTreeMap;

/// Contents of every file below a directory.
fn contents(folder: &TempDir, name: &str) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in std::fs::read_dir(folder.path().join(name)).unwrap().flatten() {
        let path = format!("{name}/{}", entry.file_name().to_string_lossy());
        if entry.file_type().unwrap().is_dir() {
            found.extend(contents(folder, &path));
        } else if entry.file_type().unwrap().is_file() {
            found.insert(path.clone(), read(folder, &path));
        }
    }
    found
}

/// Writes a file of the user, with its parent directories.
fn put(folder: &TempDir, name: &str) {
    std::fs::create_dir_all(folder.path().join(name).parent().unwrap()).unwrap();
    write(folder, name, "years of work");
}

#[test]
fn directories_with_user_files_are_rejected_and_unchanged() {
    let folder = folder();
    for name in [
        "metrics.jsonl",
        "events.out.tfevents.1700000000.host.1.0",
        "best/weights.pt",
        "last/weights.pt",
        "step-000010/config.json",
        "config.toml",
        "lock",
        "tinygpt.json",
        ".saving-notes",
        "thesis.tex",
    ] {
        let out = format!("exp-{}", name.replace('/', "-"));
        put(&folder, &format!("{out}/{name}"));
        let before = contents(&folder, &out);
        for command in [&["train"][..], &["compare", "--acts", "relu", "--seeds", "1"]] {
            let error = fail(tinygpt(&folder).args(command).args(small_but(&["--out", &out])), 2);
            assert!(error.contains(name.split('/').next().unwrap()), "{name}: {error}");
            assert_eq!(contents(&folder, &out), before, "{command:?} on {name}");
        }
    }
}

#[test]
fn force_replaces_single_files_and_never_directories() {
    let folder = folder();
    for name in ["metrics.jsonl", "config.toml", "events.out.tfevents.1", "thesis.tex"] {
        put(&folder, &format!("exp/{name}"));
    }
    train(&folder, &["--out", "exp", "--force"]);
    let kept = contents(&folder, "exp");
    assert_eq!(kept["exp/thesis.tex"], b"years of work");
    assert_eq!(kept["exp/events.out.tfevents.1"], b"years of work");
    assert_ne!(kept["exp/metrics.jsonl"], b"years of work");

    for name in ["best/weights.pt", "step-000012/notes.txt", ".saving-1/notes.txt"] {
        let out = format!("exp-{}", name.replace('/', "-"));
        put(&folder, &format!("{out}/{name}"));
        put(&folder, &format!("{out}/metrics.jsonl"));
        let before = contents(&folder, &out);
        let error = fail(tinygpt(&folder).args(small_but(&["--out", &out, "--force"])), 2);
        assert!(error.contains("move it away"), "{error}");
        assert_eq!(contents(&folder, &out), before, "{name}");
    }
}

#[test]
fn replacing_a_run_keeps_user_files() {
    let folder = folder();
    train(&folder, &["--out", "run"]);
    for name in ["notes.txt", "events.out.tfevents.9.mine", "plots/loss.png"] {
        put(&folder, &format!("run/{name}"));
    }
    train(&folder, &["--out", "run", "--force", "--seed", "2"]);
    for name in ["notes.txt", "events.out.tfevents.9.mine", "plots/loss.png"] {
        assert_eq!(read(&folder, &format!("run/{name}")), b"years of work");
    }
    let events = |folder: &TempDir| {
        contents(folder, "run").into_keys().filter(|name| name.ends_with(".tinygpt")).count()
    };
    assert_eq!(events(&folder), 1, "the first run's events are gone");

    // A file inside a checkpoint couldn't be kept, so nothing is replaced.
    put(&folder, "run/step-000012/notes.txt");
    let before = contents(&folder, "run");
    let error = fail(tinygpt(&folder).args(small_but(&["--out", "run", "--force"])), 2);
    assert!(error.contains("run/step-000012/notes.txt"), "{error}");
    assert_eq!(contents(&folder, "run"), before);
}

#[test]
fn runs_of_0_1_are_recognized_by_their_checkpoints() {
    let folder = folder();
    train(&folder, &["--out", "run"]);
    for name in ["tinygpt.json", "config.toml"] {
        std::fs::remove_file(folder.path().join("run").join(name)).unwrap();
    }
    put(&folder, "run/events.out.tfevents.9.mine");
    let resume = ["train", "--resume", "run", "--steps", "20"];
    // If metrics.jsonl belongs to the user, it is neither changed nor removed.
    let log = read(&folder, "run/metrics.jsonl");
    write(&folder, "run/metrics.jsonl", "{\"step\": 1, \"accuracy\": 0.5}\n");
    let error = fail(tinygpt(&folder).args(resume), 2);
    assert!(error.contains("run/metrics.jsonl isn't"), "{error}");
    std::fs::write(folder.path().join("run/metrics.jsonl"), log).unwrap();
    succeed(tinygpt(&folder).args(resume));
    assert!(exists(&folder, "run/step-000020"));

    std::fs::remove_file(folder.path().join("run/tinygpt.json")).unwrap();
    train(&folder, &["--out", "run", "--force"]);
    assert!(!exists(&folder, "run/step-000020") && exists(&folder, "run/events.out.tfevents.9.mine"));

    std::fs::remove_file(folder.path().join("run/tinygpt.json")).unwrap();
    for entry in std::fs::read_dir(folder.path().join("run")).unwrap().flatten() {
        let _ = std::fs::remove_file(entry.path().join("SHA256SUMS"));
    }
    let error = fail(tinygpt(&folder).args(resume), 2);
    assert!(error.contains("isn't a run of tinygpt's"), "{error}");
}

/// States after a kill during the replacement of a run, or before its first checkpoint.
#[test]
fn partly_removed_runs_resume_exactly_or_restart() {
    let folder = folder();
    train(&folder, &["--out", "run", "--save-every", "3", "--keep", "9"]);
    let whole = read(&folder, "run/last/model.safetensors");
    for removed in ["step-000012", "step-000010"] {
        std::fs::remove_dir_all(folder.path().join("run").join(removed)).unwrap();
    }
    let error = fail(tinygpt(&folder).args(small_but(&["--out", "run"])), 2);
    assert!(error.contains("--resume"), "{error}");
    succeed(tinygpt(&folder).args(["train", "--resume", "run"]));
    assert!(read(&folder, "run/last/model.safetensors") == whole);
    assert!(exists(&folder, "run/best"));

    std::fs::create_dir(folder.path().join("begun")).unwrap();
    for (name, text) in [("lock", ""), ("tinygpt.json", "")] {
        write(&folder, &format!("begun/{name}"), text);
        train(&folder, &["--out", "begun", "--force"]);
        std::fs::remove_dir_all(folder.path().join("begun")).unwrap();
        std::fs::create_dir(folder.path().join("begun")).unwrap();
    }
    write(&folder, "begun/tinygpt.json", "{\"format\": 1, \"kind\": \"run\", \"files\": []}");
    train(&folder, &["--out", "begun"]);
    assert!(read(&folder, "begun/last/model.safetensors") == whole);
}

#[test]
fn claims_reject_other_directories_and_keep_user_files() {
    let folder = folder();
    let quick = |out: &str| {
        let mut command = tinygpt(&folder);
        command.args(["claims", "--steps", "2", "--threads", "1", "--only", "parameters", "--out", out]);
        command
    };
    train(&folder, &["--out", "run"]);
    assert!(fail(&mut quick("run"), 2).contains("holds no claims: it's a run directory"));
    // A directory called `models` doesn't make its parent a claims directory.
    put(&folder, "mine/models/weights.pt");
    assert!(fail(&mut quick("mine"), 2).contains("holds no claims"));
    succeed(&mut quick("claims"));
    succeed(&mut quick("claims"));
    write(&folder, "claims/claims-path.md", "years of work");
    let error =
        fail(tinygpt(&folder).args(["claims", "--steps", "2", "--only", "path", "--out", "claims"]), 2);
    assert!(error.contains("claims/claims-path.md isn't a file that tinygpt wrote"), "{error}");
    assert_eq!(read(&folder, "claims/claims-path.md"), b"years of work");
}

#[test]
fn reports_replace_only_their_own_page() {
    let folder = folder();
    let mut command = tinygpt(&folder);
    command.args(["compare", "--acts", "relu", "--seeds", "1", "--out", "cmp", "--plot", "figures"]);
    command.args(SMALL);
    succeed(&mut command);
    // Run it again, over its own output.
    succeed(&mut command);
    succeed(tinygpt(&folder).args(["report", "cmp", "--plot", "figures"]));
    // Like version 0.1, which wrote no manifest, but with the user's own page.
    std::fs::remove_file(folder.path().join("cmp/tinygpt.json")).unwrap();
    let page = read(&folder, "cmp/report.html");
    write(&folder, "cmp/report.html", "years of work");
    let error = fail(tinygpt(&folder).args(["report", "cmp"]), 2);
    assert!(error.contains("cmp/report.html isn't a file that tinygpt wrote"), "{error}");
    succeed(tinygpt(&folder).args(["report", "cmp", "--force"]));
    assert_eq!(read(&folder, "cmp/report.html"), page);
    std::fs::remove_file(folder.path().join("cmp/tinygpt.json")).unwrap();
    succeed(tinygpt(&folder).args(["report", "cmp"]));
}
