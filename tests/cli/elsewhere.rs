//! Runs used from another directory than the one they were started in.

use super::*;

/// tinygpt, started in the subdirectory `name`.
fn in_directory(folder: &TempDir, name: &str) -> Command {
    let mut command = tinygpt(folder);
    let directory = folder.path().join(name);
    std::fs::create_dir_all(&directory).unwrap();
    command.current_dir(directory);
    command
}

/// A directory with `work/text.txt` and a run on it in `run`.
fn with_run(flags: &[&str]) -> TempDir {
    let folder = folder();
    std::fs::create_dir(folder.path().join("work")).unwrap();
    std::fs::rename(folder.path().join("text.txt"), folder.path().join("work/text.txt")).unwrap();
    let flags = small_but(&[&["--out", "../run"], flags].concat());
    succeed(in_directory(&folder, "work").arg("train").args(flags));
    folder
}

#[test]
fn runs_can_be_resumed_inspected_and_scored_from_any_directory() {
    let folder = with_run(&[]);
    let run = folder.path().join("run");
    let eval = |place: &str| {
        let mut command = in_directory(&folder, place);
        last_line(&succeed(command.args(["eval", "--json", "--checkpoint"]).arg(&run)))
    };
    assert_eq!(eval("other/place")["loss"], eval("work")["loss"]);
    succeed(in_directory(&folder, "other").args(["inspect", "--json", "--checkpoint"]).arg(&run));
    succeed(in_directory(&folder, "other").args(["train", "--steps", "14", "--resume"]).arg(&run));
    // A run resumed from one directory can be resumed from any other.
    succeed(in_directory(&folder, "work").args(["train", "--steps", "16", "--resume"]).arg(&run));
    succeed(in_directory(&folder, "third").args(["train", "--steps", "18", "--resume"]).arg(&run));
}

#[test]
fn a_different_text_with_the_same_name_is_not_used() {
    let folder = with_run(&[]);
    std::fs::create_dir(folder.path().join("other")).unwrap();
    write(&folder, "other/text.txt", &text(90));
    let run = folder.path().join("run");
    succeed(in_directory(&folder, "other").args(["train", "--steps", "14", "--resume"]).arg(&run));
}

#[test]
fn relative_patterns_and_directories_are_found_from_elsewhere() {
    for source in ["te*.txt", "."] {
        let folder = with_run(&["--data", source]);
        let run = folder.path().join("run");
        succeed(in_directory(&folder, "other").args(["train", "--steps", "14", "--resume"]).arg(&run));
    }
}

#[test]
fn without_a_start_directory_the_text_is_searched_above_the_run() {
    let folder = folder();
    train(&folder, &["--out", "runs/mine"]);
    for link in ["last", "best"] {
        let path = folder.path().join("runs/mine").join(link);
        let mut state: Value =
            serde_json::from_slice(&std::fs::read(path.join("trainer.json")).unwrap()).unwrap();
        if state.as_object_mut().unwrap().remove("started_in").is_some() {
            std::fs::write(path.join("trainer.json"), state.to_string()).unwrap();
            std::fs::remove_file(path.join("SHA256SUMS")).unwrap();
        }
    }
    let run = folder.path().join("runs/mine");
    succeed(in_directory(&folder, "other").args(["eval", "--checkpoint"]).arg(&run));
    succeed(in_directory(&folder, "other").args(["train", "--steps", "14", "--resume"]).arg(&run));
}

#[test]
fn a_missing_text_is_reported_with_every_searched_place() {
    let folder = with_run(&[]);
    std::fs::rename(folder.path().join("work/text.txt"), folder.path().join("moved.txt")).unwrap();
    let run = folder.path().join("run");
    for words in [["train", "--resume"], ["eval", "--checkpoint"], ["inspect", "--checkpoint"]] {
        let error = fail(in_directory(&folder, "other").args(words).arg(&run), 2);
        for place in ["work/text.txt", "other/text.txt"] {
            assert!(error.contains(place), "{words:?}: {error}");
        }
        assert!(error.contains("Name it with --data"), "{words:?}: {error}");
    }
    succeed(in_directory(&folder, "other").args(["train", "--data", "../moved.txt", "--resume"]).arg(&run));
}

#[test]
fn comparisons_resume_from_another_directory() {
    let folder = folder();
    let compare = |directory: &str, acts: &str, data: &str| {
        let flags = small_but(&["--acts", acts, "--seeds", "1", "--data", data, "--steps", "3"]);
        let mut command = in_directory(&folder, directory);
        succeed(command.arg("compare").args(flags).arg("--out").arg(folder.path().join("cmp")))
    };
    compare(".", "relu", "text.txt");
    assert!(compare("other", "relu,gelu", "../text.txt").contains("gelu"));
    let report = succeed(in_directory(&folder, "third").arg("report").arg(folder.path().join("cmp")));
    assert!(report.contains("report.html"), "{report}");
}
