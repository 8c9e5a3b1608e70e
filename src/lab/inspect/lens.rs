//! What a model predicts after each token of a prompt, and what it would predict if it ended after one of its layers:
//! the logit lens (nostalgebraist 2020, "interpreting GPT: the logit lens"), which applies the final norm and the
//! head to the residual stream after that layer.

use super::observe;
use crate::bail_input;
use crate::data::Tokenizer;
use crate::model::{Model, Pass, Site};
use crate::support::failure::Failure;
use anyhow::Result;
use candle_core::{DType, Device, Tensor};
use serde::Serialize;
use std::cmp::Ordering;

/// A prompt as the model reads it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LogitLens {
    /// One per token of the prompt.
    pub positions: Vec<PromptPosition>,
}

/// What is predicted after one token.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PromptPosition {
    /// The last token read.
    pub token: String,
    /// The most probable next tokens, the first one first.
    pub likely: Vec<TokenChance>,
    /// Of the next token's distribution.
    pub entropy_bits: f64,
    /// The token that follows in the prompt, if any.
    pub truth: Option<TokenChance>,
    /// The prediction after each layer. The last is the model's own.
    pub layers: Vec<LensLayer>,
}

/// A token that may follow.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct TokenChance {
    pub token: String,
    pub probability: f64,
    /// 1 is the most probable token.
    pub rank: usize,
}

/// The prediction through the lens after one layer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LensLayer {
    pub layer: usize,
    /// The most probable token.
    pub token: String,
    pub probability: f64,
    pub entropy_bits: f64,
    /// The rank here of the token that is most probable after the last layer.
    pub answer_rank: usize,
    /// Kullback-Leibler divergence of this prediction from the model's own.
    pub divergence_bits: f64,
}

/// Reads the prompt `ids` and describes what the model predicts after each token, with the `top` most probable tokens.
///
/// # Errors
/// [`Failure::Input`] for a prompt that is empty or longer than the context, [`Failure::Diverged`] if the model's
/// values aren't finite.
pub fn lens(model: &Model, tokenizer: &Tokenizer, ids: &[u32], top: usize) -> Result<LogitLens> {
    let context = model.config.context;
    if ids.is_empty() {
        bail_input!("the prompt is empty; give at least one character");
    }
    if ids.len() > context {
        bail_input!("the prompt has {} tokens, more than the context of {context}; shorten it", ids.len());
    }
    let (streams, logits) = streams(model, ids)?;
    let own = predictions(&logits)?;
    if !own.iter().all(|prediction| prediction.entropy_bits().is_finite()) {
        return Err(
            Failure::Diverged("the model's values aren't finite: its training diverged".into()).into()
        );
    }
    let mut positions = Vec::new();
    for (place, (id, prediction)) in ids.iter().zip(&own).enumerate() {
        let next = ids.get(place + 1);
        positions.push(PromptPosition {
            token: tokenizer.token(*id)?,
            likely: prediction.likeliest(top, tokenizer)?,
            entropy_bits: prediction.entropy_bits(),
            truth: next.map(|next| prediction.chance(*next, tokenizer)).transpose()?,
            layers: Vec::new(),
        });
    }
    let answers: Vec<u32> = own.iter().map(|prediction| prediction.by_probability()[0]).collect();
    // One layer at a time: the logits of all layers would need much memory.
    for (layer, stream) in streams.iter().enumerate() {
        let here = predictions(&model.gpt.unembed(stream)?)?;
        for (((position, here), own), answer) in positions.iter_mut().zip(here).zip(&own).zip(&answers) {
            let top = here.likeliest(1, tokenizer)?.swap_remove(0);
            position.layers.push(LensLayer {
                layer,
                token: top.token,
                probability: top.probability,
                entropy_bits: here.entropy_bits(),
                answer_rank: here.rank(*answer),
                divergence_bits: own.divergence_bits(&here),
            });
        }
    }
    Ok(LogitLens { positions })
}

/// The residual stream (T, C) after each layer, and the logits (T, V).
fn streams(model: &Model, ids: &[u32]) -> Result<(Vec<Tensor>, Tensor)> {
    let ids = Tensor::new(ids, model.device())?.unsqueeze(0)?;
    let mut streams: Vec<Tensor> = Vec::new();
    let logits = observe(model, &ids, &mut Pass::default(), |site, _, x| {
        match (site, streams.last_mut()) {
            (Site::Residual, _) => streams.push(x.clone()),
            (Site::FfnOutput, Some(stream)) => *stream = (&*stream + x)?,
            _ => {}
        }
        Ok(())
    })?;
    Ok((streams, logits))
}

/// Log-probabilities of the next token by id, in nats.
struct Prediction(Vec<f64>);

/// Logits (T, V) -> T predictions.
fn predictions(logits: &Tensor) -> Result<Vec<Prediction>> {
    let rows: Vec<Vec<f32>> = logits.to_device(&Device::Cpu)?.to_dtype(DType::F32)?.to_vec2()?;
    Ok(rows.iter().map(|row| Prediction::of(row)).collect())
}

impl Prediction {
    fn of(logits: &[f32]) -> Prediction {
        let largest = f64::from(logits.iter().copied().fold(f32::NEG_INFINITY, f32::max));
        let sum: f64 = logits.iter().map(|logit| (f64::from(*logit) - largest).exp()).sum();
        Prediction(logits.iter().map(|logit| f64::from(*logit) - largest - sum.ln()).collect())
    }

    /// The more probable id first, and the smaller one of equals.
    fn order(&self, a: u32, b: u32) -> Ordering {
        self.0[b as usize].total_cmp(&self.0[a as usize]).then(a.cmp(&b))
    }

    fn by_probability(&self) -> Vec<u32> {
        let mut ids: Vec<u32> = (0..self.0.len() as u32).collect();
        ids.sort_by(|a, b| self.order(*a, *b));
        ids
    }

    fn likeliest(&self, top: usize, tokenizer: &Tokenizer) -> Result<Vec<TokenChance>> {
        self.by_probability().into_iter().take(top).map(|id| self.chance(id, tokenizer)).collect()
    }

    fn chance(&self, id: u32, tokenizer: &Tokenizer) -> Result<TokenChance> {
        let probability = self.0[id as usize].exp();
        Ok(TokenChance { token: tokenizer.token(id)?, probability, rank: self.rank(id) })
    }

    fn rank(&self, id: u32) -> usize {
        let ids = 0..self.0.len() as u32;
        1 + ids.filter(|other| self.order(*other, id) == Ordering::Less).count()
    }

    fn entropy_bits(&self) -> f64 {
        // 0 log 0 is 0.
        let nats: f64 =
            self.0.iter().map(|log| if log.is_finite() { -log.exp() * log } else { *log * 0.0 }).sum();
        nats / std::f64::consts::LN_2
    }

    /// sum p log2(p / q), with p from `self` and q from `other`.
    fn divergence_bits(&self, other: &Prediction) -> f64 {
        let nats: f64 = self.0.iter().zip(&other.0).map(|(p, q)| p.exp() * (p - q)).sum();
        // Rounding may make the divergence of two equal predictions negative.
        nats.max(0.0) / std::f64::consts::LN_2
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Part;
    use crate::model::Params;
    use crate::settings::{Backbone, ModelConfig, Ops, TokenizerKind};

    const TEXT: &str = "the cat sees the dog, the dog hears the owl";

    fn tokenizer() -> Tokenizer {
        Tokenizer::train(&TokenizerKind::Char, &Part::written(TEXT.to_string())).unwrap()
    }

    fn model(backbone: Backbone, tokenizer: &Tokenizer, silent: &[&str]) -> Model {
        let config = ModelConfig {
            backbone,
            act: "gelu".parse().unwrap(),
            layers: 3,
            heads: 2,
            kv_heads: 2,
            dim: 16,
            ffn_dim: 32,
            context: 48,
            vocab_size: tokenizer.vocab_size(),
            tied: true,
            init_std: 0.4,
            norm_eps: 1e-5,
            rope_theta: 10_000.0,
        };
        let params = Params::fill(&config, |spec| {
            let factor = if silent.iter().any(|part| spec.name.contains(part)) { 0.0 } else { 1.0 };
            let values: Vec<f32> = spec.initial_values(5).iter().map(|value| value * factor).collect();
            Tensor::from_vec(values, spec.shape.as_slice(), &Device::Cpu)
        });
        Model::new(config, params.unwrap(), Ops::Plain).unwrap()
    }

    #[test]
    fn after_the_last_layer_the_lens_shows_the_models_prediction() {
        let tokenizer = tokenizer();
        let ids = tokenizer.encode(TEXT).unwrap();
        for backbone in [Backbone::Llama, Backbone::Gpt2] {
            let found = lens(&model(backbone, &tokenizer, &[]), &tokenizer, &ids, 3).unwrap();
            assert_eq!(found.positions.len(), ids.len());
            for position in &found.positions {
                let last = position.layers.last().unwrap();
                assert_eq!((position.layers.len(), last.layer, last.answer_rank), (3, 2, 1));
                assert_eq!(last.token, position.likely[0].token);
                assert!((last.probability - position.likely[0].probability).abs() < 1e-6);
                assert!(last.divergence_bits < 1e-6 && position.layers[0].divergence_bits > 1e-3);
                assert!((last.entropy_bits - position.entropy_bits).abs() < 1e-6);
            }
        }
    }

    #[test]
    fn a_layer_that_adds_nothing_leaves_the_prediction_unchanged() {
        let tokenizer = tokenizer();
        let ids = tokenizer.encode("the cat").unwrap();
        let silent = [
            "layers.1.self_attn.o_proj",
            "layers.1.mlp.down",
            "layers.2.self_attn.o_proj",
            "layers.2.mlp.down",
        ];
        let found = lens(&model(Backbone::Llama, &tokenizer, &silent), &tokenizer, &ids, 1).unwrap();
        for position in &found.positions {
            assert!(position.layers.iter().all(|layer| layer.answer_rank == 1));
            assert!(position.layers.iter().all(|layer| layer.divergence_bits < 1e-6), "{position:?}");
        }
    }

    /// If only the embedding isn't 0, all logits are equal: log2 V bits, and ranks in the order of the ids.
    #[test]
    fn equal_logits_have_the_entropy_of_the_vocabulary() {
        let tokenizer = tokenizer();
        let ids = tokenizer.encode("cat").unwrap();
        let found = lens(&model(Backbone::Llama, &tokenizer, &["model"]), &tokenizer, &ids, 2).unwrap();
        let vocabulary = tokenizer.vocab_size() as f64;
        for (i, position) in found.positions.iter().enumerate() {
            assert!((position.entropy_bits - vocabulary.log2()).abs() < 1e-9);
            assert_eq!(position.likely.len(), 2);
            assert_eq!(position.truth.is_some(), i < 2);
            if let Some(truth) = &position.truth {
                assert_eq!(truth.rank, 1 + ids[i + 1] as usize);
                assert!((truth.probability - 1.0 / vocabulary).abs() < 1e-9);
            }
        }
    }

    #[test]
    fn empty_prompts_and_prompts_beyond_the_context_are_refused() {
        let tokenizer = tokenizer();
        let model = model(Backbone::Llama, &tokenizer, &[]);
        for ids in [vec![], vec![1; 49]] {
            let error = lens(&model, &tokenizer, &ids, 1).unwrap_err();
            assert_eq!(crate::support::failure::exit_code(&error), 2);
        }
    }
}
