//! tinygpt prints what it knows before it starts slow work.

use super::*;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

/// GPT-2's smallest model may take minutes per step, but its shape is known at once.
#[test]
fn a_dry_run_prints_parameters_and_memory_before_building_the_model() {
    let folder = folder();
    let flags =
        ["--dry-run", "--model", "gpt2", "--data", "text.txt", "--tokenizer", "char", "--threads", "1"];
    let mut process = Command::new(env!("CARGO_BIN_EXE_tinygpt"))
        .current_dir(folder.path())
        .args(flags)
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut told = Vec::new();
    for line in BufReader::new(process.stderr.take().unwrap()).lines().map_while(Result::ok) {
        let is_last = line.starts_with("memory ");
        told.push(line);
        if is_last {
            break;
        }
    }
    process.kill().unwrap();
    process.wait().unwrap();
    let told = told.join("\n");
    for expected in ["model   gpt2 gelu_tanh: 12 layers", "params  86,", "memory  about "] {
        assert!(told.contains(expected), "{told}");
    }
    assert!(!told.contains("time "), "{told}");
}

#[test]
fn a_dry_run_ends_with_a_time_estimate() {
    let folder = folder();
    let output = tinygpt(&folder).args(small_but(&["--dry-run"])).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(told.lines().last().unwrap().starts_with("time    about "), "{told}");
    assert!(!exists(&folder, "runs"));
}

/// Training a tokenizer takes time quadratic in the length of a word. Without cutting, this text would take minutes.
#[test]
fn one_very_long_word_trains_a_tokenizer() {
    let folder = folder();
    let mut word = String::new();
    for i in 0..60_000_u32 {
        word.push(char::from(b'a' + (i.wrapping_mul(2_654_435_761) >> 28) as u8));
    }
    write(&folder, "text.txt", &word);
    train(&folder, &["--tokenizer", "bpe:1000", "--out", "run"]);
}
