//! `tinygpt eval`

use super::shared::{MachineFlags, ModelFlag};
use super::signals::following;
use super::test_text::TestText;
use super::text::{print_record, shown};
use crate::bail_input;
use crate::data::check_ids;
use crate::generate::score::score;
use crate::run::checkpoint::{load_model, load_tokenizer};
use crate::settings::{LARGEST, TextEncoding, within};
use crate::support::failure::Failure;
use crate::support::numbers::counted;
use crate::support::waiting::waiting;
use anyhow::Result;
use clap::Args;
use serde_json::json;

#[derive(Args)]
#[command(after_help = "Example: tinygpt eval --checkpoint runs/swiglu --data test.txt --stride 32")]
pub struct EvalArgs {
    #[command(flatten)]
    model: ModelFlag,
    /// Text to score [default: the validation text of the run]
    ///
    /// Takes the same sources as `train --data`. For tales it scores their validation split.
    #[arg(long, value_name = "SOURCE")]
    data: Option<String>,
    /// Encoding of --data, such as gbk [default: that of the run, or detected]
    ///
    /// Takes the labels of the WHATWG standard, such as windows-1252, shift_jis or gbk.
    #[arg(long, value_name = "LABEL", requires = "data")]
    encoding: Option<TextEncoding>,
    /// Tokens between the starts of two windows [default: the context length]
    ///
    /// A smaller stride scores each token with more context and takes longer.
    #[arg(long, value_name = "N", value_parser = within(1..=LARGEST))]
    stride: Option<usize>,
    #[command(flatten)]
    machine: MachineFlags,
    /// Print a JSON object
    #[arg(long)]
    json: bool,
}

pub fn run(args: &EvalArgs) -> Result<()> {
    let device = args.machine.open()?;
    let checkpoint = args.model.find()?;
    let tokenizer = load_tokenizer(&checkpoint)?;
    let text = TestText::read(args.data.as_deref(), args.encoding, &checkpoint, &tokenizer)?;
    if args.data.is_none() {
        note!("no --data: scoring the validation text of the run, {}", text.name);
    }
    let model = load_model(&checkpoint, &device, text.ops)?;
    let context = model.config.context;
    let stride = args.stride.unwrap_or(context);
    if stride > context {
        bail_input!("--stride {stride} would skip tokens; it must be at most {context}, the context length");
    }
    check_ids(&text.tokens, model.config.vocab_size)?;
    let waiting = waiting("scoring, tokens");
    let score = score(&model, &text.tokens, text.bytes, stride, &tokenizer, &mut following(&waiting))?;
    drop(waiting);
    if score.tokens == 0 {
        bail_input!("{} has no tokens to score: the tokenizer drops all of it", text.name);
    }
    let (loss, bits_per_byte) = (score.loss(), score.bits_per_byte());
    if !loss.is_finite() {
        let why = format!("the loss of {} isn't finite: its training diverged", checkpoint.display());
        return Err(Failure::Diverged(why).into());
    }
    // Nats per token.
    let floor = text.floor.map(|nats| nats / score.tokens as f64);
    if args.json {
        print_record(&json!({
            "loss": loss,
            "perplexity": score.perplexity(),
            "bits_per_byte": bits_per_byte,
            "tokens": score.tokens,
            "bytes": text.text_bytes,
            "stride": stride,
            "floor": floor,
            "checkpoint": checkpoint,
            "data": text.name,
        }))?;
    } else {
        say!("checkpoint     {}", shown(&checkpoint))?;
        say!("loss           {loss:.4} nats per token")?;
        say!("perplexity     {:.3}", score.perplexity())?;
        if let Some(bits) = bits_per_byte {
            say!("bits per byte  {bits:.4}")?;
        }
        if let Some(floor) = floor {
            say!("floor          {floor:.4} nats per token, {:.4} below the loss", loss - floor)?;
        }
        say!("scored         {}, {}", counted(score.tokens, "token"), counted(text.text_bytes, "byte"))?;
    }
    Ok(())
}
