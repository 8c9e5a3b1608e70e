//! Scoring: equal to the loss of training, and to the definitions of perplexity and bits per byte.

use super::*;

fn eval(folder: &TempDir, flags: &[&str]) -> Value {
    last_line(&succeed(
        tinygpt(folder).args(["eval", "--json", "--threads", "1", "--checkpoint"]).args(flags),
    ))
}

#[test]
fn eval_of_the_last_checkpoint_equals_the_loss_of_training() {
    let folder = folder();
    write(&folder, "val.txt", &text(57));
    let trained = train(&folder, &["--out", "run", "--val-data", "val.txt"]);
    let scored = eval(&folder, &[trained["checkpoint"].as_str().unwrap(), "--data", "val.txt"]);
    assert!((number(&scored, "loss") - number(&trained, "val_loss")).abs() < 1e-9, "{trained}\n{scored}");
    assert!((number(&scored, "bits_per_byte") - number(&trained, "bits_per_byte")).abs() < 1e-9);
}

/// Scores the last and the best checkpoint.
#[test]
fn without_data_eval_reproduces_the_validation_loss_of_the_run_exactly() {
    let folder = folder();
    write(&folder, "val.txt", &text(57));
    let settings: [&[&str]; 3] =
        [&[], &["--val-data", "val.txt", "--ops", "plain"], &["--data", "tales", "--tokenizer", "bpe:300"]];
    for flags in settings {
        let trained = train(&folder, &[&["--out", "run", "--force"], flags].concat());
        // With --val-data, eval doesn't need the training text.
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
fn scoring_a_text_that_changed_since_the_run_warns() {
    let folder = folder();
    train(&folder, &["--out", "run"]);
    write(&folder, "text.txt", &text(500));
    let output = tinygpt(&folder).args(["eval", "--checkpoint", "run"]).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success() && told.contains("text.txt has changed since the run"), "{told}");
    assert!(told.contains("scoring the validation text of the run, text.txt"), "{told}");
}

#[test]
fn every_token_but_the_first_is_scored_and_every_byte_counts() {
    let folder = folder();
    train(&folder, &["--out", "run"]);
    // An unseen character of 3 bytes becomes 3 tokens.
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
fn a_smaller_stride_lowers_the_loss_of_a_trained_model() {
    let folder = folder();
    train(&folder, &["--out", "run", "--steps", "150", "--eval-every", "0"]);
    let loss =
        |stride: &str| number(&eval(&folder, &["run", "--data", "text.txt", "--stride", stride]), "loss");
    assert!(loss("1") < loss("16"));
}
