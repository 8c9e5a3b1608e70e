//! Scoring: the number that training printed, and the numbers that a definition gives.

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

#[test]
fn every_token_but_the_first_is_scored_and_all_bytes_count() {
    let folder = folder();
    train(&folder, &["--out", "run"]);
    // An unseen character of three bytes is three tokens.
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
