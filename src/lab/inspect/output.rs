//! Models with different output functions, trained alike and then measured: softmax, which turns the logits into a
//! distribution over the vocabulary, or a sigmoid per token, each of which is a probability by itself.

use super::survey::passes;
use super::windows;
use crate::data::{Batches, Dataset};
use crate::model::{Model, ParamSpec, Params, Pass};
use crate::settings::{Ops, Recipe};
use crate::support::follow::Follow;
use crate::train::{Schedule, clip_scale};
use anyhow::Result;
use candle_core::backprop::GradStore;
use candle_core::{D, DType, Device, Tensor, Var};
use candle_nn::ops::{log_softmax, sigmoid};
use candle_nn::optim::{AdamW, Optimizer, ParamsAdamW};
use serde::Serialize;

/// How logits become probabilities, and the matching loss.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Output {
    /// exp(z) over its sum, trained with cross-entropy.
    Softmax,
    /// 1 / (1 + exp(-z)) for every token of the vocabulary, trained with the sum of their binary cross-entropies.
    Sigmoid,
}

/// The outputs of a trained model on a text.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Outputs {
    pub output: Output,
    pub steps: usize,
    /// Tokens predicted.
    pub tokens: usize,
    /// Mean over tokens of the sum of all probabilities.
    pub sum: f64,
    /// The 5th and 95th percentile of that sum.
    pub sum_low: f64,
    pub sum_high: f64,
    /// Share of the tokens where the sum differs from 1 by more than 1%.
    pub off: f64,
    /// Mean negative log-likelihood after division by the sum, in nats per token.
    pub loss: f64,
}

/// A model whose logits have a bias per token of the vocabulary. With it, sigmoids too can start with a probability of
/// 1 / V for every token.
struct WithBias {
    model: Model,
    bias: Var,
    output: Output,
}

impl WithBias {
    /// Token ids (B, T) -> logits (B T, V).
    fn logits(&self, ids: &Tensor, learning: bool) -> candle_core::Result<Tensor> {
        let logits = self.model.gpt.forward(ids, &mut Pass { learning, ..Pass::default() })?;
        logits.broadcast_add(self.bias.as_tensor())
    }

    /// The mean loss of logits (N, V) for targets (N).
    fn loss(&self, logits: &Tensor, targets: &Tensor) -> candle_core::Result<Tensor> {
        let wanted = |x: &Tensor| x.gather(&targets.unsqueeze(1)?, 1)?.squeeze(1); // (N)
        match self.output {
            Output::Softmax => wanted(&log_softmax(logits, D::Minus1)?)?.neg()?.mean_all(),
            // -ln s(z) at the target and -ln(1 - s(z)) = softplus(z) elsewhere; softplus(-z) = softplus(z) - z.
            Output::Sigmoid => (softplus(logits)?.sum(D::Minus1)? - wanted(logits)?)?.mean_all(),
        }
    }
}

/// ln(1 + exp(x)) without overflow.
fn softplus(x: &Tensor) -> candle_core::Result<Tensor> {
    x.relu()? + (x.abs()?.neg()?.exp()? + 1.0)?.log()?
}

/// Trains an untrained model of the recipe with an output function for `steps` steps, then reads `read` validation
/// tokens.
pub fn train_output(
    recipe: &Recipe,
    dataset: &Dataset,
    output: Output,
    steps: usize,
    read: usize,
    follow: Follow,
) -> Result<Outputs> {
    let training = &recipe.training;
    let config = recipe.model(dataset.tokenizer.vocab_size())?;
    let (context, vocabulary) = (config.context, config.vocab_size);
    let params = Params::init(&config, training.seed, &Device::Cpu)?;
    let start = match output {
        Output::Softmax => 0.0,
        Output::Sigmoid => -((vocabulary - 1) as f32).ln(),
    };
    let bias = Var::from_tensor(&Tensor::full(start, vocabulary, &Device::Cpu)?)?;
    let model = Model::new(config, params, Ops::Plain)?;
    let model = WithBias { model, bias, output };
    // As in all training here, matrices decay, and norms and biases don't.
    let params = &model.model.params;
    let (decaying, others): (Vec<_>, Vec<_>) = params.iter().partition(|(spec, _)| spec.decays());
    let adamw = |vars: Vec<Var>, weight_decay| {
        let (beta1, beta2) = (training.beta1, training.beta2);
        AdamW::new(vars, ParamsAdamW { lr: training.lr, beta1, beta2, eps: 1e-8, weight_decay })
    };
    let var = |(_, var): (&ParamSpec, &Var)| var.clone();
    let mut decaying = adamw(decaying.into_iter().map(var).collect(), training.weight_decay)?;
    let others = others.into_iter().map(var).chain([model.bias.clone()]);
    let mut others = adamw(others.collect(), 0.0)?;
    let warmup = (steps / 20).min(100);
    let schedule = Schedule { peak: training.lr, floor: training.min_lr, warmup, steps };
    let mut batches = Batches::new(&dataset.train, context, training.batch_size, training.seed)?;
    for step in 0..steps {
        follow(step, steps)?;
        let batch = batches.get(step);
        let (ids, targets) = windows(&batch.inputs, &batch.targets, context)?;
        let mut gradients = model.loss(&model.logits(&ids, true)?, &targets)?.backward()?;
        clip(&mut gradients, model.model.params.vars.iter().chain([&model.bias]), training.grad_clip)?;
        for optimizer in [&mut decaying, &mut others] {
            optimizer.set_learning_rate(schedule.lr(step));
            optimizer.step(&gradients)?;
        }
    }
    let tokens = &dataset.val[..(read + 1).min(dataset.val.len())];
    measure(&model, tokens, steps)
}

/// Clips the gradients of `vars` to a common norm of at most `limit`, as training does.
fn clip<'a>(
    gradients: &mut GradStore,
    vars: impl Iterator<Item = &'a Var> + Clone,
    limit: f64,
) -> candle_core::Result<()> {
    let mut squares = 0.0;
    for gradient in vars.clone().filter_map(|var| gradients.get(var)) {
        squares += f64::from(gradient.sqr()?.sum_all()?.to_scalar::<f32>()?);
    }
    let scale = clip_scale(squares.sqrt(), limit);
    for var in vars {
        if let Some(gradient) = gradients.remove(var) {
            gradients.insert(var, (gradient * scale)?);
        }
    }
    Ok(())
}

/// Reads all but the last of `tokens`, and predicts all but the first.
fn measure(model: &WithBias, tokens: &[u32], steps: usize) -> Result<Outputs> {
    let (mut sums, mut nats) = (Vec::new(), 0.0);
    let mut targets = &tokens[1..];
    for (ids, length) in passes(&tokens[..tokens.len() - 1], &model.model.config) {
        let shape = (ids.len() / length, length);
        let logits = model.logits(&Tensor::from_slice(ids, shape, &Device::Cpu)?, false)?;
        let probabilities = match model.output {
            Output::Softmax => candle_nn::ops::softmax(&logits, D::Minus1)?,
            Output::Sigmoid => sigmoid(&logits)?,
        };
        for (row, target) in probabilities.to_dtype(DType::F64)?.to_vec2::<f64>()?.iter().zip(targets) {
            let sum: f64 = row.iter().sum();
            nats += sum.ln() - row[*target as usize].ln();
            sums.push(sum);
        }
        targets = &targets[ids.len()..];
    }
    let count = sums.len() as f64;
    let mean = sums.iter().sum::<f64>() / count;
    let off = sums.iter().filter(|sum| (**sum - 1.0).abs() > 0.01).count();
    sums.sort_by(f64::total_cmp);
    let at = |share: f64| sums[(share * (sums.len() - 1) as f64).round() as usize];
    Ok(Outputs {
        output: model.output,
        steps,
        tokens: sums.len(),
        sum: mean,
        sum_low: at(0.05),
        sum_high: at(0.95),
        off: off as f64 / count,
        loss: nats / count,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Settings;

    fn model(output: Output, logits: &[f32]) -> (WithBias, Dataset, Recipe) {
        let small = Settings { layers: Some(1), dim: Some(16), heads: Some(2), ..Settings::default() };
        let small = Settings { batch_size: Some(4), ops: Some(Ops::Plain), ..small };
        let recipe = Recipe::new(small.over(&Settings::preset("default").unwrap())).unwrap();
        let dataset = Dataset::load(&recipe).unwrap();
        let config = recipe.model(dataset.tokenizer.vocab_size()).unwrap();
        // With an embedding of 0, every logit is its bias.
        let params =
            Params::fill(&config, |spec| Tensor::zeros(spec.shape.as_slice(), DType::F32, &Device::Cpu));
        let mut bias = vec![f32::NEG_INFINITY; config.vocab_size];
        bias[..logits.len()].copy_from_slice(logits);
        let bias = Var::new(bias.as_slice(), &Device::Cpu).unwrap();
        let model = Model::new(config, params.unwrap(), Ops::Plain).unwrap();
        (WithBias { model, bias, output }, dataset, recipe)
    }

    /// Three tokens with logits 0, 1 and 2 at every position.
    #[test]
    fn sums_and_losses_of_planted_logits_follow_their_definition() {
        let logits = [0.0, 1.0, 2.0f32];
        let tokens: Vec<u32> = (0..41).map(|i| i % 3).collect();
        let s = |z: f64| 1.0 / (1.0 + (-z).exp());
        for (output, terms) in
            [(Output::Sigmoid, [s(0.0), s(1.0), s(2.0)]), (Output::Softmax, [0.0, 1.0, 2.0f64].map(f64::exp))]
        {
            let (model, ..) = model(output, &logits);
            let total: f64 = terms.iter().sum();
            let found = measure(&model, &tokens, 0).unwrap();
            let expected: f64 =
                tokens[1..].iter().map(|id| (total / terms[*id as usize]).ln()).sum::<f64>() / 40.0;
            assert!((found.loss - expected).abs() < 1e-6, "{found:?}, expected {expected}");
            let sum = if output == Output::Sigmoid { total } else { 1.0 };
            assert!((found.sum - sum).abs() < 1e-6 && (found.sum_low - sum).abs() < 1e-6, "{found:?}");
            assert_eq!(found.off, if output == Output::Sigmoid { 1.0 } else { 0.0 });
        }
    }

    /// The mean of -ln s(z) at the target and -ln(1 - s(z)) elsewhere, in f64.
    #[test]
    fn the_loss_of_sigmoids_is_the_sum_of_binary_cross_entropies() {
        let rows = [[0.5f32, -1.5, 30.0], [-40.0, 0.0, 2.0]];
        let (model, ..) = model(Output::Sigmoid, &[]);
        let targets = [2u32, 0];
        let loss = model
            .loss(&Tensor::new(&rows, &Device::Cpu).unwrap(), &Tensor::new(&targets, &Device::Cpu).unwrap());
        let softplus = |z: f64| z.max(0.0) + (-z.abs()).exp().ln_1p();
        let own = |row: &[f32; 3], target: u32| -> f64 {
            let of = |(i, z): (usize, &f32)| {
                softplus(if i == target as usize { -f64::from(*z) } else { f64::from(*z) })
            };
            row.iter().enumerate().map(of).sum()
        };
        let expected = (own(&rows[0], 2) + own(&rows[1], 0)) / 2.0;
        let found = f64::from(loss.unwrap().to_scalar::<f32>().unwrap());
        assert!((found - expected).abs() < 1e-5 * expected, "{found} {expected}");
    }

    #[test]
    fn softmax_and_sigmoid_outputs_both_learn() {
        let (_, dataset, recipe) = model(Output::Softmax, &[]);
        let guess = (dataset.tokenizer.vocab_size() as f64).ln();
        for output in [Output::Softmax, Output::Sigmoid] {
            let found = train_output(&recipe, &dataset, output, 30, 500, &mut |_, _| Ok(())).unwrap();
            assert!(found.loss < guess - 1.0, "{found:?}");
            assert_eq!((found.tokens, found.steps), (500, 30));
        }
    }
}
