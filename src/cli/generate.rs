//! `tinygpt generate`

use super::shared::{MachineFlags, ModelFlag};
use super::signals;
use super::text::print_record;
use crate::data::Source;
use crate::generate::{Limits, Sampler, Sampling, generate};
use crate::run::checkpoint::{load_decoder, load_tokenizer};
use crate::settings::{LARGEST_SEED, LARGEST_VOCABULARY, MANY, MOST_STEPS, within};
use crate::support::failure::escape_controls;
use anyhow::Result;
use clap::Args;
use serde_json::json;
use std::io::{IsTerminal, Write};
use std::time::Instant;

#[derive(Args)]
#[command(after_help = "\
Example: tinygpt generate 'ROMEO:' --checkpoint runs/swiglu --temperature 0.7
         tinygpt generate - < prompt.txt")]
pub struct GenerateArgs {
    #[command(flatten)]
    model: ModelFlag,
    /// Text to continue; `-` reads standard input [default: a line break]
    #[arg(value_name = "PROMPT", conflicts_with = "prompt")]
    bare_prompt: Option<String>,
    /// Text to continue, given as a flag
    ///
    /// Use it for a prompt that begins with a dash. `-` reads standard input.
    #[arg(long, value_name = "TEXT")]
    prompt: Option<String>,
    /// Maximum number of tokens to generate
    ///
    /// Generation also stops at the model's end-of-text token and at --stop.
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = within(1..=MOST_STEPS))]
    max_tokens: usize,
    /// Sampling temperature; 0 always takes the most likely token
    ///
    /// Logits are divided by it. Values below 1 make the text more predictable, values above 1 more random.
    #[arg(long, value_name = "T", default_value_t = 0.8, value_parser = within(0.0..=100.0))]
    temperature: f64,
    /// Sample from the K most likely tokens; 0 disables this
    #[arg(long, value_name = "K", default_value_t = 40, value_parser = within(0..=LARGEST_VOCABULARY))]
    top_k: usize,
    /// Sample from the tokens with the top P of probability; 1 disables this
    ///
    /// Nucleus sampling: keeps the fewest tokens that have a total probability of at least P.
    #[arg(long, value_name = "P", default_value_t = 0.95, value_parser = within(0.0..=1.0))]
    top_p: f64,
    /// Drop tokens less than P times as likely as the top one; 0 disables this
    #[arg(long, value_name = "P", default_value_t = 0.05, value_parser = within(0.0..=1.0))]
    min_p: f64,
    /// Penalty for tokens among the last 64; 1 disables it
    ///
    /// Positive logits of these tokens are divided by the penalty and negative ones multiplied, as in llama.cpp.
    #[arg(long, value_name = "R", default_value_t = 1.0, value_parser = within(0.01..=100.0))]
    repeat_penalty: f64,
    /// Random seed of the sampling
    ///
    /// The same seed gives the same text.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = within(0..=LARGEST_SEED))]
    seed: u64,
    /// Number of texts to generate
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = within(1..=MANY))]
    num_samples: usize,
    /// Stop before this text; can be given more than once
    #[arg(long, value_name = "TEXT")]
    stop: Vec<String>,
    #[command(flatten)]
    machine: MachineFlags,
    /// Print a JSON object per text instead of the text
    #[arg(long)]
    json: bool,
}

impl GenerateArgs {
    fn sampling(&self) -> Sampling {
        Sampling {
            repeat_penalty: self.repeat_penalty,
            top_k: self.top_k,
            top_p: self.top_p,
            min_p: self.min_p,
            temperature: self.temperature,
            seed: self.seed,
        }
    }

    fn prompt(&self) -> Result<String> {
        let prompt = match self.prompt.as_ref().or(self.bare_prompt.as_ref()).map(String::as_str) {
            Some("-") => Source::Stdin.read(None)?.as_str().to_string(),
            given => given.unwrap_or_default().to_string(),
        };
        // The model needs at least one token to continue.
        Ok(if prompt.is_empty() { "\n".to_string() } else { prompt })
    }
}

pub fn run(args: &GenerateArgs) -> Result<()> {
    let device = args.machine.open()?;
    let (prompt, checkpoint) = (args.prompt()?, args.model.find()?);
    // In this order, the model's memory is what reading the tokenizer left free.
    let tokenizer = load_tokenizer(&checkpoint)?;
    let mut decoder = load_decoder(&checkpoint, &device)?;
    let (length, context) = (tokenizer.encode(&prompt)?.len(), decoder.config().context);
    if length > context {
        note!("the prompt has {length} tokens; the model reads only the last {context}, its context length");
    }
    let limits = Limits { max_tokens: args.max_tokens, stop: args.stop.clone() };
    let mut out = std::io::stdout();
    let at_terminal = out.is_terminal();
    let mut show = |text: &str| -> Result<()> {
        signals::check("while generating")?;
        if !args.json {
            let text = if at_terminal { escape_controls(text) } else { text.to_string() };
            out.write_all(text.as_bytes())?;
            out.flush()?;
        }
        Ok(())
    };
    for number in 0..args.num_samples {
        let mut sampler = Sampler::new(args.sampling(), number);
        show(&prompt)?;
        let began = Instant::now();
        let generated = generate(&mut decoder, &tokenizer, &prompt, &mut sampler, &limits, &mut show)?;
        let (text, tokens) = (&generated.text, generated.tokens);
        let speed = tokens as f64 / began.elapsed().as_secs_f64();
        if args.json {
            print_record(&json!({"text": text, "tokens": tokens, "tokens_per_second": speed}))?;
        } else {
            show("\n")?;
            note!("{tokens} tokens, {speed:.0} tokens/s");
        }
    }
    Ok(())
}
