//! Mean ablation: a model with some of its attentions and FFNs replaced by their mean outputs.
//!
//! A replaced part gives its mean over a text at every token, which keeps the inputs of the other parts at their usual
//! size. Attention and FFN of a gpt2 block end in a matrix and a bias: ablation sets that matrix to 0 and that bias
//! to the mean.

use super::observe;
use super::survey::passes;
use crate::bail_input;
use crate::model::{Model, Params, Pass, Site};
use crate::settings::Backbone;
use anyhow::Result;
use candle_core::{DType, Device, Tensor};
use serde::Serialize;

/// A part of a block that adds to the residual stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Half {
    Attention,
    Ffn,
}

/// The mean over tokens of what every attention and every FFN of a model adds to the residual stream: (C) per layer.
pub struct MeanOutputs {
    attention: Vec<Vec<f64>>,
    ffn: Vec<Vec<f64>>,
}

impl MeanOutputs {
    /// Means over `tokens`, read in windows of one context.
    ///
    /// # Errors
    /// If the model's backbone isn't gpt2: [`ablated`] needs its biases.
    pub fn over(model: &Model, tokens: &[u32]) -> Result<MeanOutputs> {
        let config = &model.config;
        if config.backbone != Backbone::Gpt2 {
            bail_input!("mean ablation needs the biases of the gpt2 backbone");
        }
        let mut before_ffn = vec![vec![0.0; config.dim]; config.layers];
        let mut ffn = before_ffn.clone();
        let mut stream = vec![0.0; config.dim];
        let embedding = model.params.get("transformer.wte.weight")?;
        let positions = model.params.get("transformer.wpe.weight")?;
        for (ids, length) in passes(tokens, config) {
            let ids = Tensor::from_slice(ids, (ids.len() / length, length), model.device())?;
            let windows = ids.dims()[0] as f64;
            add_rows(&mut stream, &embedding.index_select(&ids.flatten_all()?, 0)?, 1.0)?;
            add_rows(&mut stream, &positions.narrow(0, 0, length)?, windows)?;
            observe(model, &ids, &mut Pass::default(), |site, layer, x| match site {
                Site::Residual => add_rows(&mut before_ffn[layer], x, 1.0),
                Site::FfnOutput => add_rows(&mut ffn[layer], x, 1.0),
                _ => Ok(()),
            })?;
        }
        // Attention added the difference between the stream before the FFN and the stream before the block.
        let mut attention: Vec<Vec<f64>> = Vec::new();
        for (before_ffn, ffn) in before_ffn.iter().zip(&ffn) {
            attention.push(before_ffn.iter().zip(&stream).map(|(after, before)| after - before).collect());
            stream = before_ffn.iter().zip(ffn).map(|(x, y)| x + y).collect();
        }
        for sums in attention.iter_mut().chain(&mut ffn) {
            sums.iter_mut().for_each(|x: &mut f64| *x /= tokens.len() as f64);
        }
        Ok(MeanOutputs { attention, ffn })
    }
}

/// Adds `weight` times the sum of the rows of x (N, C).
fn add_rows(sums: &mut [f64], x: &Tensor, weight: f64) -> candle_core::Result<()> {
    let x: Vec<f64> = x.to_device(&Device::Cpu)?.to_dtype(DType::F64)?.sum(0)?.to_vec1()?;
    sums.iter_mut().zip(x).for_each(|(sum, x)| *sum += weight * x);
    Ok(())
}

/// The model with each of `parts`, (half of a block, layer), replaced by its mean.
pub fn ablated(model: &Model, means: &MeanOutputs, parts: &[(Half, usize)]) -> Result<Model> {
    let (config, device) = (&model.config, model.device());
    let last_matrix = |half: Half, layer: usize| match half {
        Half::Attention => format!("transformer.h.{layer}.attn.c_proj"),
        Half::Ffn => format!("transformer.h.{layer}.mlp.c_proj"),
    };
    let mut vars = model.params.vars.iter();
    let params = Params::fill(config, |spec| {
        let own = vars.next().map(|var| var.as_tensor().copy()).transpose()?;
        let part = parts.iter().find_map(|&(half, layer)| {
            spec.name.strip_prefix(&last_matrix(half, layer)).map(|kind| (half, layer, kind))
        });
        match (part, own) {
            (Some((half, layer, ".bias")), _) => {
                let mean = match half {
                    Half::Attention => &means.attention[layer],
                    Half::Ffn => &means.ffn[layer],
                };
                Tensor::new(mean.as_slice(), device)?.to_dtype(DType::F32)
            }
            (None, Some(own)) => Ok(own),
            _ => Tensor::zeros(spec.shape.as_slice(), DType::F32, device),
        }
    })?;
    Ok(Model::new(config.clone(), params, model.ops())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::{ModelConfig, Ops};
    use crate::support::random;

    fn model() -> Model {
        let config = ModelConfig {
            backbone: Backbone::Gpt2,
            act: "gelu".parse().unwrap(),
            layers: 2,
            heads: 2,
            kv_heads: 2,
            dim: 8,
            ffn_dim: 32,
            context: 6,
            vocab_size: 11,
            tied: true,
            init_std: 0.4,
            norm_eps: 1e-5,
            rope_theta: 10_000.0,
        };
        // Biases other than 0, as a trained model has them.
        let params = Params::fill(&config, |spec| {
            let mut values = spec.initial_values(1);
            let noise = random::normal(&mut random::stream(2, &spec.name), values.len(), 0.1);
            values.iter_mut().zip(noise).for_each(|(value, noise)| *value += noise);
            Tensor::from_vec(values, spec.shape.as_slice(), &Device::Cpu)
        });
        Model::new(config, params.unwrap(), Ops::Plain).unwrap()
    }

    fn tokens() -> Vec<u32> {
        let mut rng = random::stream(1, "tokens");
        (0..40).map(|_| random::below(&mut rng, 11) as u32).collect()
    }

    /// What a part adds to the residual stream, at each token, row by row: (N C).
    fn outputs(model: &Model, ids: &[u32], half: Half, layer: usize) -> Vec<f32> {
        let mut streams: Vec<Tensor> = Vec::new();
        let mut ffns: Vec<Tensor> = Vec::new();
        let mut observer = |site: Site, _: usize, x: &Tensor| match site {
            Site::Residual => streams.push(x.clone()),
            Site::FfnOutput => ffns.push(x.clone()),
            _ => {}
        };
        let ids = Tensor::from_slice(ids, (1, ids.len()), &Device::Cpu).unwrap();
        model.gpt.observe(&ids, &mut Pass::default(), &mut observer).unwrap();
        let added = match half {
            Half::Ffn => ffns[layer].clone(),
            Half::Attention => {
                let before = (&streams[layer - 1] + &ffns[layer - 1]).unwrap();
                (&streams[layer] - before).unwrap()
            }
        };
        added.flatten_all().unwrap().to_vec1().unwrap()
    }

    /// The mean of the rows that a part adds, in windows of a context.
    fn mean(model: &Model, tokens: &[u32], half: Half, layer: usize) -> Vec<f64> {
        let rows: Vec<f32> =
            tokens.chunks(model.config.context).flat_map(|ids| outputs(model, ids, half, layer)).collect();
        let of = |c: usize| {
            rows.iter().skip(c).step_by(8).map(|x| f64::from(*x)).sum::<f64>() / tokens.len() as f64
        };
        (0..8).map(of).collect()
    }

    #[test]
    fn an_ablated_part_gives_its_mean_at_every_token() {
        let (model, tokens) = (model(), tokens());
        let means = MeanOutputs::over(&model, &tokens).unwrap();
        for half in [Half::Ffn, Half::Attention] {
            let expected = mean(&model, &tokens, half, 1);
            let found = outputs(&ablated(&model, &means, &[(half, 1)]).unwrap(), &tokens[..6], half, 1);
            for row in found.chunks(8) {
                for (found, expected) in row.iter().zip(&expected) {
                    assert!((f64::from(*found) - expected).abs() < 1e-5, "{half:?}: {row:?}, {expected:?}");
                }
            }
        }
    }

    #[test]
    fn other_parts_and_the_model_itself_stay_unchanged() {
        let (model, tokens) = (model(), tokens());
        let before = outputs(&model, &tokens[..6], Half::Ffn, 0);
        let means = MeanOutputs::over(&model, &tokens).unwrap();
        let without = ablated(&model, &means, &[(Half::Ffn, 1)]).unwrap();
        assert_eq!(outputs(&without, &tokens[..6], Half::Ffn, 0), before);
        assert_eq!(outputs(&model, &tokens[..6], Half::Ffn, 0), before);
        let same = ablated(&model, &means, &[]).unwrap();
        assert_eq!(outputs(&same, &tokens[..6], Half::Ffn, 1), outputs(&model, &tokens[..6], Half::Ffn, 1));
    }
}
