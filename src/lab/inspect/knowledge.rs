//! What a model knows about the tales: its answers to cloze questions, and its loss on tokens that tell a fact.

use super::Running;
use crate::data::{Question, Tokenizer, Written, check_ids};
use crate::generate::score::each_loss;
use crate::generate::{Limits, Sampler, Sampling, generate};
use crate::model::Model;
use anyhow::Result;
use serde::Serialize;

/// The most tokens of an answer.
const ANSWER_TOKENS: usize = 24;

/// What a model knows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Knowledge {
    /// Questions asked.
    pub asked: usize,
    /// Questions whose most probable continuation, token by token, is the answer.
    pub right: usize,
    /// Mean loss in nats on tokens that tell a fact for the first time in a tale, about someone mentioned before.
    pub fact_loss: f64,
    /// Mean loss on all other tokens.
    pub other_loss: f64,
}

impl Knowledge {
    /// Share of the questions that were answered correctly.
    pub fn recall(&self) -> f64 {
        self.right as f64 / self.asked as f64
    }
}

/// The most probable continuation up to the end of the sentence, chosen token by token.
pub fn completion(model: &Model, tokenizer: &Tokenizer, prompt: &str) -> Result<String> {
    let limits = Limits { max_tokens: ANSWER_TOKENS, stop: [".", "。", "\n"].map(String::from).to_vec() };
    let mut sampler = Sampler::new(Sampling { temperature: 0.0, ..Sampling::DEFAULT }, 0);
    Ok(generate(&mut model.decoder(), tokenizer, prompt, &mut sampler, &limits, |_| Ok(()))?.text)
}

/// The most probable end of a question's sentence, and whether it's the answer.
pub fn answer(model: &Model, tokenizer: &Tokenizer, question: &Question) -> Result<(String, bool)> {
    let text = completion(model, tokenizer, &prompt(question))?.trim().to_string();
    let right = text.starts_with(&question.answer);
    Ok((text, right))
}

/// A question as a prompt: the start of a tale up to the answer.
fn prompt(question: &Question) -> String {
    format!("\n{}{}", question.opening, question.prompt)
}

/// Asks the questions and scores a text of the same tales.
pub fn knowledge(
    model: &Model,
    tokenizer: &Tokenizer,
    questions: &[Question],
    text: &Written,
) -> Result<Knowledge> {
    let mut right = 0;
    for question in questions {
        right += usize::from(answer(model, tokenizer, question)?.1);
    }
    let tokens = tokenizer.encode(&text.text)?;
    check_ids(&tokens, model.config.vocab_size)?;
    let tells_fact = facts_by_token(tokenizer, &tokens, text)?;
    let (mut facts, mut others) = (Running::default(), Running::default());
    // Every token is predicted from at least half a context.
    let stride = model.config.context.div_ceil(2);
    each_loss(
        model,
        &tokens,
        stride,
        &[],
        &mut |index, nats| {
            if tells_fact[index] { facts.add(nats) } else { others.add(nats) }
        },
        &mut |_, _| Ok(()),
    )?;
    Ok(Knowledge { asked: questions.len(), right, fact_loss: facts.mean(), other_loss: others.mean() })
}

/// For each token, whether it lies within a fact.
fn facts_by_token(tokenizer: &Tokenizer, tokens: &[u32], text: &Written) -> Result<Vec<bool>> {
    let mut decoder = tokenizer.decoder(None);
    let mut end = 0;
    let mut facts = text.facts.iter().peekable();
    let mut told = Vec::new();
    for &token in tokens {
        let start = end;
        end += decoder.push(token)?.len();
        while facts.next_if(|fact| fact.end <= start).is_some() {}
        told.push(facts.peek().is_some_and(|fact| fact.start <= start && end <= fact.end && start < end));
    }
    Ok(told)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activation::Activation;
    use crate::data::{Grammar, Part, Tales, questions};
    use crate::model::Params;
    use crate::settings::{Backbone, ModelConfig, Ops, TokenizerKind};
    use crate::support::random;
    use candle_core::Device;

    fn world(name: &str) -> (Grammar, Written, Tokenizer) {
        let grammar = name.parse::<Tales>().unwrap().grammar().unwrap();
        let text = grammar.tales(&mut random::stream(1, "knowledge"), 3000);
        let tokenizer = Tokenizer::train(&TokenizerKind::Char, &Part::written(text.text.clone())).unwrap();
        (grammar, text, tokenizer)
    }

    #[test]
    fn facts_by_token_selects_the_tokens_that_spell_facts() {
        for name in ["tales", "tales:ja"] {
            let (_, text, tokenizer) = world(name);
            let tokens = tokenizer.encode(&text.text).unwrap();
            let told = facts_by_token(&tokenizer, &tokens, &text).unwrap();
            let spelt: Vec<u32> =
                tokens.iter().zip(&told).filter(|(_, told)| **told).map(|(id, _)| *id).collect();
            let facts: String = text.facts.iter().map(|fact| &text.text[fact.clone()]).collect();
            assert_eq!(tokenizer.decode(&spelt).unwrap(), facts);
        }
    }

    #[test]
    fn an_untrained_model_recalls_no_facts() {
        let (grammar, text, tokenizer) = world("tales:facts=20");
        let act: Activation = "relu".parse().unwrap();
        let config = ModelConfig {
            backbone: Backbone::Gpt2,
            act,
            layers: 1,
            heads: 1,
            kv_heads: 1,
            dim: 16,
            ffn_dim: 64,
            context: 64,
            vocab_size: tokenizer.vocab_size(),
            tied: true,
            init_std: 0.02,
            norm_eps: 1e-5,
            rope_theta: 10_000.0,
        };
        let params = Params::init(&config, 1, &Device::Cpu).unwrap();
        let model = Model::new(config, params, Ops::Fused).unwrap();
        let found = knowledge(&model, &tokenizer, &questions(&grammar, 1, 40), &text).unwrap();
        assert_eq!((found.asked, found.right), (40, 0));
        let guess = (tokenizer.vocab_size() as f64).ln();
        assert!((found.fact_loss - guess).abs() < 0.2 && (found.other_loss - guess).abs() < 0.2, "{found:?}");
    }
}
