//! Copied runs, and runs on file systems without symbolic links, can be read, resumed and compared.

use super::*;

/// Copies a directory and follows symbolic links, like `scp -r` and `cp -rL`.
fn copy(folder: &TempDir, from: &str, to: &str) {
    let mut cp = std::process::Command::new("cp");
    assert!(cp.current_dir(folder.path()).args(["-rL", from, to]).status().unwrap().success());
}

fn names(folder: &TempDir, run: &str) -> Vec<String> {
    let entries = std::fs::read_dir(folder.path().join(run)).unwrap().flatten();
    let mut names: Vec<String> = entries.map(|entry| entry.file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// The learning rate rises to 10, far too high, so the loss rises and the best checkpoint isn't the last.
const BEST_COMES_FIRST: &[&str] =
    &["--lr", "10", "--min-lr", "10", "--warmup", "59", "--steps", "60", "--eval-every", "5", "--keep", "0"];

#[test]
fn runs_copied_without_links_resume_to_the_same_bytes() {
    let folder = folder();
    train(&folder, &[BEST_COMES_FIRST, &["--out", "run"]].concat());
    let best = read(&folder, "run/best/model.safetensors");
    assert!(best != read(&folder, "run/last/model.safetensors"), "the best is not the last");
    copy(&folder, "run", "copy");
    // Keep only the copies of `best` and `last`, as if the step directories weren't copied.
    copy(&folder, "run", "bare");
    for step in names(&folder, "bare").iter().filter(|name| name.starts_with("step-")) {
        std::fs::remove_dir_all(folder.path().join("bare").join(step)).unwrap();
    }
    // Version 0.1 wrote neither of these files.
    copy(&folder, "run", "old");
    for name in ["tinygpt.json", "config.toml"] {
        std::fs::remove_file(folder.path().join("old").join(name)).unwrap();
    }
    for name in ["copy", "bare", "old"] {
        for checkpoint in [name.to_string(), format!("{name}/best"), format!("{name}/last")] {
            succeed(tinygpt(&folder).args(["generate", "--max-tokens", "3", "--checkpoint", &checkpoint]));
        }
    }
    for name in ["run", "copy", "bare", "old"] {
        let mut resume = tinygpt(&folder);
        let output = resume.args(["train", "--resume", name, "--steps", "80", "--json"]).output().unwrap();
        let notes = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success() && !notes.contains("warning"), "{name}: {notes}");
        let last = read(&folder, &format!("{name}/last/model.safetensors"));
        assert!(last == read(&folder, "run/last/model.safetensors"), "{name}");
        assert!(read(&folder, &format!("{name}/best/model.safetensors")) == best, "{name} lost its best");
        assert!(names(&folder, name).iter().all(|entry| !entry.starts_with('.')), "{name}");
        succeed(tinygpt(&folder).args(["train", "--resume", &format!("{name}/last"), "--dry-run"]));
    }
}

#[test]
fn runs_with_pointer_files_resume_and_keep_their_best() {
    let folder = folder();
    train(&folder, &[BEST_COMES_FIRST, &["--out", "run"]].concat());
    let best = read(&folder, "run/best/model.safetensors");
    for pointer in ["best", "last"] {
        let path = folder.path().join("run").join(pointer);
        let target = std::fs::read_link(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        std::fs::write(&path, target.to_str().unwrap()).unwrap();
        succeed(tinygpt(&folder).args(["generate", "--max-tokens", "3", "--checkpoint"]).arg(&path));
    }
    succeed(tinygpt(&folder).args(["train", "--resume", "run/last", "--steps", "80"]));
    let kept = String::from_utf8(read(&folder, "run/best")).unwrap();
    assert!(read(&folder, &format!("run/{kept}/model.safetensors")) == best);
}

#[test]
fn a_missing_best_pointer_is_restored_before_pruning() {
    let folder = folder();
    train(&folder, &[BEST_COMES_FIRST, &["--out", "run"]].concat());
    let best = read(&folder, "run/best/model.safetensors");
    let step = std::fs::read_link(folder.path().join("run/best")).unwrap();
    std::fs::remove_file(folder.path().join("run/best")).unwrap();
    succeed(tinygpt(&folder).args(["train", "--resume", "run", "--steps", "80"]));
    assert!(read(&folder, &format!("run/{}/model.safetensors", step.display())) == best);
}

#[test]
fn copied_comparisons_resume() {
    let folder = folder();
    let compare = |out: &str, seeds: &str| {
        let mut command = tinygpt(&folder);
        command
            .args(["compare", "--acts", "relu,gelu", "--seeds", seeds, "--out", out, "--json"])
            .args(SMALL);
        let report = last_line(&succeed(&mut command));
        let arms = report["results"].as_array().unwrap().clone();
        arms.iter().map(|arm| (arm["act"].clone(), arm["val_loss_mean"].clone())).collect::<Vec<_>>()
    };
    compare("cmp", "1");
    copy(&folder, "cmp", "copy");
    // Make one of its runs unfinished.
    let lines = String::from_utf8(read(&folder, "copy/results.jsonl")).unwrap();
    write(&folder, "copy/results.jsonl", &format!("{}\n", lines.lines().next().unwrap()));
    copy(&folder, "cmp", "old");
    for name in ["old", "old/relu-seed1", "old/gelu-seed1"] {
        std::fs::remove_file(folder.path().join(name).join("tinygpt.json")).unwrap();
    }
    let whole = compare("cmp", "2");
    assert_eq!(compare("copy", "2"), whole);
    assert_eq!(compare("old", "2"), whole);
}

#[test]
fn config_toml_reproduces_the_run() {
    let folder = folder();
    train(
        &folder,
        &[
            "--act",
            "geglu",
            "--dropout",
            "0.1",
            "--grad-accum",
            "2",
            "--seed",
            "9223372036854775807",
            "--out",
            "run",
        ],
    );
    let config = String::from_utf8(read(&folder, "run/config.toml")).unwrap();
    for line in ["ffn-dim = 40", "warmup = 0", "min-lr = 0.001", "norm-eps = 0.00001", "steps = 12"] {
        assert!(config.lines().any(|have| have == line), "{line}: {config}");
    }
    let again = ["train", "--model", "run/config.toml", "--out", "again"];
    succeed(tinygpt(&folder).args(again));
    for file in ["last/model.safetensors", "last/optimizer.safetensors", "config.toml"] {
        assert!(read(&folder, &format!("run/{file}")) == read(&folder, &format!("again/{file}")), "{file}");
    }
    // After resuming, config.toml describes the whole run.
    succeed(tinygpt(&folder).args(["train", "--resume", "run", "--steps", "20"]));
    assert!(String::from_utf8(read(&folder, "run/config.toml")).unwrap().contains("steps = 20\n"));
}

#[test]
fn the_default_min_lr_is_exactly_a_tenth_of_lr() {
    let folder = folder();
    train(&folder, &["--lr", "6e-3", "--out", "run"]);
    let config = String::from_utf8(read(&folder, "run/config.toml")).unwrap();
    assert!(config.lines().any(|line| line == "min-lr = 0.0006"), "{config}");
}
