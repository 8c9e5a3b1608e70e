//! Generating: seeded, streamed, with stop texts, from any prompt.

use super::*;

fn trained() -> TempDir {
    let folder = folder();
    train(&folder, &["--out", "runs/cats", "--steps", "150", "--eval-every", "0"]);
    folder
}

fn generate(folder: &TempDir, flags: &[&str]) -> Value {
    last_line(&succeed(tinygpt(folder).args(["generate", "--json", "--threads", "1"]).args(flags)))
}

#[test]
fn a_trained_model_generates_words_of_its_text() {
    let folder = trained();
    let result = generate(&folder, &["--prompt", "the ", "--temperature", "0", "--max-tokens", "60"]);
    assert_eq!(number(&result, "tokens"), 60.0);
    assert!(number(&result, "tokens_per_second") > 0.0);
    let text = result["text"].as_str().unwrap();
    assert!(text.contains(" the "), "{text:?}");
}

/// 100 tokens with a context of 16.
#[test]
fn generation_continues_past_the_context_length() {
    let folder = trained();
    let result = generate(&folder, &["--prompt", "the cat sees the dog. the hen", "--max-tokens", "100"]);
    assert_eq!(number(&result, "tokens"), 100.0);
}

/// transformers does this silently.
#[test]
fn a_prompt_longer_than_the_context_is_cut_at_its_beginning_with_a_note() {
    let folder = trained();
    let prompt = "the cat sees the dog. the hen";
    let output =
        tinygpt(&folder).args(["generate", "--prompt", prompt, "--max-tokens", "5"]).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{told}");
    assert!(told.contains("the prompt has 29 tokens; the model reads only the last 16"), "{told}");
    let greedy = |prompt: &str| {
        generate(&folder, &["--prompt", prompt, "--temperature", "0", "--max-tokens", "1"])["text"].clone()
    };
    assert_eq!(greedy(prompt), greedy(&prompt[prompt.len() - 16..]));
}

#[test]
fn the_same_seed_generates_the_same_text() {
    let folder = trained();
    let text = |seed: &str| generate(&folder, &["--seed", seed, "--max-tokens", "80"])["text"].clone();
    assert_eq!(text("1"), text("1"));
    assert_ne!(text("1"), text("2"));
    let both =
        succeed(tinygpt(&folder).args(["generate", "--json", "--num-samples", "2", "--max-tokens", "80"]));
    let texts: Vec<Value> =
        both.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["text"].clone()).collect();
    assert_eq!(texts[0], text("1"));
    assert_ne!(texts[0], texts[1]);
}

#[test]
fn without_a_checkpoint_the_newest_run_is_used_and_named() {
    let folder = trained();
    let output = tinygpt(&folder).args(["generate", "--max-tokens", "5"]).output().unwrap();
    assert!(output.status.success());
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(errors.contains("runs/cats") && errors.contains("tokens/s"), "{errors}");
}

#[test]
fn prompts_can_contain_unseen_characters() {
    let folder = trained();
    let output = succeed(tinygpt(&folder).args(["generate", "猫 🐈 ÿ", "--max-tokens", "20"]));
    assert!(output.starts_with("猫 🐈 ÿ"), "{output:?}");
}

#[test]
fn generation_stops_before_a_stop_string() {
    let folder = trained();
    let result =
        generate(&folder, &["--prompt", "the ", "--temperature", "0", "--stop", ".", "--max-tokens", "60"]);
    let text = result["text"].as_str().unwrap();
    assert!(!text.is_empty() && !text.contains('.') && number(&result, "tokens") < 60.0, "{result}");
}

#[test]
fn the_streamed_text_equals_the_json_text() {
    let folder = trained();
    let flags = [
        "--prompt",
        "the ",
        "--max-tokens",
        "50",
        "--temperature",
        "2",
        "--top-k",
        "0",
        "--min-p",
        "0",
        "--top-p",
        "1",
    ];
    let streamed = succeed(tinygpt(&folder).arg("generate").args(flags));
    let text = generate(&folder, &flags)["text"].as_str().unwrap().to_string();
    assert_eq!(streamed, format!("the {text}\n"));
}
