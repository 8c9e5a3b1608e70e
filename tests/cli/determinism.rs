//! On one machine, the same seed gives the same bytes with any number of threads.

use super::*;

#[test]
fn training_gives_the_same_bytes_with_any_number_of_threads() {
    let folder = folder();
    // Enough rows for several tasks, and sizes that no number of threads divides evenly.
    let flags = ["--dim", "48", "--heads", "3", "--context", "40", "--batch-size", "7", "--dropout", "0.1"];
    for (out, threads) in [("one", "1"), ("again", "1"), ("two", "2"), ("five", "5")] {
        train(&folder, &[flags.as_slice(), &["--out", out, "--threads", threads]].concat());
    }
    for file in ["model.safetensors", "optimizer.safetensors", "tokenizer.json", "config.json"] {
        let of = |run: &str| read(&folder, &format!("{run}/last/{file}"));
        assert!(["again", "two", "five"].iter().all(|run| of(run) == of("one")), "{file} differs");
    }
}

/// candle splits matrix products by the number of threads, which changes the rounding of sums.
#[test]
fn plain_ops_are_deterministic_and_threads_only_change_rounding() {
    let folder = folder();
    let flags = ["--ops", "plain", "--dim", "48", "--heads", "3", "--context", "40", "--batch-size", "7"];
    let result = |out: &str, threads: &str| {
        let result = train(&folder, &[flags.as_slice(), &["--out", out, "--threads", threads]].concat());
        (number(&result, "val_loss"), read(&folder, &format!("{out}/last/model.safetensors")))
    };
    let one = result("one", "1");
    assert!(one == result("again", "1"), "the same command gives other bytes");
    let difference = (one.0 - result("five", "5").0).abs();
    assert!(difference < 1e-5, "{difference} nats per token");
}

#[test]
fn comparisons_give_the_same_table_with_any_number_of_threads() {
    let folder = folder();
    let lines = |out: &str, threads: &str| -> Vec<Value> {
        let flags = ["--acts", "relu,swiglu", "--seeds", "2", "--threads", threads, "--out", out];
        succeed(tinygpt(&folder).arg("compare").args(small_but(&flags)));
        let lines = String::from_utf8(read(&folder, &format!("{out}/results.jsonl"))).unwrap();
        let mut lines: Vec<Value> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        for line in &mut lines {
            // Ignore times, memory and paths.
            line["peak_memory"].take();
            for key in ["seconds", "tokens_per_second", "checkpoint"] {
                line["outcome"][key].take();
            }
        }
        lines
    };
    let one = lines("one", "1");
    assert_eq!(one.len(), 4);
    assert!(one == lines("again", "1") && one == lines("three", "3"));
}

#[test]
fn generation_gives_the_same_text_with_any_number_of_threads() {
    let folder = folder();
    train(&folder, &["--out", "run", "--steps", "60"]);
    let text = |threads: &str| {
        let flags =
            ["generate", "--checkpoint", "run", "--seed", "3", "--max-tokens", "200", "--threads", threads];
        succeed(tinygpt(&folder).args(flags))
    };
    let one = text("1");
    assert!(one.len() > 100 && one == text("1") && one == text("2") && one == text("5"));
}
