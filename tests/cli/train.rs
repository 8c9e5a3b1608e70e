//! Training: losses, checkpoints and the printed plan.

use super::*;

#[test]
fn training_lowers_the_loss_and_reports_every_number() {
    let folder = folder();
    let result = train(&folder, &["--act", "swiglu", "--steps", "60", "--out", "run"]);
    assert_eq!(result["act"], "swiglu");
    assert_eq!((number(&result, "steps"), number(&result, "tokens")), (60.0, 60.0 * 4.0 * 16.0));
    // An untrained model has the loss of a uniform guess over its vocabulary: ln(1 + 256 + 20).
    let untrained = (277.0f64).ln();
    assert!(number(&result, "val_loss") < untrained - 2.0, "{result}");
    assert!((number(&result, "val_perplexity") - number(&result, "val_loss").exp()).abs() < 1e-9);
    // One byte is one token here, and the first token is not scored.
    let bits = number(&result, "val_loss") / std::f64::consts::LN_2;
    assert!((number(&result, "bits_per_byte") / bits - 1.0).abs() < 0.01, "{result}");
    for key in ["params", "ffn_params", "seconds", "tokens_per_second", "train_loss"] {
        assert!(number(&result, key) > 0.0, "{key} in {result}");
    }
    let checkpoint = result["checkpoint"].as_str().unwrap();
    assert!(exists(&folder, checkpoint), "{result}");
}

/// The tiny model has embedding V C, attention 4 C^2, FFN 3 C F and norms 3 C.
#[test]
fn parameter_counts_are_correct() {
    let folder = folder();
    let result = train(&folder, &["--act", "swiglu", "--steps", "1", "--out", "run"]);
    let config: Value = serde_json::from_slice(&read(&folder, "run/last/config.json")).unwrap();
    let (vocab, dim, ffn) = (number(&config, "vocab_size"), 16.0, number(&config, "intermediate_size"));
    assert_eq!(ffn, 40.0); // 8/3 of 16 is 42.7, whose nearest multiple of 8 is 40
    assert_eq!(number(&result, "ffn_params"), 3.0 * dim * ffn);
    assert_eq!(number(&result, "params"), vocab * dim + 4.0 * dim * dim + 3.0 * dim * ffn + 3.0 * dim);
}

#[test]
fn a_checkpoint_is_a_hugging_face_directory() {
    let folder = folder();
    let cases = [
        ("llama", "swiglu", "llama", "LlamaForCausalLM", "hidden_act", "silu"),
        ("llama", "relu2", "arcee", "ArceeForCausalLM", "hidden_act", "relu2"),
        ("gpt2", "gelu_tanh", "gpt2", "GPT2LMHeadModel", "activation_function", "gelu_pytorch_tanh"),
        ("gpt2", "swiglu", "tinygpt", "TinyGptForCausalLM", "activation_function", "swiglu"),
        ("llama", "elu", "tinygpt", "TinyGptForCausalLM", "hidden_act", "elu"),
    ];
    for (backbone, act, model_type, class, key, value) in cases {
        train(&folder, &["--backbone", backbone, "--act", act, "--steps", "1", "--out", "run", "--force"]);
        for file in [
            "model.safetensors",
            "tokenizer.json",
            "tokenizer_config.json",
            "trainer.json",
            "optimizer.safetensors",
        ] {
            assert!(exists(&folder, &format!("run/best/{file}")), "{file}");
        }
        let config: Value = serde_json::from_slice(&read(&folder, "run/best/config.json")).unwrap();
        assert_eq!((&config["model_type"], &config["architectures"][0]), (&model_type.into(), &class.into()));
        assert_eq!(config[key], value);
        // A tied head shares the embedding and isn't stored.
        let tensors = read(&folder, "run/best/model.safetensors");
        let names = safetensors::SafeTensors::deserialize(&tensors).unwrap();
        assert!(!names.names().iter().any(|name| name.contains("lm_head")));
    }
}

#[test]
fn runs_claim_to_load_in_transformers_only_if_they_do() {
    let folder = folder();
    for (backbone, act, said) in [
        ("llama", "relu", "load in transformers too"),
        ("llama", "elu", "transformers does not know this function"),
        ("gpt2", "swiglu", "transformers has no gated GPT-2"),
    ] {
        let flags = small_but(&["--backbone", backbone, "--act", act, "--steps", "1", "--out", "run"]);
        let told = succeed(tinygpt(&folder).args(flags).arg("--force"));
        let saved = told.lines().find(|line| line.starts_with("saved run (")).unwrap_or_default();
        assert!(saved.contains(said), "{act}: {told}");
    }
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_other_seeds_differ() {
    let folder = folder();
    for (out, seed) in [("a", "1"), ("b", "1"), ("c", "2")] {
        train(&folder, &["--out", out, "--seed", seed, "--dropout", "0.1"]);
    }
    let weights = |run: &str| read(&folder, &format!("{run}/last/model.safetensors"));
    assert_eq!(weights("a"), weights("b"));
    assert_ne!(weights("a"), weights("c"));
}

#[test]
fn train_is_the_default_command() {
    let folder = folder();
    succeed(tinygpt(&folder).args(["--act", "swiglu", "--out", "plain"]).args(SMALL));
    succeed(tinygpt(&folder).args(["train", "--out", "named"]).args(SMALL));
    assert_eq!(read(&folder, "plain/last/model.safetensors"), read(&folder, "named/last/model.safetensors"));
}

/// Compares four sequences at once with one at a time and accumulated gradients.
#[test]
fn accumulated_gradients_match_the_whole_batch() {
    let folder = folder();
    let whole = train(&folder, &["--out", "whole", "--steps", "8"]);
    let parts = train(&folder, &["--out", "parts", "--steps", "8", "--batch-size", "1", "--grad-accum", "4"]);
    assert_eq!(whole["tokens"], parts["tokens"]);
    let difference = number(&whole, "val_loss") - number(&parts, "val_loss");
    assert!(difference.abs() < 1e-4, "{whole}\n{parts}");
}

#[test]
fn best_is_the_checkpoint_with_the_lowest_validation_loss() {
    let folder = folder();
    train(
        &folder,
        &["--out", "run", "--steps", "40", "--lr", "0.3", "--warmup", "0", "--min-lr", "0.3", "--keep", "99"],
    );
    let metrics = String::from_utf8(read(&folder, "run/metrics.jsonl")).unwrap();
    let lines = metrics.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    let evaluations: Vec<Value> = lines.filter(|line| line["val_loss"].is_number()).collect();
    assert_eq!(evaluations.len(), 8);
    let loss = |line: &&Value| number(line, "val_loss");
    let best = evaluations.iter().min_by(|a, b| loss(a).total_cmp(&loss(b))).unwrap();
    let link = folder.path().join("run/best").canonicalize().unwrap();
    assert_eq!(link.file_name().unwrap().to_str().unwrap(), format!("step-{:06}", number(best, "step")));
}

#[test]
fn epochs_set_the_number_of_steps() {
    let folder = folder();
    let flags = SMALL.chunks(2).filter(|pair| pair[0] != "--steps").flatten();
    let result =
        last_line(&succeed(tinygpt(&folder).args(flags).args(["--epochs", "2", "--out", "run", "--json"])));
    let tokens = text(400).len() as f64 * 0.9 * 2.0;
    assert!((number(&result, "tokens") / tokens - 1.0).abs() < 0.02, "{result}");
}

#[test]
fn flags_override_a_preset_file() {
    let folder = folder();
    write(&folder, "mine.toml", "# mine\nlayers = 3\ndim = 24\nact = \"relu\"\n");
    succeed(tinygpt(&folder).args(["--model", "mine.toml", "--out", "run", "--json"]).args(SMALL));
    let config: Value = serde_json::from_slice(&read(&folder, "run/last/config.json")).unwrap();
    assert_eq!((number(&config, "num_hidden_layers"), number(&config, "hidden_size")), (1.0, 16.0));
    assert_eq!(config["hidden_act"], "relu");
}

#[test]
fn the_plan_is_printed_before_training() {
    let folder = folder();
    let output = tinygpt(&folder).args(["--act", "relu", "--out", "run"]).args(SMALL).output().unwrap();
    let plan = String::from_utf8(output.stderr).unwrap();
    for part in [
        "llama relu: 1 layers",
        "embedding",
        "attention",
        "FFN",
        "FLOP per token",
        "12 steps of 64 tokens",
        "memory",
        "against an ungated FFN",
    ] {
        assert!(plan.contains(part), "'{part}' is missing in\n{plan}");
    }
}

#[test]
fn divergence_reports_the_step_the_last_checkpoint_and_advice() {
    let folder = folder();
    // Weight decay multiplies the weights by 1 - 10 * 10 per step, so they overflow within twenty steps.
    let flags = [
        "--lr",
        "10",
        "--warmup",
        "0",
        "--min-lr",
        "10",
        "--weight-decay",
        "10",
        "--steps",
        "400",
        "--out",
        "run",
    ];
    let error = fail(tinygpt(&folder).args(small_but(&flags)), 3);
    assert!(error.contains("diverged at step") && error.contains("--lr"), "{error}");
    assert!(error.contains("last good checkpoint is run/step-0000"), "{error}");
    // The checkpoint in the error exists and works.
    succeed(tinygpt(&folder).args(["generate", "--checkpoint", "run/last", "--max-tokens", "5"]));
}
