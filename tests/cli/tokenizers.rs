//! Tokenizers: what goes in comes out, and a checkpoint carries its own.

use super::*;

/// The loss of a model that says every byte of `text` through its tokenizer.
fn scored(folder: &TempDir, text: &str) -> Value {
    write(folder, "probe.txt", text);
    last_line(&succeed(tinygpt(folder).args([
        "eval",
        "--checkpoint",
        "run",
        "--data",
        "probe.txt",
        "--json",
    ])))
}

#[test]
fn byte_pairs_need_fewer_tokens_for_the_same_bytes() {
    let folder = folder();
    train(&folder, &["--tokenizer", "bpe:300", "--out", "run"]);
    let pairs = scored(&folder, &text(50));
    assert!(number(&pairs, "tokens") * 3.0 < number(&pairs, "bytes"), "{pairs}");
    assert_eq!(number(&pairs, "bytes"), text(50).len() as f64);
    let config: Value = serde_json::from_slice(&read(&folder, "run/last/config.json")).unwrap();
    assert!(number(&config, "vocab_size") <= 300.0);
}

#[test]
fn a_tokenizer_json_is_taken_as_it_is() {
    let folder = folder();
    train(&folder, &["--tokenizer", "bpe:280", "--out", "first"]);
    train(&folder, &["--tokenizer", "first/last/tokenizer.json", "--out", "second"]);
    assert_eq!(read(&folder, "first/last/tokenizer.json"), read(&folder, "second/last/tokenizer.json"));
    assert_eq!(read(&folder, "first/last/model.safetensors"), read(&folder, "second/last/model.safetensors"));
    write(&folder, "broken.json", "{\"model\": 1}");
    let error = fail(tinygpt(&folder).args(small_but(&["--tokenizer", "broken.json", "--out", "r"])), 2);
    assert!(error.contains("broken.json"), "{error}");
    let error = fail(tinygpt(&folder).args(small_but(&["--tokenizer", "bpe:10", "--out", "r"])), 2);
    assert!(error.contains("between 257"), "{error}");
}

/// A prompt is printed as it was given, whatever it holds.
#[test]
fn prompts_of_any_characters_survive_both_tokenizers() {
    let folder = folder();
    for kind in ["char", "bpe:280"] {
        train(&folder, &["--tokenizer", kind, "--out", "run", "--force"]);
        for prompt in ["a\r\n\tb", "猫 🐈‍⬛ ÿ", "<|endoftext|>", "  two  spaces  "] {
            write(&folder, "p.txt", prompt);
            let flags = ["generate", "--checkpoint", "run", "--prompt-file", "p.txt", "--max-tokens", "3"];
            let output = succeed(tinygpt(&folder).args(flags));
            assert!(output.starts_with(prompt), "{kind}: {output:?}");
        }
    }
}
