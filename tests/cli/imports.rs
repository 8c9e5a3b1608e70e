//! Checkpoints saved by transformers (tests/checkpoints, from scripts/make_checkpoints.py).

use super::hub::{Behaviour, Hub, serve_files};
use super::*;
use candle_core::Device;
use std::fs;
use std::path::PathBuf;
use tinygpt::run::checkpoint::{load_model, load_tokenizer};
use tinygpt::settings::Ops;

pub const FIXTURES: [&str; 5] =
    ["gpt2-without-prefix", "gpt2-f16-untied", "llama-bf16-gqa-sharded", "llama-old-tied", "arcee-gqa"];

pub fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/checkpoints").join(name)
}

fn expected(name: &str) -> Value {
    serde_json::from_slice(&fs::read(fixture(name).join("expected.json")).unwrap()).unwrap()
}

/// Copies a fixture to `folder`, where the test can change it.
pub fn copy(folder: &TempDir, name: &str) -> PathBuf {
    let to = folder.path().join(name);
    fs::create_dir_all(&to).unwrap();
    for entry in fs::read_dir(fixture(name)).unwrap().map(Result::unwrap) {
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
    to
}

/// Sets keys of a fixture's config.json.
fn configure(folder: &TempDir, name: &str, changes: &Value) {
    let path = copy(folder, name).join("config.json");
    let mut config: Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    for (key, value) in changes.as_object().unwrap() {
        config[key] = value.clone();
    }
    fs::write(path, config.to_string()).unwrap();
}

fn generate_error(folder: &TempDir, checkpoint: &str) -> String {
    fail(tinygpt(folder).args(["generate", "--checkpoint", checkpoint]), 2)
}

/// The expected values come from transformers in f32.
#[test]
fn imported_checkpoints_match_transformers_logits() {
    for name in FIXTURES {
        let expected = expected(name);
        let tokenizer = load_tokenizer(&fixture(name)).unwrap();
        let ids = tokenizer.encode(expected["text"].as_str().unwrap()).unwrap();
        for ops in [Ops::Plain, Ops::Fused] {
            let model = load_model(&fixture(name), &Device::Cpu, ops).unwrap();
            let logits = model.decoder().read(&ids).unwrap();
            let theirs = expected["logits"].as_array().unwrap();
            assert_eq!(logits.len(), theirs.len());
            for (ours, theirs) in logits.iter().zip(theirs) {
                let theirs = theirs.as_f64().unwrap();
                assert!((f64::from(*ours) - theirs).abs() < 1e-4, "{name} {ops:?}: {ours}, not {theirs}");
            }
        }
    }
}

#[test]
fn every_command_works_on_a_transformers_checkpoint() {
    let folder = folder();
    for name in FIXTURES {
        let expected = expected(name);
        write(&folder, "cat.txt", expected["text"].as_str().unwrap());
        let command = |command: &str, flags: &[&str]| {
            let mut tinygpt = tinygpt(&folder);
            tinygpt
                .args([command, "--threads", "1", "--json", "--checkpoint"])
                .arg(fixture(name))
                .args(flags);
            last_line(&succeed(&mut tinygpt))
        };
        let scored = command("eval", &["--data", "cat.txt"]);
        assert!((number(&scored, "loss") - number(&expected, "loss")).abs() < 1e-5, "{name}: {scored}");
        let written = command("generate", &["--prompt", "The cat", "--max-tokens", "40"]);
        assert!(number(&written, "tokens") > 0.0, "{name}: {written}");
        let inspected = command("inspect", &["--data", "text.txt", "--max-tokens", "200"]);
        assert_eq!(inspected["data"], "text.txt", "{name}");
    }
    let error = fail(tinygpt(&folder).args(["inspect", "--checkpoint"]).arg(fixture("arcee-gqa")), 2);
    assert!(error.contains("--data"), "{error}");
    let error = fail(tinygpt(&folder).args(["train", "--resume"]).arg(fixture("arcee-gqa")), 2);
    assert!(error.contains("holds no run"), "{error}");
}

#[test]
fn unsupported_config_values_are_rejected_and_never_ignored() {
    let folder = folder();
    let llama3 = serde_json::json!({"rope_type": "llama3", "factor": 8.0, "rope_theta": 5e5});
    for (fixture, key, value, expected) in [
        ("arcee-gqa", "rope_scaling", serde_json::json!({"type": "linear", "factor": 2.0}), "rope_scaling"),
        ("arcee-gqa", "rope_parameters", llama3, "rope_parameters"),
        (
            "arcee-gqa",
            "rope_parameters",
            serde_json::json!({"full_attention": {"rope_theta": 1e4}}),
            "unscaled",
        ),
        ("arcee-gqa", "partial_rotary_factor", 0.5.into(), "partial_rotary_factor"),
        ("arcee-gqa", "sliding_window", 8.into(), "sliding_window"),
        (
            "arcee-gqa",
            "layer_types",
            serde_json::json!(["sliding_attention", "full_attention"]),
            "layer_types",
        ),
        ("arcee-gqa", "attention_bias", true.into(), "attention_bias"),
        ("arcee-gqa", "mlp_bias", true.into(), "mlp_bias"),
        ("arcee-gqa", "head_dim", 4.into(), "head_dim"),
        ("arcee-gqa", "hidden_act", "gelu_10".into(), "unknown activation"),
        ("arcee-gqa", "quantization_config", serde_json::json!({"bits": 4}), "quantization_config"),
        ("arcee-gqa", "model_type", "qwen2".into(), "known: llama, arcee, gpt2"),
        ("gpt2-f16-untied", "scale_attn_weights", false.into(), "scale_attn_weights"),
        (
            "gpt2-f16-untied",
            "scale_attn_by_inverse_layer_idx",
            true.into(),
            "scale_attn_by_inverse_layer_idx",
        ),
        ("gpt2-f16-untied", "add_cross_attention", true.into(), "add_cross_attention"),
    ] {
        configure(&folder, fixture, &serde_json::json!({ key: value }));
        let error = generate_error(&folder, fixture);
        assert!(error.contains("config.json") && error.contains(expected), "{key}: {error}");
    }
    // config.json ties the head to the embedding, but the file has a different head.
    configure(&folder, "llama-bf16-gqa-sharded", &serde_json::json!({ "tie_word_embeddings": true }));
    let error = generate_error(&folder, "llama-bf16-gqa-sharded");
    assert!(error.contains("lm_head.weight") && error.contains("tie_word_embeddings"), "{error}");
}

/// Keys missing from config.json get transformers' defaults.
#[test]
fn missing_config_values_get_transformers_defaults() {
    let folder = folder();
    configure(&folder, "arcee-gqa", &serde_json::json!({ "hidden_act": null, "rms_norm_eps": null }));
    configure(&folder, "gpt2-without-prefix", &serde_json::json!({ "activation_function": null }));
    for name in ["arcee-gqa", "gpt2-without-prefix"] {
        write(&folder, "cat.txt", expected(name)["text"].as_str().unwrap());
        let flags = ["eval", "--json", "--checkpoint", name, "--data", "cat.txt"];
        let loss = number(&last_line(&succeed(tinygpt(&folder).args(flags))), "loss");
        assert!((loss - number(&expected(name), "loss")).abs() < 1e-5, "{name}: {loss}");
    }
}

#[test]
fn files_that_are_not_checkpoints_are_rejected_with_advice() {
    let folder = folder();
    let directory = copy(&folder, "gpt2-f16-untied");
    fs::rename(directory.join("model.safetensors"), directory.join("pytorch_model.bin")).unwrap();
    let error = generate_error(&folder, "gpt2-f16-untied");
    assert!(error.contains("pickled") && error.contains("save_pretrained"), "{error}");
    let error = generate_error(&folder, "gpt2-f16-untied/pytorch_model.bin");
    assert!(error.contains("pytorch_model.bin") && error.contains("pickled"), "{error}");
    let error = generate_error(&folder, "gpt2-f16-untied/config.json");
    assert!(error.contains("is a file") && error.contains("directory"), "{error}");

    let directory = copy(&folder, "llama-bf16-gqa-sharded");
    let index = directory.join("model.safetensors.index.json");
    let text = fs::read_to_string(&index).unwrap();
    fs::write(&index, text.replace("model-00002", "../model-00002")).unwrap();
    let error = generate_error(&folder, "llama-bf16-gqa-sharded");
    assert!(error.contains("index.json") && error.contains("beside it"), "{error}");
    fs::write(&index, text).unwrap();
    fs::remove_file(directory.join("model-00002-of-00002.safetensors")).unwrap();
    let error = generate_error(&folder, "llama-bf16-gqa-sharded");
    assert!(error.contains("model-00002-of-00002.safetensors"), "{error}");

    let directory = copy(&folder, "arcee-gqa");
    fs::rename(directory.join("tokenizer.json"), directory.join("vocab.json")).unwrap();
    let error = generate_error(&folder, "arcee-gqa");
    assert!(error.contains("tokenizer.json") && error.contains("AutoTokenizer"), "{error}");
}

fn hub_with(name: &str, leave_out: &str) -> Hub {
    let files = fs::read_dir(fixture(name)).unwrap().map(|entry| {
        let entry = entry.unwrap();
        (entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path()).unwrap())
    });
    serve_files(Behaviour::Serve, files.filter(|(file, _)| file != leave_out).collect())
}

#[test]
fn hub_models_are_downloaded_once_and_then_read_offline() {
    let folder = folder();
    for (name, leave_out) in [("llama-bf16-gqa-sharded", ""), ("arcee-gqa", "tokenizer_config.json")] {
        let hub = hub_with(name, leave_out);
        write(&folder, "cat.txt", expected(name)["text"].as_str().unwrap());
        let checkpoint = format!("hf:me/{name}@v2");
        let loss = |offline: &str| {
            let mut command = tinygpt(&folder);
            command.env("HF_ENDPOINT", &hub.address).env_remove("HF_TOKEN").env("HF_HUB_OFFLINE", offline);
            command.args(["eval", "--json", "--data", "cat.txt", "--checkpoint", &checkpoint]);
            number(&last_line(&succeed(&mut command)), "loss")
        };
        assert!((loss("0") - number(&expected(name), "loss")).abs() < 1e-5);
        let requests = std::mem::take(&mut *hub.requests.lock().unwrap());
        let wanted = |request: &String| request.contains(&format!("/me/{name}/resolve/v2/"));
        assert!(!requests.is_empty() && requests.iter().all(wanted), "{requests:?}");
        // Online too: the first run also cached which files the repository lacks.
        for offline in ["0", "1"] {
            assert!((loss(offline) - number(&expected(name), "loss")).abs() < 1e-5);
            assert!(hub.requests.lock().unwrap().is_empty(), "the cache was not used");
        }
    }
}

#[test]
fn hub_models_without_safetensors_are_rejected() {
    let folder = folder();
    let hub = hub_with("arcee-gqa", "model.safetensors");
    let error = |checkpoint: &str| {
        let flags = ["generate", "--checkpoint", checkpoint];
        fail(tinygpt(&folder).env("HF_ENDPOINT", &hub.address).args(flags), 2)
    };
    let pickled = error("hf:me/arcee");
    assert!(pickled.contains("hf:me/arcee") && pickled.contains("pickled"), "{pickled}");
    let climbing = error("hf:me/../../arcee");
    assert!(climbing.contains("no name of a file"), "{climbing}");
}

/// Fine-tunes a fixture on `text.txt` for a few steps.
fn tune(folder: &TempDir, init: &Path, flags: &[&str]) -> Value {
    let mut command = tinygpt(folder);
    command.args(["train", "--json", "--threads", "1", "--data", "text.txt", "--batch-size", "4"]);
    command.args(["--out", "run", "--force", "--init"]).arg(init).args(flags);
    last_line(&succeed(&mut command))
}

/// With a learning rate of 0, the saved weights equal the given ones, in f32.
#[test]
fn fine_tuning_starts_from_the_given_weights_and_tokenizer() {
    let folder = folder();
    for name in FIXTURES {
        tune(&folder, &fixture(name), &["--lr", "0", "--steps", "1"]);
        let saved = folder.path().join("run/last");
        let load = |path: &Path| load_model(path, &Device::Cpu, Ops::Plain).unwrap();
        let (given, kept) = (load(&fixture(name)), load(&saved));
        assert_eq!(given.config, kept.config, "{name}");
        for (given, kept) in given.params.vars.iter().zip(&kept.params.vars) {
            let difference = (given.as_tensor() - kept.as_tensor()).unwrap().abs().unwrap();
            assert_eq!(difference.sum_all().unwrap().to_scalar::<f32>().unwrap(), 0.0, "{name}");
        }
        let text = "the cat 猫.";
        let ids = |path: &Path| load_tokenizer(path).unwrap().encode(text).unwrap();
        assert_eq!(ids(&fixture(name)), ids(&saved));
    }
}

#[test]
fn fine_tuning_learns_and_resumes_exactly() {
    let folder = folder();
    for (name, context) in [("llama-bf16-gqa-sharded", "16"), ("gpt2-without-prefix", "16")] {
        let flags = ["--lr", "1e-2", "--context", context, "--eval-every", "20", "--keep", "9"];
        let once = tune(&folder, &fixture(name), &[&flags[..], &["--steps", "40"]].concat());
        assert!(number(&once, "val_loss") < 4.0, "{once}");
        let whole = read(&folder, "run/last/model.safetensors");
        let last = folder.path().join("run/last");
        fs::remove_file(&last).unwrap();
        fs::write(&last, "step-000020").unwrap();
        succeed(tinygpt(&folder).args(["train", "--resume", "run"]));
        assert!(read(&folder, "run/last/model.safetensors") == whole, "{name}");
    }
}

#[test]
fn flags_set_by_the_initial_checkpoint_are_rejected() {
    let folder = folder();
    let error = |flags: &[&str]| {
        let mut command = tinygpt(&folder);
        fail(command.args(["train", "--data", "text.txt", "--init"]).arg(fixture("arcee-gqa")).args(flags), 2)
    };
    for flags in [["--dim", "16"], ["--act", "relu"], ["--tokenizer", "char"], ["--init-std", "1"]] {
        let error = error(&flags);
        assert!(error.contains(flags[0]) && error.contains("--init"), "{error}");
    }
    let long = error(&["--context", "64"]);
    assert!(long.contains("--context is 64") && long.contains("32 positions"), "{long}");
    let both = error(&["--model", "default"]);
    assert!(both.contains("--model"), "{both}");
    assert!(!exists(&folder, "runs"), "a run was left behind");
}

#[test]
fn hub_models_can_be_fine_tuned_and_the_card_names_them() {
    let folder = folder();
    let hub = hub_with("arcee-gqa", "");
    let mut command = tinygpt(&folder);
    command.env("HF_ENDPOINT", &hub.address).env_remove("HF_TOKEN");
    let flags = ["--init", "hf:me/arcee@v2", "--data", "text.txt", "--steps", "2", "--out", "run"];
    succeed(command.arg("train").args(flags));
    let card = String::from_utf8(read(&folder, "run/best/README.md")).unwrap();
    assert!(card.contains("base_model: \"me/arcee\"") && card.contains("--init hf:me/arcee@v2"), "{card}");
    // The checkpoint has everything needed to resume.
    succeed(tinygpt(&folder).env("HF_HUB_OFFLINE", "1").args(["train", "--resume", "run", "--steps", "3"]));
}
