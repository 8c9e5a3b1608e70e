//! Generating text: read the prompt, then choose and read one token after the other.

mod sampler;
pub mod score;

pub use sampler::{Sampler, Sampling};

use crate::bail_input;
use crate::data::Tokenizer;
use crate::model::Decoder;
use anyhow::Result;

/// A text made from a prompt.
#[derive(Clone, Debug, PartialEq)]
pub struct Generated {
    /// The continuation, without the prompt and without the stop string.
    pub text: String,
    pub tokens: usize,
}

/// When to stop.
#[derive(Clone, Debug, Default)]
pub struct Limits {
    pub max_tokens: usize,
    /// Stops before the first of these strings.
    pub stop: Vec<String>,
}

/// Reads tokens and predicts the next one, keeping at most a context of them in its cache.
struct Reader<'d> {
    decoder: &'d mut Decoder,
    /// All tokens so far.
    history: Vec<u32>,
    /// Tokens of `history` that the decoder has read, whether it still holds them or not.
    read: usize,
}

impl Reader<'_> {
    fn new(decoder: &mut Decoder, prompt: Vec<u32>) -> Reader<'_> {
        decoder.clear();
        Reader { decoder, history: prompt, read: 0 }
    }

    /// Logits (V) of the token after `history`, of which a prompt's last context is read. When the
    /// context is full the older half of it is dropped and the rest read again, so that positions
    /// stay within the context.
    fn next_logits(&mut self) -> Result<Vec<f32>> {
        let context = self.decoder.config().context;
        if self.decoder.len() + self.history.len() - self.read > context {
            let kept = if self.decoder.is_empty() { context } else { (context / 2).max(1) };
            self.decoder.clear();
            self.read = self.history.len() - kept;
        }
        let logits = self.decoder.read(&self.history[self.read..])?;
        self.read = self.history.len();
        Ok(logits)
    }
}

/// Generates from a prompt, which must have at least one token, until one of the tokenizer's stop
/// tokens. `show` gets the text piece by piece, in whole characters, after every
/// token; text that may become a stop string is held back, and an error of `show` ends the text. Rows of the vocabulary that have no token are never chosen.
pub fn generate(
    decoder: &mut Decoder,
    tokenizer: &Tokenizer,
    prompt: &str,
    sampler: &mut Sampler,
    limits: &Limits,
    mut show: impl FnMut(&str) -> Result<()>,
) -> Result<Generated> {
    let mut ids = tokenizer.encode_prompt(prompt)?;
    if ids.is_empty() {
        // White space says no more than that a text begins.
        match tokenizer.first() {
            Some(id) if prompt.trim().is_empty() => ids.push(id),
            _ => bail_input!("the tokenizer makes no token of the prompt; give a longer --prompt"),
        }
    }
    let vocab_size = decoder.config().vocab_size;
    crate::data::check_ids(&ids, vocab_size)?;
    let stops = tokenizer.stops();
    sampler.exclude(tokenizer.ids_without_token(vocab_size));
    let mut reader = Reader::new(decoder, ids);
    let mut words = tokenizer.decoder(reader.history.last().copied());
    let mut text = String::new();
    let mut shown = 0;
    let mut tokens = 0;
    let mut stopped = false;
    while tokens < limits.max_tokens && !stopped {
        let logits = reader.next_logits()?;
        let id = sampler.choose(&logits, &reader.history)?;
        if stops.contains(&id) {
            break;
        }
        tokens += 1;
        reader.history.push(id);
        text += &words.push(id)?;
        if let Some(at) = first_stop(&text, &limits.stop) {
            text.truncate(at);
            stopped = true;
        }
        let safe = if stopped { text.len() } else { text.len() - held_back(&text, &limits.stop) };
        show(&text[shown..safe])?;
        shown = safe;
    }
    if !stopped {
        text += &words.finish()?;
    }
    show(&text[shown..])?;
    Ok(Generated { text, tokens })
}

fn first_stop(text: &str, stops: &[String]) -> Option<usize> {
    stops.iter().filter(|stop| !stop.is_empty()).filter_map(|stop| text.find(stop.as_str())).min()
}

/// Bytes at the end of the text that a stop string begins with.
fn held_back(text: &str, stops: &[String]) -> usize {
    let begins = |stop: &String| {
        (1..stop.len()).rev().find(|&n| stop.is_char_boundary(n) && text.ends_with(&stop[..n])).unwrap_or(0)
    };
    stops.iter().map(begins).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Model, Params};
    use crate::settings::{Backbone, ModelConfig, Ops};
    use candle_core::Device;

    /// More tokens than the context, so that the older half is dropped.
    #[test]
    fn any_number_of_threads_generates_the_same_tokens() {
        for backbone in [Backbone::Llama, Backbone::Gpt2] {
            let config = ModelConfig {
                backbone,
                act: "swiglu".parse().unwrap(),
                layers: 1,
                heads: 4,
                kv_heads: 4,
                dim: 256,
                ffn_dim: 64,
                context: 8,
                vocab_size: 4200,
                tied: true,
                init_std: 0.3,
                norm_eps: 1e-5,
                rope_theta: 10_000.0,
            };
            let params = Params::init(&config, 1, &Device::Cpu).unwrap();
            let model = Model::new(config, params, Ops::Fused).unwrap();
            let tokens = || {
                let mut sampler = Sampler::new(Sampling { temperature: 0.8, ..Sampling::DEFAULT }, 0);
                let mut decoder = model.decoder();
                let mut reader = Reader::new(&mut decoder, vec![5, 4000, 17]);
                for _ in 0..40 {
                    let logits = reader.next_logits().unwrap();
                    reader.history.push(sampler.choose(&logits, &reader.history).unwrap());
                }
                reader.history
            };
            let with = |threads: usize| {
                rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap().install(tokens)
            };
            assert_eq!(with(1), with(3), "{backbone:?}");
        }
    }

    #[test]
    fn partial_stop_strings_are_held_back() {
        let stops = vec!["\n\n".to_string(), "ROMEO:".to_string()];
        assert_eq!(held_back("so\n", &stops), 1);
        assert_eq!(held_back("say ROM", &stops), 3);
        assert_eq!(held_back("say", &stops), 0);
        assert_eq!(first_stop("a ROMEO: b\n\n", &stops), Some(2));
    }
}
