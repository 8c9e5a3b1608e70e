//! `tinygpt export`

use super::outputs::{Inputs, check_file};
use super::shared::ModelFlag;
use super::text::{print_record, scaled, shell_word, shown};
use super::threads::set_threads;
use crate::run::checkpoint::{Quantization, export_gguf, load_model, load_tokenizer};
use crate::settings::Ops;
use crate::support::files::is_stream;
use anyhow::Result;
use candle_core::Device;
use clap::Args;
use serde_json::json;
use std::path::{Path, PathBuf};

#[derive(Args)]
#[command(after_help = "Example: tinygpt export --checkpoint runs/swiglu --quantize q8_0")]
pub struct ExportArgs {
    #[command(flatten)]
    model: ModelFlag,
    /// Number format of the weight matrices
    #[arg(long, value_name = "FORMAT", value_enum, default_value = "f32")]
    quantize: Quantization,
    /// GGUF file to write [default: <run>.gguf]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace --out if it exists
    #[arg(long)]
    force: bool,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

pub fn run(args: &ExportArgs) -> Result<()> {
    set_threads(None)?;
    let checkpoint = args.model.find()?;
    let name = name(args.model.checkpoint.as_deref().unwrap_or(&checkpoint));
    let out = args.out.clone().unwrap_or_else(|| PathBuf::from(format!("{name}.gguf")));
    check_file("--out", &out, &Inputs::default().path("--checkpoint", Some(&checkpoint)), args.force)?;
    let model = load_model(&checkpoint, &Device::Cpu, Ops::Plain)?;
    export_gguf(&out, &name, &model, &load_tokenizer(&checkpoint)?, args.quantize)?;
    // A pipe or a device has no size.
    let bytes = (!is_stream(&out)).then(|| out.metadata().map(|metadata| metadata.len())).transpose()?;
    if args.json {
        return print_record(&json!({"file": out, "bytes": bytes, "checkpoint": checkpoint}));
    }
    if let Some(bytes) = bytes {
        say!("wrote {}, {}B", shown(&out), scaled(bytes as f64))?;
        say!("next: llama-completion -m {} -p Once", shell_word(&shown(&out)))?;
    }
    Ok(())
}

/// The model's name in the file: the name of its run, or else of its file, directory or hub repository.
fn name(path: &Path) -> String {
    // A model of the hub has no path here.
    let real = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let named = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let own = named(&real);
    let name = if own.starts_with("step-") { real.parent().map_or(own, named) } else { own };
    name.trim_end_matches(".gguf").split('@').next().unwrap_or_default().to_string()
}
