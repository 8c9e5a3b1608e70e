//! `tinygpt export`

use super::outputs::{Inputs, check_file};
use super::text::{scaled, shell_word, shown};
use super::threads::set_threads;
use crate::run::checkpoint::{Quantization, export_gguf, load_model, load_tokenizer};
use crate::run::{find_checkpoint, newest_checkpoint};
use crate::settings::Ops;
use crate::support::files::is_stream;
use crate::support::record;
use anyhow::Result;
use candle_core::Device;
use clap::Args;
use serde::Serialize;
use std::path::{Path, PathBuf};

#[derive(Args)]
#[command(after_help = "Example: tinygpt export --checkpoint runs/swiglu --quantize q8_0")]
pub struct ExportArgs {
    /// A run, a checkpoint directory, hf:OWNER/NAME[@REVISION] or a .gguf file [default: the newest run below runs/]
    #[arg(long, value_name = "DIR|hf:REPO|FILE")]
    checkpoint: Option<PathBuf>,
    /// Number format of the matrices
    #[arg(long, value_enum, default_value = "f32")]
    quantize: Quantization,
    /// File to write [default: <run>.gguf]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace a file that is in the way
    #[arg(long)]
    force: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Export {
    file: PathBuf,
    /// None of a pipe or a device.
    bytes: Option<u64>,
    checkpoint: PathBuf,
}

pub fn run(args: &ExportArgs) -> Result<()> {
    set_threads(None)?;
    let checkpoint = match &args.checkpoint {
        Some(path) => find_checkpoint(path)?,
        None => newest_checkpoint()?,
    };
    let name = name(args.checkpoint.as_deref().unwrap_or(&checkpoint));
    let out = args.out.clone().unwrap_or_else(|| PathBuf::from(format!("{name}.gguf")));
    check_file("--out", &out, &Inputs::default().path("--checkpoint", Some(&checkpoint)), args.force)?;
    let model = load_model(&checkpoint, &Device::Cpu, Ops::Plain)?;
    export_gguf(&out, &name, &model, &load_tokenizer(&checkpoint)?, args.quantize)?;
    // A pipe or a device tells no size.
    let bytes = (!is_stream(&out)).then(|| out.metadata().map(|metadata| metadata.len())).transpose()?;
    if args.json {
        say!("{}", record::line(&Export { file: out, bytes, checkpoint })?)?;
        return Ok(());
    }
    let Some(bytes) = bytes else { return Ok(()) };
    say!("wrote {}, {}B", shown(&out), scaled(bytes as f64))?;
    let file = shell_word(&shown(&out));
    say!("next: llama-completion -m {file} -p Once")?;
    Ok(())
}

/// What to call the model of a checkpoint: the name of its run, where it has one.
fn name(path: &Path) -> String {
    // What is on the hub has no path here.
    let real = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    let named = |path: &Path| path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let own = named(&real);
    let name = if own.starts_with("step-") { real.parent().map_or(own, named) } else { own };
    name.trim_end_matches(".gguf").split('@').next().unwrap_or_default().to_string()
}
