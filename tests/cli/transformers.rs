//! tinygpt's checkpoints in transformers.

use super::imports::fixture;
use super::tokenizers::TOKENIZERS;
use super::*;
use candle_core::Device;
use serde_json::json;
use std::collections::BTreeMap;
use tinygpt::activation::Activation;
use tinygpt::model::{Model, Params};
use tinygpt::run::checkpoint::{Checkpoint, load_model, load_tokenizer, load_trainer, loads_in, save};
use tinygpt::settings::{Backbone, ModelConfig, Ops, Recipe, Settings};

#[test]
fn transformers_encodes_and_decodes_texts_equally() {
    let folder = folder();
    // Long enough to be encoded in pieces. The other texts also have characters that the tokenizers haven't
    // seen.
    let seen = format!("{}吾輩は猫である。\n", text(3000));
    write(&folder, "text.txt", &seen);
    let texts = [
        &seen,
        "\n\n\tthe cat\r\n  sees  \r the dog \n",
        "猫は吾輩である。\n犬も　いる。",
        "🐈 👩\u{200d}👩\u{200d}👧 🇯🇵",
        "ÿ é e\u{301} ₿ \u{0}\u{7f} <0x41> don't [CLS]",
        " ",
    ];
    for kind in ["char", "bpe:300"] {
        let Some(mut check) = script(&folder, "check_tokenizer.py") else { return };
        train(&folder, &["--tokenizer", kind, "--steps", "1", "--out", "run", "--force"]);
        let tokenizer = load_tokenizer(&folder.path().join("run/best")).unwrap();
        let cases = texts.map(|text| json!({ "text": text, "ids": tokenizer.encode(text).unwrap() }));
        write(&folder, "texts.json", &json!(cases).to_string());
        assert_eq!(succeed(check.args(["run/best", "texts.json"])), "6 texts\n", "{kind}");
    }
}

/// transformers reads a tokenizer from another program that tinygpt saved again.
#[test]
fn transformers_gives_the_same_tokens_with_a_resaved_tokenizer() {
    let folder = folder();
    for name in TOKENIZERS {
        let Some(mut check) = script(&folder, "check_tokenizer.py") else { return };
        let file = fixture("tokenizers").join(name).join("tokenizer.json");
        let flags = ["--steps", "1", "--out", "run", "--force", "--tokenizer", file.to_str().unwrap()];
        train(&folder, &flags);
        let tokenizer = load_tokenizer(&folder.path().join("run/best")).unwrap();
        let cases = [&text(20), "two  spaces 猫\n", "", "The cat sat on the mat."].map(|text| {
            let ids = tokenizer.encode_prompt(text).unwrap();
            json!({ "text": text, "back": tokenizer.decode(&ids).unwrap(), "ids": ids })
        });
        write(&folder, "texts.json", &json!(cases).to_string());
        assert_eq!(succeed(check.args(["run/best", "texts.json"])), "4 texts\n", "{name}");
    }
}

/// Every configuration of the tiny model that transformers supports, with a name.
fn known_to_transformers() -> Vec<(String, Settings)> {
    let mut known = Vec::new();
    for plain in Activation::named().filter(|act| !act.is_gated()) {
        for act in [Some(plain), plain.gated()].into_iter().flatten() {
            for (backbone, kv_heads) in
                [(Backbone::Llama, 4), (Backbone::Llama, 2), (Backbone::Llama, 1), (Backbone::Gpt2, 4)]
            {
                for untie in [false, true] {
                    if loads_in(backbone, act).is_ok() {
                        let name =
                            format!("{backbone:?} {act} kv {kv_heads} untie {untie}").replace(':', "-");
                        let settings = Settings {
                            backbone: Some(backbone),
                            act: Some(act),
                            kv_heads: Some(kv_heads),
                            untie: Some(untie),
                            layers: Some(2),
                            heads: Some(4),
                            dim: Some(16),
                            ffn_dim: Some(24),
                            context: Some(16),
                            init_std: Some(0.3),
                            rope_theta: Some(5_000.0),
                            ..Settings::default()
                        };
                        known.push((name, settings));
                    }
                }
            }
        }
    }
    known
}

/// Models with initial weights, saved like training saves them.
#[test]
fn transformers_matches_every_activation_backbone_and_head() {
    let folder = folder();
    let Some(mut check) = script_with(&folder, "check_transformers.py", "torch") else { return };
    train(&folder, &["--steps", "1", "--out", "run"]);
    let run = folder.path().join("run/last");
    let (tokenizer, trainer) = (load_tokenizer(&run).unwrap(), load_trainer(&run).unwrap());
    let known = known_to_transformers();
    // Eleven functions, each gated and ungated with three numbers of key/value heads, plus gpt2; all tied and untied.
    assert_eq!(known.len(), 11 * (2 * 3 + 1) * 2);
    let ids = tokenizer.encode("the fox hears").unwrap();
    let cases: Vec<Value> = known
        .into_iter()
        .map(|(name, settings)| {
            let recipe = Recipe::new(settings.over(&Settings::preset("default").unwrap())).unwrap();
            let config: ModelConfig = recipe.model(tokenizer.vocab_size()).unwrap();
            let params = Params::init(&config, 1, &Device::Cpu).unwrap();
            let model = Model::new(config, params, Ops::Fused).unwrap();
            let checkpoint = Checkpoint {
                model: &model,
                tokenizer: &tokenizer,
                trainer: &trainer,
                optimizer: BTreeMap::new(),
            };
            save(&folder.path().join(&name), &checkpoint).unwrap();
            // Compare the weights as loaded from the files.
            let model = load_model(&folder.path().join(&name), &Device::Cpu, Ops::Fused).unwrap();
            let last = ids.len() - 1;
            let losses = model.losses(&ids[..last], &ids[1..], last).unwrap();
            let loss = losses.iter().map(|loss| f64::from(*loss)).sum::<f64>() / last as f64;
            let logits = model.decoder().read(&ids).unwrap();
            json!({ "checkpoint": name, "ids": ids, "logits": logits, "loss": loss })
        })
        .collect();
    write(&folder, "cases.json", &json!(cases).to_string());
    let found = succeed(check.arg("cases.json"));
    let classes = "ArceeForCausalLM, GPT2LMHeadModel, LlamaForCausalLM";
    assert!(found.starts_with(&format!("{} checkpoints of {classes}:", cases.len())), "{found}");
}

#[test]
fn models_unknown_to_transformers_are_saved_as_tinygpt_with_a_note() {
    let folder = folder();
    for flags in [
        &["--act", "elu"][..],
        &["--act", "selu"],
        &["--act", "softplus"],
        &["--backbone", "gpt2", "--act", "swiglu"],
    ] {
        let flags = [&["--steps", "1", "--out", "run", "--force"], flags].concat();
        let told = succeed(tinygpt(&folder).arg("train").args(small_but(&flags)));
        assert!(told.contains("it loads only in tinygpt: transformers"), "{told}");
        let config: Value = serde_json::from_slice(&read(&folder, "run/best/config.json")).unwrap();
        assert_eq!(config["model_type"], "tinygpt");
        succeed(tinygpt(&folder).args(["eval", "--checkpoint", "run", "--data", "text.txt"]));
    }
}
