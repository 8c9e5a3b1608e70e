//! Tokenizers: round trips, tokenizers of other programs, and special tokens.

use super::imports::{copy, fixture};
use super::*;
use candle_core::Device;
use std::fs;
use tinygpt::model::Model;
use tinygpt::run::checkpoint::{load_model, load_tokenizer};
use tinygpt::settings::Ops;

/// Tokenizers in tests/checkpoints/tokenizers, from scripts/make_tokenizers.py.
pub const TOKENIZERS: [&str; 5] =
    ["truncated", "bos-by-template", "bos-by-config-alone", "bos-despite-config", "lossy"];

/// Scores `text` with the checkpoint in `run`.
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
fn bpe_needs_fewer_tokens_for_the_same_bytes() {
    let folder = folder();
    train(&folder, &["--tokenizer", "bpe:300", "--out", "run"]);
    let pairs = scored(&folder, &text(50));
    assert!(number(&pairs, "tokens") * 3.0 < number(&pairs, "bytes"), "{pairs}");
    assert_eq!(number(&pairs, "bytes"), text(50).len() as f64);
    let config: Value = serde_json::from_slice(&read(&folder, "run/last/config.json")).unwrap();
    assert!(number(&config, "vocab_size") <= 300.0);
}

#[test]
fn a_tokenizer_json_is_used_unchanged() {
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

/// Any prompt is printed unchanged.
#[test]
fn prompts_with_any_characters_survive_both_tokenizers() {
    let folder = folder();
    for kind in ["char", "bpe:280"] {
        train(&folder, &["--tokenizer", kind, "--out", "run", "--force"]);
        for prompt in ["a\r\n\tb", "猫 🐈‍⬛ ÿ", "<|endoftext|>", "  two  spaces  "] {
            let flags = ["generate", "-", "--checkpoint", "run", "--max-tokens", "3"];
            let output = succeed(tinygpt(&folder).args(flags).write_stdin(prompt));
            assert!(output.starts_with(prompt), "{kind}: {output:?}");
        }
    }
}

/// The expected ids come from transformers.
#[test]
fn other_tokenizers_match_transformers_with_special_tokens() {
    for name in TOKENIZERS {
        let directory = fixture("tokenizers").join(name);
        let tokenizer = load_tokenizer(&directory).unwrap();
        let cases: Value =
            serde_json::from_slice(&fs::read(directory.join("expected.json")).unwrap()).unwrap();
        for case in cases.as_array().unwrap() {
            let text = case["text"].as_str().unwrap();
            assert_eq!(
                serde_json::json!(tokenizer.encode_prompt(text).unwrap()),
                case["ids"],
                "{name}: {text:?}"
            );
        }
    }
}

/// All ids ordered by their probability after `ids`, most likely first.
fn order(model: &Model, ids: &[u32]) -> Vec<u32> {
    let logits = model.decoder().read(ids).unwrap();
    let mut order: Vec<u32> = (0..logits.len() as u32).collect();
    order.sort_by(|a, b| logits[*b as usize].total_cmp(&logits[*a as usize]));
    order
}

/// One-letter prompts. With a random model, the tests search for a prompt that shows the effect.
fn letters() -> impl Iterator<Item = String> {
    ('a'..='z').map(String::from)
}

/// A model with random weights and a tokenizer that puts a token before every text.
fn with_beginning(folder: &TempDir) -> std::path::PathBuf {
    let checkpoint = copy(folder, "gpt2-f16-untied");
    let path = checkpoint.join("tokenizer.json");
    let mut json: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    json["post_processor"] = serde_json::json!({
        "type": "TemplateProcessing",
        "single": [{"SpecialToken": {"id": "!", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
        "pair": [],
        "special_tokens": {"!": {"id": "!", "ids": [1], "tokens": ["!"]}},
    });
    fs::write(path, json.to_string()).unwrap();
    checkpoint
}

/// In transformers too, the loss covers all tokens after the first special one.
#[test]
fn bos_tokens_are_read_but_not_scored() {
    let folder = folder();
    let checkpoint = with_beginning(&folder);
    let (model, tokenizer) =
        (load_model(&checkpoint, &Device::Cpu, Ops::Fused).unwrap(), load_tokenizer(&checkpoint).unwrap());
    write(&folder, "cat.txt", "the cat");
    let ids: Vec<u32> = [vec![1], tokenizer.encode("the cat").unwrap()].concat();
    let losses = model.losses(&ids[..ids.len() - 1], &ids[1..], ids.len() - 1).unwrap();
    let flags = ["eval", "--json", "--data", "cat.txt", "--checkpoint"];
    let scored = last_line(&succeed(tinygpt(&folder).args(flags).arg(&checkpoint)));
    assert_eq!(number(&scored, "tokens"), 7.0, "{scored}");
    let expected = losses.iter().map(|loss| f64::from(*loss)).sum::<f64>() / 7.0;
    assert!((number(&scored, "loss") - expected).abs() < 1e-5, "{scored}, not {expected}");

    // The token also precedes prompts: without it, another token would be most likely.
    let ids = |prompt: &str| tokenizer.encode(prompt).unwrap();
    let first = |ids: &[u32]| order(&model, ids)[0];
    let differs = |prompt: &String| first(&ids(prompt)) != first(&tokenizer.encode_prompt(prompt).unwrap());
    let prompt = letters().find(differs).unwrap();
    let flags = ["generate", "--json", "--prompt", &prompt, "--temperature", "0", "--max-tokens", "1"];
    let written = last_line(&succeed(tinygpt(&folder).args(flags).arg("--checkpoint").arg(&checkpoint)));
    let expected = first(&[vec![1], ids(&prompt)].concat());
    assert_eq!(written["text"], tokenizer.decode(&[expected]).unwrap());
}

/// Greedy texts of one to eight tokens.
fn greedy(folder: &TempDir, checkpoint: &Path) -> Vec<String> {
    (1..=8)
        .map(|tokens: usize| {
            let flags = ["generate", "--json", "--prompt", "the", "--temperature", "0", "--max-tokens"];
            let mut command = tinygpt(folder);
            command.args(flags).arg(tokens.to_string()).arg("--checkpoint").arg(checkpoint);
            last_line(&succeed(&mut command))["text"].as_str().unwrap().to_string()
        })
        .collect()
}

#[test]
fn every_end_token_in_generation_config_stops_generation() {
    let folder = folder();
    let checkpoint = copy(&folder, "gpt2-f16-untied");
    let written = greedy(&folder, &checkpoint);
    let model = load_model(&checkpoint, &Device::Cpu, Ops::Fused).unwrap();
    let mut ids = load_tokenizer(&checkpoint).unwrap().encode("the").unwrap();
    for _ in 0..5 {
        ids.push(order(&model, &ids)[0]);
    }
    let fifth = ids[7];
    assert!(!ids[..7].contains(&fifth), "choose another token: {ids:?}");
    let says = |name: &str, ends: Value| {
        let path = checkpoint.join(name);
        let mut json: Value =
            fs::read(&path).map_or(serde_json::json!({}), |bytes| serde_json::from_slice(&bytes).unwrap());
        json["eos_token_id"] = ends;
        fs::write(path, json.to_string()).unwrap();
        greedy(&folder, &checkpoint).pop().unwrap()
    };
    assert_eq!(says("config.json", serde_json::json!([0, fifth])), written[3]);
    // generation_config.json overrides config.json.
    assert_eq!(says("generation_config.json", serde_json::json!(0)), written[7]);
    assert_eq!(says("generation_config.json", serde_json::json!([fifth, 0])), written[3]);
    // A fine-tuned checkpoint keeps the end tokens.
    let mut tune = tinygpt(&folder);
    tune.args(["train", "--data", "text.txt", "--steps", "1", "--lr", "0", "--out", "run", "--init"]);
    succeed(tune.arg(&checkpoint));
    let config: Value = serde_json::from_slice(&read(&folder, "run/last/config.json")).unwrap();
    assert_eq!(config["eos_token_id"], serde_json::json!([fifth, 0]));
    assert_eq!(greedy(&folder, &folder.path().join("run")).pop().unwrap(), written[3]);
}

#[test]
fn vocabulary_rows_without_a_token_are_never_generated() {
    let folder = folder();
    let checkpoint = copy(&folder, "gpt2-f16-untied");
    let (model, tokenizer) =
        (load_model(&checkpoint, &Device::Cpu, Ops::Fused).unwrap(), load_tokenizer(&checkpoint).unwrap());
    let order = |prompt: &String| order(&model, &tokenizer.encode(prompt).unwrap());
    let is_plain = |id: u32| tokenizer.token(id).unwrap().is_ascii();
    let prompt = letters().find(|prompt| is_plain(order(prompt)[1])).unwrap();
    let order = order(&prompt);
    // Remove the most likely token from the tokenizer. The model keeps its row.
    let path = checkpoint.join("tokenizer.json");
    let mut json: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    let vocab = json["model"]["vocab"].as_object_mut().unwrap();
    vocab.retain(|_, id| *id != order[0]);
    assert_eq!(vocab.len(), 256);
    fs::write(path, json.to_string()).unwrap();
    let second = tokenizer.token(order[1]).unwrap();
    for top_k in ["1", "40"] {
        // This temperature always samples the most likely token.
        let flags = ["--prompt", &prompt, "--temperature", "0.001", "--top-k", top_k, "--max-tokens", "1"];
        let mut command = tinygpt(&folder);
        command.args(["generate", "--json", "--checkpoint"]).arg(&checkpoint).args(flags);
        assert_eq!(last_line(&succeed(&mut command))["text"], second.as_str());
    }
    // The loss includes all rows, as in transformers.
    let loss = |checkpoint: &Path| {
        let flags = ["eval", "--json", "--data", "text.txt", "--checkpoint"];
        last_line(&succeed(tinygpt(&folder).args(flags).arg(checkpoint)))["loss"].clone()
    };
    assert_eq!(loss(&checkpoint), loss(&fixture("gpt2-f16-untied")));
}

#[test]
fn lossy_tokenizers_are_reported_and_have_no_bits_per_byte() {
    let folder = folder();
    let file = fixture("tokenizers").join("lossy/tokenizer.json");
    let with_it = |flags: &[&str]| small_but(&[&["--tokenizer", file.to_str().unwrap()], flags].concat());
    let output = tinygpt(&folder).arg("train").args(with_it(&["--out", "run"])).output().unwrap();
    let (told, shown) =
        (String::from_utf8(output.stderr).unwrap(), String::from_utf8(output.stdout).unwrap());
    assert!(output.status.success(), "{told}");
    // The tokenizer drops line ends (1 byte of 20 or 21 per line) and "dog" (3 bytes in two of five places).
    let share = told.split("the tokenizer drops ").nth(1).and_then(|rest| rest.split('%').next()).unwrap();
    assert!((9.0..12.0).contains(&share.parse().unwrap()), "{told}");
    assert!(
        !(told.clone() + &shown).contains("0 bits per byte") && shown.contains("validation loss"),
        "{told}{shown}"
    );
    let metrics = String::from_utf8(read(&folder, "run/metrics.jsonl")).unwrap();
    assert!(metrics.contains("\"bits_per_byte\":null"), "{metrics}");
    let events = fs::read_dir(folder.path().join("run")).unwrap().map(|entry| entry.unwrap().path());
    let events = events.filter(|path| path.to_string_lossy().contains("tfevents"));
    let events: Vec<u8> = events.flat_map(|path| fs::read(path).unwrap()).collect();
    let has = |name: &str| events.windows(name.len()).any(|part| part == name.as_bytes());
    assert!(has("validation/loss") && !has("bits_per_byte"));
    let card = String::from_utf8(read(&folder, "run/best/README.md")).unwrap();
    assert!(card.contains("perplexity") && !card.contains("bits"), "{card}");

    let eval = ["eval", "--checkpoint", "run", "--data", "text.txt"];
    let output = tinygpt(&folder).args(eval).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("the tokenizer drops"));
    assert!(!String::from_utf8_lossy(&output.stdout).contains("bits per byte"));
    let scored = last_line(&succeed(tinygpt(&folder).args(eval).arg("--json")));
    assert_eq!(scored["bits_per_byte"], Value::Null, "{scored}");
    let mut compare = tinygpt(&folder);
    compare.arg("compare").args(with_it(&["--acts", "relu,gelu", "--seeds", "2", "--out", "cmp", "--json"]));
    let output = compare.output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("the tokenizer drops"));
    let compared = String::from_utf8(output.stdout).unwrap();
    assert!(
        compared.contains("\"bits_per_byte\":null") || compared.contains("\"bits_per_byte\": null"),
        "{compared}"
    );
    let page = succeed(tinygpt(&folder).args(["report", "cmp"]));
    assert!(!page.contains("NaN"), "{page}");
}

/// This is bad input (exit code 2), not a failure of the program.
#[test]
fn tokenizers_that_cannot_encode_the_text_are_rejected() {
    let folder = folder();
    let mut json: Value =
        serde_json::from_slice(&fs::read(fixture("tokenizers").join("lossy/tokenizer.json")).unwrap())
            .unwrap();
    json["model"]["unk_token"] = "none".into();
    write(&folder, "none.json", &json.to_string());
    let error = fail(tinygpt(&folder).arg("train").args(small_but(&["--tokenizer", "none.json"])), 2);
    assert!(error.contains("the tokenizer can't encode the text"), "{error}");
}

/// Samples during training start from a line end, which this tokenizer drops.
#[test]
fn training_works_with_a_tokenizer_without_line_ends() {
    let folder = folder();
    let file = fixture("tokenizers").join("lossy/tokenizer.json");
    let trained = train(&folder, &["--tokenizer", file.to_str().unwrap(), "--out", "run"]);
    assert_eq!(number(&trained, "steps"), 12.0);
    let generate = ["generate", "--checkpoint", "run", "--max-tokens", "3"];
    succeed(tinygpt(&folder).args(generate));
}
