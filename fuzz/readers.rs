//! Every kind of file that may come from an untrusted source, with a valid example and a reader. The property tests of
//! `tests/hostile.rs` and the cargo-fuzz targets both use it.

use anyhow::Result;
use candle_core::Device;
use encoding_rs::SHIFT_JIS;
use flate2::{Compression, write::GzEncoder};
use serde_json::json;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use tempfile::TempDir;
use tinygpt::activation::{Library, Program};
use tinygpt::data::{Corpus, Part, Tokenizer};
use tinygpt::generate::{Limits, Sampler, Sampling, generate};
use tinygpt::lab::compare::{self, Results};
use tinygpt::model::{Model, Params};
use tinygpt::report::comparison::{charts, page, table};
use tinygpt::run::RunDir;
use tinygpt::run::checkpoint::{self, Build, Checkpoint, TrainerState};
use tinygpt::settings::{Ops, Recipe, Settings, TokenizerKind};
use tinygpt::support::text::Language;

/// A kind of file and its reader.
#[derive(Clone, Copy)]
pub struct Kind {
    /// Path inside the directory that the program reads.
    pub file: &'static str,
    /// Reads the file from that directory like a command does, and uses its contents.
    read: fn(&Path) -> Result<()>,
}

pub const KINDS: &[Kind] = &[
    Kind { file: "model.safetensors", read: write_some },
    Kind { file: "config.json", read: write_some },
    Kind { file: "tokenizer.json", read: write_some },
    Kind { file: "tokenizer_config.json", read: write_some },
    Kind { file: "generation_config.json", read: write_some },
    Kind { file: "model.gguf", read: |folder| write_some(&folder.join("model.gguf")) },
    Kind { file: "sharded/model.safetensors.index.json", read: |folder| write_some(&folder.join("sharded")) },
    Kind { file: "SHA256SUMS", read: write_some },
    Kind { file: "trainer.json", read: look_at_trainer },
    Kind { file: "metrics.jsonl", read: look_at_metrics },
    Kind { file: "results.jsonl", read: report },
    Kind { file: "compare.json", read: report },
    Kind { file: "preset.toml", read: look_at_preset },
    Kind { file: "formula.txt", read: compile },
    Kind { file: "tinygpt.json", read: |folder| RunDir::at(folder).claim("step-000001".to_string()) },
    Kind { file: "text.jsonl", read: |folder| read_text(&folder.join("text.jsonl")) },
    Kind { file: "marked.jsonl", read: |folder| read_text(&folder.join("marked.jsonl")) },
    Kind { file: "text.json", read: |folder| read_text(&folder.join("text.json")) },
    Kind { file: "text.jsonl.gz", read: |folder| read_text(&folder.join("text.jsonl.gz")) },
    Kind { file: "sjis.txt", read: |folder| read_text(&folder.join("sjis.txt")) },
    Kind { file: "utf16.txt", read: |folder| read_text(&folder.join("utf16.txt")) },
];

const TEXT: &str = "the cat sees the dog.\nthe dog hears the owl.\n猫が犬を見る。\n";

/// A directory with a valid file of every kind.
pub struct Place {
    folder: TempDir,
    whole: BTreeMap<&'static str, Vec<u8>>,
}

impl Place {
    pub fn new() -> Result<Place> {
        let folder = tempfile::tempdir()?;
        let path = folder.path();
        let flags = "layers = 1\nheads = 2\nkv-heads = 1\ndim = 8\nffn-dim = 8\ncontext = 8\nsteps = 10\n";
        fs::write(path.join("preset.toml"), flags)?;
        fs::write(path.join("formula.txt"), "where(x > 0, silu(x)^2, -b * min(x, 1e-3)); b = 0.5")?;
        let settings = Settings::preset(&path.join("preset.toml").display().to_string())?;
        let tokenizer = Tokenizer::train(&TokenizerKind::Char, &Part::written(TEXT.to_string()))?;
        let config = Recipe::new(settings.clone())?.model(tokenizer.vocab_size())?;
        let params = Params::init(&config, 1, &Device::Cpu)?;
        let trainer = TrainerState {
            settings: settings.clone(),
            step: 5,
            steps: 10,
            tokens: 320,
            params: 1000,
            train_loss: Some(2.5),
            skipped_steps: 0,
            ffn_output_rms: 0.1,
            init: None,
            started_in: None,
            data: "0123456789abcdef".to_string(),
            text_tokens: Some((100, 10)),
            build: Some(Build::this()),
        };
        let model = Model::new(config, params, Ops::Fused)?;
        let whole = Checkpoint {
            model: &model,
            tokenizer: &tokenizer,
            trainer: &trainer,
            optimizer: BTreeMap::new(),
        };
        let saved = path.join("saved");
        checkpoint::save(&saved, &whole)?;
        for entry in fs::read_dir(&saved)? {
            let entry = entry?;
            fs::rename(entry.path(), path.join(entry.file_name()))?;
        }
        fs::remove_dir(saved)?;
        checkpoint::export_gguf(
            &path.join("model.gguf"),
            "example",
            &model,
            &tokenizer,
            checkpoint::Quantization::F32,
        )?;
        fs::write(path.join("generation_config.json"), json!({"eos_token_id": [0, 259]}).to_string())?;
        write_shards(path, &model)?;
        let metrics: String = (1..=10)
            .map(|step| {
                let line = json!({"step": step, "loss": 2.5, "lr": 1e-3, "grad_norm": 1.0, "tokens": 32 * step, "seconds": 0.25});
                format!("{line}\n{}\n", json!({"step": step, "val_loss": 2.5, "val_tokens": 9}))
            })
            .collect();
        fs::write(path.join("metrics.jsonl"), metrics)?;
        write_texts(path)?;
        write_comparison(path, &settings)?;
        let marker =
            json!({"format": 1, "kind": "run", "files": ["best", "last", "metrics.jsonl", "step-000005"]});
        fs::write(path.join("tinygpt.json"), marker.to_string())?;
        let whole = KINDS.iter().map(|kind| Ok((kind.file, fs::read(path.join(kind.file))?)));
        let whole = whole.collect::<Result<_>>()?;
        fs::remove_file(path.join("SHA256SUMS"))?;
        Ok(Place { folder, whole })
    }

    /// The valid file of a kind.
    pub fn example(&self, kind: Kind) -> &[u8] {
        &self.whole[kind.file]
    }

    /// Reads `bytes` as a file of this kind, with valid files of all other kinds.
    pub fn read(&self, kind: Kind, bytes: &[u8]) -> Result<()> {
        let path: PathBuf = self.folder.path().join(kind.file);
        fs::write(&path, bytes)?;
        let result = (kind.read)(self.folder.path());
        match kind.file {
            "SHA256SUMS" => fs::remove_file(&path)?,
            file => fs::write(&path, &self.whole[file])?,
        }
        result
    }
}

/// Writes the checkpoint as one shard with an index, the format transformers uses for large models.
fn write_shards(path: &Path, model: &Model) -> Result<()> {
    let sharded = path.join("sharded");
    fs::create_dir(&sharded)?;
    for file in ["config.json", "tokenizer.json", "tokenizer_config.json"] {
        fs::copy(path.join(file), sharded.join(file))?;
    }
    let shard = "model-00001-of-00001.safetensors";
    fs::copy(path.join("model.safetensors"), sharded.join(shard))?;
    let map: BTreeMap<&str, &str> =
        model.params.specs().iter().map(|spec| (spec.name.as_str(), shard)).collect();
    let index = json!({"metadata": {"total_size": 1}, "weight_map": map});
    Ok(fs::write(sharded.join("model.safetensors.index.json"), index.to_string())?)
}

/// Writes the text in each file type and encoding that `--data` reads.
fn write_texts(path: &Path) -> Result<()> {
    let lines: String = TEXT.lines().map(|text| format!("{}\n", json!({"text": text}))).collect();
    let elements: Vec<_> = TEXT.lines().map(|text| json!({"text": text})).collect();
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(lines.as_bytes())?;
    fs::write(path.join("text.jsonl"), &lines)?;
    fs::write(path.join("marked.jsonl"), format!("\u{feff}{lines}"))?;
    fs::write(path.join("text.json"), json!(elements).to_string())?;
    fs::write(path.join("text.jsonl.gz"), gzip.finish()?)?;
    fs::write(path.join("sjis.txt"), SHIFT_JIS.encode(&TEXT.repeat(2)).0)?;
    Ok(fs::write(
        path.join("utf16.txt"),
        TEXT.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>(),
    )?)
}

/// Writes a comparison of two arms with three seeds. One run is missing.
fn write_comparison(path: &Path, settings: &Settings) -> Result<()> {
    let arm = |act: &str| json!({"act": act, "ffn_dim": null, "ffn_init_scale": null});
    let design = json!({
        "arms": [arm("relu"), arm("swiglu")], "baseline": "relu", "seeds": [1, 2, 3], "rates": [],
        "matters": 0.005, "matching": "params", "match_init": false,
    });
    let comparison = json!({"design": design, "settings": settings.to_map(), "text": "0123", "command": "tinygpt compare"});
    fs::write(path.join("compare.json"), comparison.to_string())?;
    let mut lines = String::new();
    for (i, (act, seed)) in
        [("relu", 1), ("swiglu", 1), ("relu", 2), ("swiglu", 2), ("relu", 3)].iter().enumerate()
    {
        let loss = 2.0 + 0.01 * i as f64;
        let outcome = json!({
            "act": act, "params": 1000, "ffn_params": 500, "ffn_dim": 32, "steps": 10, "tokens": 320, "seconds": 1.5,
            "tokens_per_second": 213.0, "train_loss": loss, "val_loss": loss, "best_loss": loss, "bits_per_byte": 2.9,
            "floor": null, "ffn_output_rms": 0.1, "flops_per_token": 6000.0, "checkpoint": "relu-seed1/step-000010",
        });
        let line = json!({
            "act": act, "lr": null, "seed": seed, "outcome": outcome, "diverged": null,
            "piece_nats": [10.0, 11.5], "piece_tokens": [5, 6], "peak_memory": 1000000, "sample": "the cat",
        });
        lines += &format!("{line}\n");
    }
    Ok(fs::write(path.join("results.jsonl"), lines)?)
}

/// Reads a checkpoint like `eval`, uses it like `generate`, and its tokenizer like `train`.
fn write_some(folder: &Path) -> Result<()> {
    checkpoint::load_model(folder, &Device::Cpu, Ops::Fused)?;
    let tokenizer = checkpoint::load_tokenizer(folder)?;
    tokenizer.check_saving()?;
    tokenizer.dropped(&Part::written(TEXT.to_string()))?;
    let limits = Limits { max_tokens: 3, stop: vec!["\n".to_string()] };
    let mut sampler = Sampler::new(Sampling::DEFAULT, 0);
    let mut decoder = checkpoint::load_decoder(folder, &Device::Cpu)?;
    generate(&mut decoder, &tokenizer, "the cat", &mut sampler, &limits, |_| Ok(()))?;
    Ok(())
}

/// Reads the trainer state like `train --resume`.
fn look_at_trainer(folder: &Path) -> Result<()> {
    let state = checkpoint::load_trainer(folder)?;
    Recipe::new(state.settings)?.model(300)?;
    Ok(())
}

fn look_at_metrics(folder: &Path) -> Result<()> {
    let run = RunDir::at(folder);
    run.metrics()?;
    run.truncate_log(5)
}

/// Writes a report like `report`.
fn report(folder: &Path) -> Result<()> {
    let comparison = compare::load(folder)?;
    let analysis = compare::evaluate(folder, &comparison, &Results::open(folder, &comparison)?)?;
    page(&analysis, &[], &comparison.command, Language::En);
    table(&analysis).csv();
    table(&analysis).markdown(Language::En);
    charts(&analysis);
    Ok(())
}

/// Reads a preset like `train --model preset.toml`.
fn look_at_preset(folder: &Path) -> Result<()> {
    let settings = Settings::preset(&folder.join("preset.toml").display().to_string())?;
    Recipe::new(settings)?.model(300)?;
    Ok(())
}

/// Compiles a formula like `--act FORMULA`, and evaluates it.
fn compile(folder: &Path) -> Result<()> {
    let formula = String::from_utf8_lossy(&fs::read(folder.join("formula.txt"))?).into_owned();
    match Program::compile(&formula, Library::built_in()) {
        Ok(program) => {
            program.at(&[0.5, -0.5], &program.initial());
            Ok(())
        }
        Err(problem) => {
            tinygpt::bail_input!(
                "column {} of '{formula}': {}",
                formula[..problem.at].chars().count(),
                problem.message
            )
        }
    }
}

/// Reads a text like `train --data FILE`.
fn read_text(file: &Path) -> Result<()> {
    let corpus = Corpus::load(&file.display().to_string(), None, None)?;
    let tokenizer = Tokenizer::train(&TokenizerKind::Char, &corpus.train)?;
    tokenizer.encode_documents(&corpus.val, |_, _| Ok(()))
}

/// Defines a cargo-fuzz target for a kind of file. Its corpus starts with the valid file.
#[allow(unused_macros)]
macro_rules! fuzz {
    ($target:literal: $file:literal) => {
        thread_local! {
            static PLACE: (readers::Place, readers::Kind) = {
                let place = readers::Place::new().expect("create the files");
                let kind = *readers::KINDS.iter().find(|kind| kind.file == $file).expect("a known kind");
                // libFuzzer picks up new inputs here while it runs.
                let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/corpus/", $target);
                let _ = std::fs::create_dir_all(corpus)
                    .and_then(|()| std::fs::write(format!("{corpus}/sound"), place.example(kind)));
                (place, kind)
            };
        }
        libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
            // Errors are expected. The target looks for panics, hangs and large allocations.
            let _ = PLACE.with(|(place, kind)| place.read(*kind, bytes));
        });
    };
}
#[allow(unused_imports)]
pub(crate) use fuzz;
