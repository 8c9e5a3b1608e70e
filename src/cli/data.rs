//! `tinygpt data`

use super::outputs::{Inputs, check_file};
use super::text::{grouped, shown};
use crate::data::Tales;
use crate::settings::{LARGEST_SEED, within};
use crate::support::files::replace;
use crate::support::random;
use anyhow::{Context, Result};
use clap::Args;
use std::io::Write;
use std::path::PathBuf;

#[derive(Args)]
#[command(after_help = "Example: tinygpt data tales --bytes 10MB --seed 7 --out tales.txt")]
pub struct DataArgs {
    /// Corpus to write: `tales[:ja][:facts=N]`
    ///
    /// `tales` are short English stories from a grammar, `tales:ja` Japanese ones. `facts=N` adds N facts to
    /// memorize.
    corpus: String,
    /// Size of the text: 500KB, 10MB, or a number of bytes
    #[arg(long, value_name = "SIZE", default_value = "1MB", value_parser = size)]
    bytes: usize,
    /// Random seed of the tales
    ///
    /// The facts that the tales tell are the same for every seed.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = within(0..=LARGEST_SEED))]
    seed: u64,
    /// File to write [default: standard output]
    ///
    /// Also prints the size of the text and its entropy under the grammar, a lower bound for any model's loss.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace --out if it exists
    #[arg(long, requires = "out")]
    force: bool,
}

pub fn run(args: &DataArgs) -> Result<()> {
    let tales: Tales = args.corpus.parse()?;
    if let Some(path) = &args.out {
        check_file("--out", path, &Inputs::default(), args.force)?;
    }
    let written = tales.grammar()?.tales(&mut random::stream(args.seed, "data"), args.bytes);
    let (text, nats) = (&written.text, written.nats);
    let Some(path) = &args.out else {
        return std::io::stdout().write_all(text.as_bytes()).context("standard output");
    };
    replace(path, text.as_bytes())?;
    let characters = text.chars().count();
    note!(
        "wrote {}: {} tales, {} characters, {} bytes; entropy {:.4} nats per character, {:.4} bits per byte",
        shown(path),
        grouped(text.lines().count()),
        grouped(characters),
        grouped(text.len()),
        nats / characters as f64,
        nats / text.len() as f64 / std::f64::consts::LN_2
    );
    Ok(())
}

/// Reads 10MB, 500 KB or 1234: decimal units, at most 10 GB.
fn size(text: &str) -> Result<usize, String> {
    let upper = text.trim().to_ascii_uppercase();
    let units = [("GB", 1e9), ("MB", 1e6), ("KB", 1e3), ("B", 1.0), ("", 1.0)];
    let split = units.into_iter().find_map(|(name, unit)| Some((upper.strip_suffix(name)?, unit)));
    let bytes = split.and_then(|(number, unit)| Some(number.trim().parse::<f64>().ok()? * unit));
    match bytes {
        Some(bytes) if (1.0..=1e10).contains(&bytes) => Ok(bytes as usize),
        _ => Err("it must be a size between 1B and 10GB, such as 500KB".to_string()),
    }
}
