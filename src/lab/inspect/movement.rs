//! How the weights behind an activation move in training: whether the gradients of one unit's weights share a sign,
//! and whether successive steps point in opposite directions. With inputs that are all positive, all weights of a
//! unit can only grow or shrink together, so it zigzags (LeCun et al. 1998, "Efficient BackProp", section 4.3).

use super::{Running, ffn_matrices, observe, windows};
use crate::activation::Activation;
use crate::data::{Batch, Batches, Dataset};
use crate::model::{Model, Pass, Site};
use crate::settings::{Backbone, Recipe, Settings};
use crate::train::Trainer;
use anyhow::{Context, Result};
use candle_core::{Device, Tensor, Var};
use candle_nn::loss::cross_entropy;
use serde::Serialize;

/// Steps between two measurements. Each takes two consecutive steps.
const EVERY: usize = 10;
/// Approximate number of tokens of a measured gradient.
const TOKENS: usize = 512;

/// The FFNs' output matrices in the first steps of training. A unit is one coordinate of an FFN's output. Its weights
/// are one row (F) of the matrix.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Movement {
    pub act: Activation,
    /// Updates done.
    pub steps: usize,
    /// Share of a token's hidden outputs other than 0 that have the more common sign, as a mean over tokens and layers.
    /// The gradients of any unit's weights, for the loss at that token, have the same share.
    pub one_sign_of_a_token: f64,
    /// Share of the gradients of a unit's weights that have the more common sign, for the loss of a batch, as a mean
    /// over units.
    pub one_sign_of_a_batch: f64,
    /// Mean cosine between the gradients of two consecutive steps.
    pub gradient_cosine: f64,
    /// Mean cosine between two consecutive AdamW updates.
    pub update_cosine: f64,
}

/// Trains an untrained model for `steps` steps of its recipe and measures its FFNs' output matrices.
pub fn movement(recipe: &Recipe, dataset: &Dataset, steps: usize) -> Result<Movement> {
    // At a constant rate after the warmup.
    let changes = Settings { steps: Some(steps), min_lr: Some(recipe.training.lr), ..Settings::default() };
    let recipe = &recipe.with(&changes)?;
    let mut trainer = Trainer::start(recipe, dataset, &Device::Cpu)?;
    let training = &recipe.training;
    let mut batches = Batches::new(&dataset.train, recipe.context(), training.batch_size, training.seed)?;
    let (mut of_tokens, mut of_batches) = (Running::default(), Running::default());
    let (mut gradient_cosines, mut update_cosines) = (Running::default(), Running::default());
    let mut last_gradient: Option<Vec<Tensor>> = None;
    let mut last_update: Option<Vec<Tensor>> = None;
    for step in 0..steps {
        if step % EVERY < 2 {
            let gradient = gradient(trainer.model(), &batches.get(step), &mut of_tokens)?;
            for layer in &gradient {
                of_batches.add(one_sign_of_rows(&layer.to_vec2()?));
            }
            if let Some(last) = last_gradient.replace(gradient.clone()).filter(|_| step % EVERY == 1) {
                gradient_cosines.add(cosine(&last, &gradient)?);
            }
        }
        let before = output_matrices(trainer.model()).map(|var| var.as_tensor().copy());
        let before = before.collect::<Result<Vec<_>, _>>()?;
        trainer.step()?;
        let moved = |(var, before): (&Var, &Tensor)| var.as_tensor().detach() - before;
        let update =
            output_matrices(trainer.model()).zip(&before).map(moved).collect::<Result<Vec<_>, _>>()?;
        if let Some(last) = last_update.replace(update.clone()) {
            update_cosines.add(cosine(&last, &update)?);
        }
    }
    Ok(Movement {
        act: trainer.model().config.act,
        steps,
        one_sign_of_a_token: of_tokens.mean(),
        one_sign_of_a_batch: of_batches.mean(),
        gradient_cosine: gradient_cosines.mean(),
        update_cosine: update_cosines.mean(),
    })
}

fn output_matrices(model: &Model) -> impl Iterator<Item = &Var> {
    let last = model.config.act.ffn_matrices() - 1;
    ffn_matrices(&model.params, &model.config).into_iter().map(move |matrices| matrices[last])
}

/// The gradient of the loss on the first sequences of a batch with respect to every output matrix, as (C, F). Adds the
/// hidden outputs' shares of one sign to `of_tokens`.
fn gradient(model: &Model, batch: &Batch, of_tokens: &mut Running) -> Result<Vec<Tensor>> {
    let context = model.config.context;
    let count = batch.inputs.len().min(context * TOKENS.div_ceil(context));
    let (ids, targets) = windows(&batch.inputs[..count], &batch.targets[..count], context)?;
    let logits = observe(model, &ids, &mut Pass { learning: true, ..Pass::default() }, |site, _, x| {
        if site == Site::FfnHidden {
            of_tokens.add(one_sign_of_rows(&x.detach().to_vec2::<f32>()?));
        }
        Ok(())
    })?;
    let gradients = cross_entropy(&logits, &targets)?.backward()?;
    let own = |var: &Var| {
        let gradient = gradients.get(var).context("the loss depends on every FFN")?;
        Ok(match model.config.backbone {
            Backbone::Llama => gradient.contiguous()?,
            Backbone::Gpt2 => gradient.t()?.contiguous()?,
        })
    };
    output_matrices(model).map(own).collect()
}

/// The share of a row's numbers other than 0 that have its more common sign, as a mean over rows.
fn one_sign_of_rows(rows: &[Vec<f32>]) -> f64 {
    let mut mean = Running::default();
    for row in rows {
        let positive = row.iter().filter(|x| **x > 0.0).count();
        let negative = row.iter().filter(|x| **x < 0.0).count();
        if positive + negative > 0 {
            mean.add(positive.max(negative) as f64 / (positive + negative) as f64);
        }
    }
    mean.mean()
}

/// The cosine between two lists of matrices, each flattened to one vector.
fn cosine(a: &[Tensor], b: &[Tensor]) -> Result<f64> {
    let dot = |a: &[Tensor], b: &[Tensor]| -> Result<f64> {
        let parts = a.iter().zip(b).map(|(a, b)| Ok(f64::from((a * b)?.sum_all()?.to_scalar::<f32>()?)));
        parts.sum()
    };
    Ok(dot(a, b)? / (dot(a, a)? * dot(b, b)?).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Ops;

    #[test]
    fn planted_sign_shares_are_measured() {
        let rows = [vec![1.0, 2.0, -3.0, 0.0], vec![-1.0, -1.0, -1.0, -5.0], vec![0.0; 4]];
        assert!((one_sign_of_rows(&rows) - (2.0 / 3.0 + 1.0) / 2.0).abs() < 1e-12);
        let matrix = |values: &[f32]| vec![Tensor::new(values, &Device::Cpu).unwrap()];
        let found = cosine(&matrix(&[1.0, 0.0, 2.0]), &matrix(&[-2.0, 5.0, 1.0])).unwrap();
        assert!(found.abs() < 1e-9, "{found}");
        assert!((cosine(&matrix(&[1.0, 2.0]), &matrix(&[-2.0, -4.0])).unwrap() + 1.0).abs() < 1e-6);
    }

    /// Sigmoids are always positive. Tanh has both signs.
    #[test]
    fn positive_outputs_give_gradients_of_one_sign() {
        let mut settings = Settings::preset("default").unwrap();
        settings =
            Settings { steps: Some(3), layers: Some(2), dim: Some(32), batch_size: Some(4), ..settings };
        let of = |act: &str, ops| {
            let act = Settings { act: act.parse().ok(), ops: Some(ops), ..Settings::default() };
            let recipe = Recipe::new(act.over(&settings)).unwrap();
            let dataset = Dataset::load(&recipe).unwrap();
            movement(&recipe, &dataset, 3).unwrap()
        };
        for ops in [Ops::Plain, Ops::Fused] {
            let (sigmoid, relu, tanh) = (of("sigmoid", ops), of("relu", ops), of("tanh", ops));
            assert_eq!((sigmoid.one_sign_of_a_token, relu.one_sign_of_a_token), (1.0, 1.0));
            assert!((0.5..0.7).contains(&tanh.one_sign_of_a_token), "{tanh:?}");
            assert!(sigmoid.one_sign_of_a_batch > tanh.one_sign_of_a_batch + 0.1, "{sigmoid:?} {tanh:?}");
            // AdamW's momentum keeps nine tenths of the previous step.
            assert!(sigmoid.update_cosine > 0.5 && tanh.update_cosine > 0.5, "{sigmoid:?} {tanh:?}");
        }
    }
}
