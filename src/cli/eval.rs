//! `tinygpt eval`

use super::own_text::TestText;
use super::progress::{Counted, below_floor};
use super::text::{grouped, shown};
use super::threads::set_threads;
use crate::bail_input;
use crate::data::check_ids;
use crate::generate::score::score;
use crate::run::checkpoint::{load_model, load_tokenizer};
use crate::run::{find_checkpoint, newest_checkpoint};
use crate::settings::{DeviceKind, LARGEST, MOST_THREADS, TextEncoding, within};
use crate::support::failure::Failure;
use crate::support::record;
use anyhow::Result;
use clap::Args;
use serde::Serialize;
use std::path::{Path, PathBuf};

#[derive(Args)]
#[command(after_help = "Example: tinygpt eval --checkpoint runs/swiglu --data test.txt --stride 32")]
pub struct EvalArgs {
    /// A run, a checkpoint directory, hf:OWNER/NAME[@REVISION] or a .gguf file [default: the newest run below runs/]
    #[arg(long, value_name = "DIR|hf:REPO|FILE")]
    checkpoint: Option<PathBuf>,
    /// Text to score: whatever `train --data` takes; of tales, their validation part [default: the
    /// validation text of the run]
    #[arg(long, value_name = "SOURCE")]
    data: Option<String>,
    /// Encoding of --data, such as windows-1252 or gbk [default: the run's --encoding, or detected]
    #[arg(long, value_name = "LABEL", requires = "data")]
    encoding: Option<TextEncoding>,
    /// Tokens between the starts of two windows; smaller gives every token more context and takes
    /// longer [default: the context]
    #[arg(long, value_name = "N", value_parser = within(1..=LARGEST))]
    stride: Option<usize>,
    /// Where to compute: cpu, cuda, cuda:1, metal
    #[arg(long, value_name = "DEVICE", default_value = "cpu", hide_possible_values = true)]
    device: DeviceKind,
    /// Threads to compute with [default: all cores]
    #[arg(long, value_name = "N", value_parser = within(1..=MOST_THREADS))]
    threads: Option<usize>,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

/// What `--json` prints.
#[derive(Serialize)]
struct Scored<'a> {
    /// Nats per token.
    loss: f64,
    perplexity: f64,
    /// None if the tokenizer drops some of the text.
    bits_per_byte: Option<f64>,
    /// Tokens that were scored, and the bytes of their text.
    tokens: usize,
    bytes: usize,
    stride: usize,
    /// The loss of the distribution that the text was drawn from, where known: nats per token.
    floor: Option<f64>,
    checkpoint: &'a Path,
    data: &'a str,
}

pub fn run(args: &EvalArgs) -> Result<()> {
    set_threads(args.threads)?;
    let checkpoint = match &args.checkpoint {
        Some(path) => find_checkpoint(path)?,
        None => newest_checkpoint()?,
    };
    let tokenizer = load_tokenizer(&checkpoint)?;
    let text = TestText::read(args.data.as_deref(), args.encoding, &checkpoint, &tokenizer)?;
    if args.data.is_none() {
        note!("no --data: scoring the run's own validation text, of {}", text.name);
    }
    let model = load_model(&checkpoint, &args.device.open()?, text.ops)?;
    let context = model.config.context;
    let stride = args.stride.unwrap_or(context);
    if stride > context {
        bail_input!(
            "--stride is {stride}, more than the context, {context}: tokens between two windows would not be scored"
        );
    }
    check_ids(&text.tokens, model.config.vocab_size)?;
    let mut progress = Counted::new("scoring, tokens");
    let mut follow = |done, all| progress.follow(done, all);
    let score = score(&model, &text.tokens, text.bytes, stride, &tokenizer, &mut follow)?;
    drop(progress);
    if score.tokens == 0 {
        bail_input!("{} has no token to score: the tokenizer drops all of it", text.name);
    }
    if !score.loss().is_finite() {
        return Err(Failure::Diverged(format!(
            "{} predicts no numbers: its training diverged",
            checkpoint.display()
        ))
        .into());
    }
    let floor = text.floor.map(|nats| nats / score.tokens as f64);
    if args.json {
        say!(
            "{}",
            record::line(&Scored {
                loss: score.loss(),
                perplexity: score.perplexity(),
                bits_per_byte: score.bits_per_byte(),
                tokens: score.tokens,
                bytes: text.text_bytes,
                stride,
                floor,
                checkpoint: &checkpoint,
                data: &text.name,
            })?
        )?;
    } else {
        say!("checkpoint     {}", shown(&checkpoint))?;
        say!("loss           {:.4} nats per token", score.loss())?;
        say!("perplexity     {:.3}", score.perplexity())?;
        if let Some(bits) = score.bits_per_byte() {
            say!("bits per byte  {bits:.4}")?;
        }
        if let Some(floor) = floor {
            say!("floor          {floor:.4} nats per token, {:.4} below the loss", score.loss() - floor)?;
        }
        say!("scored         {} tokens of {} bytes", grouped(score.tokens), grouped(text.text_bytes))?;
    }
    if let Some(warning) = floor.and_then(|floor| below_floor(&score, floor)) {
        note!("{warning}");
    }
    Ok(())
}
