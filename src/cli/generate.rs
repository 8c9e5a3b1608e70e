//! `tinygpt generate`

use super::signals;
use super::threads::set_threads;
use crate::data::Source;
use crate::generate::{Limits, Sampler, Sampling, generate};
use crate::run::checkpoint::{load_model, load_tokenizer};
use crate::run::{find_checkpoint, newest_checkpoint};
use crate::settings::{
    DeviceKind, LARGEST_SEED, LARGEST_VOCABULARY, MANY, MOST_STEPS, MOST_THREADS, Ops, TextEncoding, within,
};
use crate::support::failure::escape_controls;
use crate::support::record;
use anyhow::Result;
use clap::Args;
use serde::Serialize;
use std::io::{IsTerminal, Write};
use std::path::PathBuf;
use std::time::Instant;

#[derive(Args)]
#[command(after_help = "Example: tinygpt generate 'ROMEO:' --checkpoint runs/swiglu --temperature 0.7")]
pub struct GenerateArgs {
    /// A run, a checkpoint directory, hf:OWNER/NAME[@REVISION] or a .gguf file [default: the newest run below runs/]
    #[arg(long, value_name = "DIR|hf:REPO|FILE")]
    checkpoint: Option<PathBuf>,
    /// Text to continue [default: a line end]
    #[arg(value_name = "PROMPT", conflicts_with_all = ["prompt", "prompt_file"])]
    bare_prompt: Option<String>,
    /// Text to continue, as a flag
    #[arg(long, value_name = "TEXT", conflicts_with = "prompt_file")]
    prompt: Option<String>,
    /// File with the text to continue; `-` for standard input
    #[arg(long, value_name = "FILE")]
    prompt_file: Option<PathBuf>,
    /// Encoding of --prompt-file, such as windows-1252 or gbk [default: UTF-8, UTF-16 and Japanese encodings
    /// are detected]
    #[arg(long, value_name = "LABEL")]
    encoding: Option<TextEncoding>,
    /// Tokens to write at most
    #[arg(long, value_name = "N", default_value_t = 256, value_parser = within(1..=MOST_STEPS))]
    max_tokens: usize,
    /// Higher is more surprising; 0 always takes the likeliest token
    #[arg(long, value_name = "T", default_value_t = 0.8, value_parser = within(0.0..=100.0))]
    temperature: f64,
    /// Choose among the k likeliest tokens; 0: all
    #[arg(long, value_name = "K", default_value_t = 40, value_parser = within(0..=LARGEST_VOCABULARY))]
    top_k: usize,
    /// Choose among the likeliest tokens that make up this probability; 1: all
    #[arg(long, value_name = "P", default_value_t = 0.95, value_parser = within(0.0..=1.0))]
    top_p: f64,
    /// Leave out tokens less than this times as likely as the likeliest; 0: none
    #[arg(long, value_name = "P", default_value_t = 0.05, value_parser = within(0.0..=1.0))]
    min_p: f64,
    /// Make the last 64 tokens less likely; 1: off
    #[arg(long, value_name = "R", default_value_t = 1.0, value_parser = within(0.01..=100.0))]
    repeat_penalty: f64,
    /// The same seed writes the same text
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = within(0..=LARGEST_SEED))]
    seed: u64,
    /// Texts to write
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = within(1..=MANY))]
    num_samples: usize,
    /// Stop before this text; may be given more than once
    #[arg(long, value_name = "TEXT")]
    stop: Vec<String>,
    /// Where to compute: cpu, cuda, cuda:1, metal
    #[arg(long, value_name = "DEVICE", default_value = "cpu", hide_possible_values = true)]
    device: DeviceKind,
    /// Threads to compute with [default: all cores]
    #[arg(long, value_name = "N", value_parser = within(1..=MOST_THREADS))]
    threads: Option<usize>,
    /// Print one JSON object per text instead of the text
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
        let source = self.prompt_file.as_ref().map(|path| match path.to_str() {
            Some("-") => Source::Stdin,
            _ => Source::Files(path.display().to_string()),
        });
        let prompt = match (self.prompt.as_ref().or(self.bare_prompt.as_ref()), source) {
            (Some(prompt), _) => prompt.clone(),
            (None, Some(source)) => source.read(self.encoding)?.as_str().to_string(),
            (None, None) => String::new(),
        };
        // The model goes on from something: where nothing is given, from the start of a line.
        Ok(if prompt.is_empty() { "\n".to_string() } else { prompt })
    }
}

/// What `--json` prints of each sample.
#[derive(Serialize)]
struct Sample<'a> {
    text: &'a str,
    tokens: usize,
    tokens_per_second: f64,
}

pub fn run(args: &GenerateArgs) -> Result<()> {
    set_threads(args.threads)?;
    let (sampling, prompt) = (args.sampling(), args.prompt()?);
    let checkpoint = match &args.checkpoint {
        Some(path) => find_checkpoint(path)?,
        None => {
            let newest = newest_checkpoint()?;
            note!("using {}", newest.display());
            newest
        }
    };
    let device = args.device.open()?;
    let model = load_model(&checkpoint, &device, Ops::Fused)?;
    let tokenizer = load_tokenizer(&checkpoint)?;
    let (length, context) = (tokenizer.encode(&prompt)?.len(), model.config.context);
    if length > context {
        note!("the prompt has {length} tokens; the model reads the last {context}, its context");
    }
    let limits = Limits { max_tokens: args.max_tokens, stop: args.stop.clone() };

    let mut out = std::io::stdout();
    let terminal = out.is_terminal();
    let mut show = |text: &str| -> Result<()> {
        signals::check("while generating")?;
        if args.json {
            return Ok(());
        }
        if terminal {
            write!(out, "{}", escape_controls(text))?;
        } else {
            write!(out, "{text}")?;
        }
        Ok(out.flush()?)
    };
    for number in 0..args.num_samples {
        let mut sampler = Sampler::new(sampling.clone(), number);
        show(&prompt)?;
        let began = Instant::now();
        let generated = generate(&model, &tokenizer, &prompt, &mut sampler, &limits, &mut show)?;
        let tokens_per_second = generated.tokens as f64 / began.elapsed().as_secs_f64();
        if args.json {
            say!(
                "{}",
                record::line(&Sample { text: &generated.text, tokens: generated.tokens, tokens_per_second })?
            )?;
        } else {
            show("\n")?;
            note!("{} tokens, {tokens_per_second:.0} tokens/s", generated.tokens);
        }
    }
    Ok(())
}
