//! `tinygpt eval`: scores match training and their definitions.

use super::*;

fn eval(folder: &TempDir, flags: &[&str]) -> Value {
    last_line(&succeed(
        tinygpt(folder).args(["eval", "--json", "--threads", "1", "--checkpoint"]).args(flags),
    ))
}

#[test]
fn eval_of_the_last_checkpoint_gives_the_loss_that_training_printed() {
    let folder = folder();
    write(&folder, "val.txt", &text(57));
    let trained = train(&folder, &["--out", "run", "--val-data", "val.txt"]);
    let scored = eval(&folder, &[trained["checkpoint"].as_str().unwrap(), "--data", "val.txt"]);
    assert!((number(&scored, "loss") - number(&trained, "val_loss")).abs() < 1e-9, "{trained}\n{scored}");
    assert!((number(&scored, "bits_per_byte") - number(&trained, "bits_per_byte")).abs() < 1e-9);
}

/// The best checkpoint of this run isn't its last, so both are scored.
#[test]
fn without_data_the_runs_own_validation_text_gives_its_loss_to_the_last_digit() {
    let folder = folder();
    write(&folder, "val.txt", &text(57));
    let settings: [&[&str]; 3] =
        [&[], &["--val-data", "val.txt", "--ops", "plain"], &["--data", "tales", "--tokenizer", "bpe:300"]];
    for flags in settings {
        let trained = train(&folder, &[&["--out", "run", "--force"], flags].concat());
        // With --val-data, the training text isn't needed.
        if flags.contains(&"--val-data") {
            std::fs::remove_file(folder.path().join("text.txt")).unwrap();
        }
        let scored = eval(&folder, &[trained["checkpoint"].as_str().unwrap()]);
        for (of_eval, of_training) in
            [("loss", "val_loss"), ("bits_per_byte", "bits_per_byte"), ("floor", "floor")]
        {
            assert_eq!(scored[of_eval], trained[of_training], "{flags:?}");
        }
        let metrics = String::from_utf8(read(&folder, "run/metrics.jsonl")).unwrap();
        let lines = metrics.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        let best = lines.filter_map(|line| line["val_loss"].as_f64()).fold(f64::INFINITY, f64::min);
        assert_eq!(number(&eval(&folder, &["run"]), "loss"), best, "{flags:?}");
    }
}

#[test]
fn a_text_that_changed_since_the_run_is_scored_with_a_warning() {
    let folder = folder();
    train(&folder, &["--out", "run"]);
    write(&folder, "text.txt", &text(500));
    let output = tinygpt(&folder).args(["eval", "--checkpoint", "run"]).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && told.contains("text.txt has changed since the run"), "{told}");
    assert!(told.contains("scoring the run's own validation text, of text.txt"), "{told}");
}

#[test]
fn every_token_but_the_first_is_scored_and_all_bytes_count() {
    let folder = folder();
    train(&folder, &["--out", "run"]);
    // An unseen character of three bytes becomes three tokens.
    write(&folder, "test.txt", "the cat 猫.\n");
    for stride in ["16", "3", "1"] {
        let scored = eval(&folder, &["run", "--data", "test.txt", "--stride", stride]);
        assert_eq!((number(&scored, "tokens"), number(&scored, "bytes")), (12.0, 13.0));
        assert!((number(&scored, "perplexity") - number(&scored, "loss").exp()).abs() < 1e-9);
        let nats = number(&scored, "loss") * 12.0;
        assert!((number(&scored, "bits_per_byte") - nats / std::f64::consts::LN_2 / 13.0).abs() < 1e-9);
    }
}

#[test]
fn more_context_scores_better_once_the_model_has_learned() {
    let folder = folder();
    train(&folder, &["--out", "run", "--steps", "150", "--eval-every", "0"]);
    let loss =
        |stride: &str| number(&eval(&folder, &["run", "--data", "text.txt", "--stride", stride]), "loss");
    assert!(loss("1") < loss("16"));
}
