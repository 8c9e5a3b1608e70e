use super::names::METRICS;
use super::*;
use crate::support::files::SAVING;
use crate::support::owned::entries;
use std::fs;

fn run_with(steps: &[usize]) -> (tempfile::TempDir, RunDir) {
    let folder = tempfile::tempdir().unwrap();
    let run = RunDir::create(folder.path(), false).unwrap();
    for step in steps {
        fs::create_dir(run.new_step(*step).unwrap()).unwrap();
        fs::write(run.step_dir(*step).join("config.json"), "{}").unwrap();
        run.point(LAST, *step).unwrap();
    }
    (folder, run)
}

fn evaluated(run: &RunDir, step: usize, loss: f64) {
    let metric =
        Metric::Evaluation { step, val_loss: loss, val_perplexity: None, bits_per_byte: None, val_tokens: 9 };
    run.log(&metric).unwrap();
}

#[test]
fn pruning_keeps_best_last_newest_and_resumed_checkpoints() {
    let (_folder, run) = run_with(&[100, 200, 300, 400, 500]);
    run.point(BEST, 100).unwrap();
    run.prune(1, Some(200)).unwrap();
    assert_eq!(run.steps(), [100, 200, 400, 500]);
    assert_eq!(entries(run.path()).filter(|name| name.starts_with(SAVING)).count(), 0);
}

#[test]
fn nothing_is_pruned_while_the_best_checkpoint_is_unknown() {
    let (_folder, run) = run_with(&[100, 200, 300, 400]);
    // Evaluated, and gone.
    evaluated(&run, 50, 1.0);
    run.prune(0, None).unwrap();
    assert_eq!(run.steps(), [100, 200, 300, 400]);
    // Without its pointer the best is found by the metrics.
    evaluated(&run, 200, 2.0);
    evaluated(&run, 300, 3.0);
    assert_eq!(run.checkpoint(BEST), Some(run.step_dir(200)));
    run.prune(0, None).unwrap();
    assert_eq!(run.steps(), [200, 400]);
}

#[test]
fn checkpoints_with_user_files_are_not_pruned() {
    let (_folder, run) = run_with(&[100, 200, 300]);
    fs::write(run.step_dir(100).join("notes.txt"), "x").unwrap();
    run.prune(0, None).unwrap();
    assert_eq!(run.steps(), [100, 300]);
    assert!(run.step_dir(100).join("notes.txt").exists());
    // Nor is a run replaced that has such a checkpoint, or a part of it.
    let error = run.clear().unwrap_err().to_string();
    assert!(error.contains("notes.txt"), "{error}");
    assert_eq!(run.steps(), [100, 300]);
}

#[test]
fn step_directories_of_the_user_are_neither_pruned_nor_overwritten() {
    let (folder, run) = run_with(&[100, 200]);
    fs::create_dir(folder.path().join("step-000050")).unwrap();
    run.prune(0, None).unwrap();
    assert!(folder.path().join("step-000050").exists());
    let error = format!("{:#}", run.new_step(50).unwrap_err());
    assert!(error.contains("isn't a directory that tinygpt wrote"), "{error}");
}

#[test]
fn a_saved_checkpoint_without_a_pointer_counts_as_last() {
    let (_folder, run) = run_with(&[100]);
    fs::remove_file(run.path().join(LAST)).unwrap();
    assert_eq!(run.checkpoint(LAST), Some(run.step_dir(100)));
    assert_eq!(run.checkpoint(BEST), None);
}

/// A link that came with somebody's run is no way out of its directory.
#[test]
fn pointers_only_resolve_inside_the_run() {
    let (folder, run) = run_with(&[100]);
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("config.json"), "{}").unwrap();
    fs::write(folder.path().join(BEST), outside.path().to_str().unwrap()).unwrap();
    assert_eq!(run.checkpoint(BEST), None);
    fs::write(folder.path().join(BEST), "../../step-000100").unwrap();
    assert_eq!(run.checkpoint(BEST), Some(run.step_dir(100)));
}

#[test]
fn existing_runs_are_not_reused_and_other_files_need_force() {
    let (folder, _run) = run_with(&[100]);
    drop(_run);
    let error = RunDir::create(folder.path(), false).unwrap_err().to_string();
    assert!(error.contains("--resume") && error.contains("--force"), "{error}");
    RunDir::create(folder.path(), true).unwrap();

    let other = tempfile::tempdir().unwrap();
    fs::write(other.path().join("thesis.tex"), "x").unwrap();
    fs::write(other.path().join(METRICS), "x").unwrap();
    let error = RunDir::create(other.path(), false).unwrap_err().to_string();
    assert!(error.contains("other files") && error.contains("--force"), "{error}");
    assert_eq!(entries(other.path()).count(), 2, "nothing is left by a refusal");
    RunDir::create(other.path(), true).unwrap();
    assert!(other.path().join("thesis.tex").exists() && !other.path().join(METRICS).exists());
}

#[test]
fn manifests_with_paths_outside_the_run_are_rejected() {
    let (folder, run) = run_with(&[100]);
    drop(run);
    let marker = folder.path().join(crate::support::owned::MARKER);
    for name in ["../thesis.tex", "/etc/passwd", "step-000100/config.json", "..", ""] {
        let manifest = serde_json::json!({ "format": 1, "kind": "run", "files": [name] });
        fs::write(&marker, manifest.to_string()).unwrap();
        let error = RunDir::create(folder.path(), true).unwrap_err().to_string();
        assert!(error.contains("isn't a name in its directory"), "{error}");
    }
}

#[test]
fn metrics_are_truncated_to_the_resumed_step() {
    let (_folder, run) = run_with(&[100]);
    for step in [50, 100, 150] {
        evaluated(&run, step, 2.5);
    }
    let whole = fs::read_to_string(run.path().join(METRICS)).unwrap();
    run.truncate_log(100).unwrap();
    let kept = fs::read_to_string(run.path().join(METRICS)).unwrap();
    assert_eq!(kept.lines().collect::<Vec<_>>(), whole.lines().take(2).collect::<Vec<_>>());
}
