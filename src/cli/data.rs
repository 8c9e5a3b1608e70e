//! `tinygpt data`

use super::outputs::{Inputs, check_file};
use crate::data::Tales;
use crate::settings::{LARGEST_SEED, within};
use crate::support::files::replace;
use crate::support::random;
use anyhow::{Context, Result};
use clap::Args;
use std::io::Write;
use std::path::PathBuf;

#[derive(Args)]
#[command(after_help = "Example: tinygpt data tales --bytes 10MB --seed 7 --out tales.txt --stats")]
pub struct DataArgs {
    /// What to write: `tales[:ja][:facts=N]`
    corpus: String,
    /// How much text: 500KB, 10MB, or a number of bytes
    #[arg(long, value_name = "SIZE", default_value = "1MB", value_parser = size)]
    bytes: usize,
    /// Which tales; the facts in them are always the same
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = within(0..=LARGEST_SEED))]
    seed: u64,
    /// File to write [default: standard output]
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Replace a file that is there
    #[arg(long, requires = "out")]
    force: bool,
    /// Print the text's surprisal under the grammar that wrote it
    #[arg(long)]
    stats: bool,
}

pub fn run(args: &DataArgs) -> Result<()> {
    let tales: Tales = args.corpus.parse()?;
    if let Some(path) = &args.out {
        check_file("--out", path, &Inputs::default(), args.force)?;
    }
    let mut rng = random::stream(args.seed, "data");
    let written = tales.grammar()?.tales(&mut rng, args.bytes);
    match &args.out {
        Some(path) => replace(path, written.text.as_bytes())?,
        None => std::io::stdout().write_all(written.text.as_bytes()).context("standard output")?,
    }
    if args.stats {
        let (characters, bytes) = (written.text.chars().count(), written.text.len());
        note!(
            "{} tales, {characters} characters, {bytes} bytes; {:.4} nats per character, {:.4} per byte, {:.4} bits per byte",
            written.text.lines().count(),
            written.nats / characters as f64,
            written.nats / bytes as f64,
            written.nats / bytes as f64 / std::f64::consts::LN_2
        );
    }
    Ok(())
}

/// Reads 10MB, 500 KB, 1234: decimal, at most 10 GB.
fn size(text: &str) -> Result<usize, String> {
    let units = [("GB", 1e9), ("MB", 1e6), ("KB", 1e3), ("B", 1.0)];
    let upper = text.trim().to_ascii_uppercase();
    let (digits, unit) = units
        .iter()
        .find_map(|(name, unit)| Some((upper.strip_suffix(name)?, *unit)))
        .unwrap_or((upper.as_str(), 1.0));
    match digits.trim().parse::<f64>().map(|number| number * unit) {
        Ok(bytes) if (1.0..=1e10).contains(&bytes) => Ok(bytes as usize),
        _ => Err("it must be a size between 1B and 10GB, such as 500KB".to_string()),
    }
}
