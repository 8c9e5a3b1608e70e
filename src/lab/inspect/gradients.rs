//! The gradient of the loss in each layer's FFN, in untrained and in trained models.

use super::normal::{on_standard_normal, second_moment};
use super::{MeanStd, ffn_matrices, windows};
use crate::activation::Activation;
use crate::data::{Batch, Batches, Dataset};
use crate::model::{Gpt, Init, Model, ParamSpec, Params, Part, Pass};
use crate::settings::{ModelConfig, Recipe, Settings};
use crate::support::follow::Follow;
use anyhow::Result;
use candle_core::{DType, Device, Tensor};
use candle_nn::Module;
use candle_nn::loss::cross_entropy;
use serde::Serialize;

/// What surrounds the FFNs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Architecture {
    /// The model as it is trained: residual stream, norms, attention, and its own initial values.
    Model,
    /// FFNs alone, x <- W_down f(W_up x), between an embedding and a head, without residual connections, norms and
    /// attention. Initial values keep the mean square of every value at 1 for every function: the embedding has
    /// variance 1, matrices into the hidden units 1 / inputs, and those out of them 1 / (inputs x E f(Z)^2) for Z
    /// from N(0, 1). For relu this is the initialization of He et al. 2015 (equation 10).
    Stack,
}

/// The gradient of the mean loss with respect to each layer's FFN matrix that gives the pre-activations: the up
/// projection, or the gate's where there is one.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct InitialGradients {
    pub act: Activation,
    pub layers: usize,
    /// Nats per token.
    pub loss: f64,
    /// Euclidean norm by layer.
    pub norms: Vec<f64>,
    /// The first layer's norm over the last layer's. Not finite if values overflowed.
    pub first_over_last: f64,
}

/// What was found in untrained models.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct FreshModels {
    pub setting: Architecture,
    /// Model width C.
    pub width: usize,
    pub seed: u64,
    /// Tokens whose loss was differentiated.
    pub tokens: usize,
    /// One per activation.
    pub standard_normal: Vec<OnStandardNormal>,
    /// One per model, in the order asked for.
    pub gradients: Vec<InitialGradients>,
}

/// An activation's f on N(0, 1).
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct OnStandardNormal {
    pub act: Activation,
    #[serde(flatten)]
    pub moments: MeanStd,
}

/// Gradients of untrained models of a recipe, one for each activation and number of layers, on the first `tokens` tokens
/// of the first batch. `follow` counts layers.
///
/// # Errors
/// If the recipe has no such model.
pub fn fresh_models(
    recipe: &Recipe,
    dataset: &Dataset,
    (acts, depths): (&[Activation], &[usize]),
    tokens: usize,
    setting: Architecture,
    follow: Follow,
) -> Result<FreshModels> {
    let (context, seed, vocabulary) =
        (recipe.context(), recipe.training.seed, dataset.tokenizer.vocab_size());
    // The first sequences are the same in a batch of any size.
    let batch = Batches::new(&dataset.train, context, tokens.div_ceil(context), seed)?.get(0);
    let (mut done, all) = (0, acts.len() * depths.iter().sum::<usize>());
    let mut gradients = Vec::new();
    for act in acts {
        for layers in depths {
            let model = Settings { act: Some(*act), layers: Some(*layers), ..Settings::default() };
            let config = recipe.with(&model)?.model(vocabulary)?;
            gradients.push(initial_gradients(&config, &batch, seed, setting)?);
            done += layers;
            follow(done, all)?;
        }
    }
    let on_normal =
        |act: &Activation| OnStandardNormal { act: *act, moments: on_standard_normal(&act.function()) };
    Ok(FreshModels {
        setting,
        width: recipe.model(vocabulary)?.dim,
        seed,
        tokens: batch.inputs.len(),
        standard_normal: acts.iter().map(on_normal).collect(),
        gradients,
    })
}

/// Differentiates the loss of an untrained model in f64, which holds norms far too small for f32.
fn initial_gradients(
    config: &ModelConfig,
    batch: &Batch,
    seed: u64,
    setting: Architecture,
) -> Result<InitialGradients> {
    let (ids, targets) = windows(&batch.inputs, &batch.targets, config.context)?;
    let is_stack = setting == Architecture::Stack;
    let config = &ModelConfig { tied: config.tied && !is_stack, ..config.clone() };
    let params = Params::fill(config, |spec| {
        let spec = if is_stack { &keeping_scale(spec, config) } else { spec };
        Tensor::from_vec(spec.initial_values(seed), spec.shape.as_slice(), &Device::Cpu)?.to_dtype(DType::F64)
    })?;
    let model = Gpt::new(config, &params.tensors())?;
    let logits = if is_stack {
        let mut x = params.vars[params.map.embedding].index_select(&ids.flatten_all()?, 0)?; // (B T, C)
        for ffn in model.ffns() {
            x = ffn.forward(&x)?;
        }
        x.matmul(&params.vars[params.map.head.weight].t()?)?
    } else {
        model.forward(&ids, &mut Pass { learning: true, ..Pass::default() })?
    };
    let loss = cross_entropy(&logits, &targets)?;
    let norms = norms(&argument_gradients(&loss, &params, config)?)?;
    Ok(InitialGradients {
        act: config.act,
        layers: config.layers,
        loss: loss.to_scalar::<f64>()?,
        first_over_last: norms[0] / norms[config.layers - 1],
        norms,
    })
}

/// The most tokens in one graph, which bounds the memory of the backward pass.
const GRAPH_TOKENS: usize = 256;

/// By layer, the norm of the gradient of a model's mean loss on `tokens` with respect to the FFN matrix that gives the
/// pre-activations. Each token is predicted from those before it in its window. `step` receives the length of each
/// window.
///
/// # Errors
/// Those of `step`.
pub fn gradient_norms(
    model: &Model,
    tokens: &[u32],
    step: &mut dyn FnMut(usize) -> Result<()>,
) -> Result<Vec<f64>> {
    let length = model.config.context.min(GRAPH_TOKENS);
    let predicted = tokens.len() - 1;
    let mut sums: Vec<Option<Tensor>> = vec![None; model.config.layers];
    for (ids, targets) in tokens[..predicted].chunks(length).zip(tokens[1..].chunks(length)) {
        let tensor = |ids: &[u32]| Tensor::new(ids, model.device());
        let mut pass = Pass { learning: true, ..Pass::default() };
        let logits = model.gpt.forward(&tensor(ids)?.unsqueeze(0)?, &mut pass)?;
        // Its share of the mean over all windows.
        let share = ids.len() as f64 / predicted as f64;
        let loss = (cross_entropy(&logits, &tensor(targets)?)? * share)?;
        let gradients = argument_gradients(&loss, &model.params, &model.config)?;
        for (sum, gradient) in sums.iter_mut().zip(gradients) {
            *sum = match (sum.take(), gradient) {
                (Some(sum), Some(gradient)) => Some((sum + gradient)?),
                (one, other) => one.or(other),
            };
        }
        step(ids.len())?;
    }
    norms(&sums)
}

/// By layer, the gradient of `loss` with respect to the matrix that gives the pre-activations, if it depends on it.
fn argument_gradients(loss: &Tensor, params: &Params, config: &ModelConfig) -> Result<Vec<Option<Tensor>>> {
    let gradients = loss.backward()?;
    // Detached, since a gradient would keep the graph that it came from.
    let of = |matrices: &Vec<&candle_core::Var>| gradients.get(matrices[0]).map(Tensor::detach);
    Ok(ffn_matrices(params, config).iter().map(of).collect())
}

/// Euclidean norms, 0 where there is no gradient.
fn norms(gradients: &[Option<Tensor>]) -> Result<Vec<f64>> {
    let norm = |gradient: &Option<Tensor>| {
        let Some(gradient) = gradient else { return Ok(0.0) };
        let exact = gradient.to_device(&Device::Cpu)?.to_dtype(DType::F64)?;
        Ok(exact.sqr()?.sum_all()?.to_scalar::<f64>()?.sqrt())
    };
    gradients.iter().map(norm).collect()
}

/// The spec with the initial values of [`Architecture::Stack`].
fn keeping_scale(spec: &ParamSpec, config: &ModelConfig) -> ParamSpec {
    let Init::Normal { .. } = spec.init else { return spec.clone() };
    let variance = match spec.role.part() {
        Part::Embedding => 1.0,
        _ if spec.is_ffn_output() => 1.0 / (config.ffn_dim as f64 * second_moment(config.act)),
        _ => 1.0 / config.dim as f64,
    };
    ParamSpec { init: Init::Normal { std: variance.sqrt() }, ..spec.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Backbone;
    use crate::support::random;

    fn gradients(backbone: Backbone, act: &str, layers: usize, setting: Architecture) -> InitialGradients {
        let act: Activation = act.parse().unwrap();
        let config = ModelConfig {
            backbone,
            act,
            layers,
            heads: 2,
            kv_heads: 2,
            dim: 32,
            ffn_dim: act.ffn_dim(32),
            context: 16,
            vocab_size: 20,
            tied: true,
            init_std: (2.0f64 / (5.0 * 32.0)).sqrt(),
            norm_eps: 1e-5,
            rope_theta: 10_000.0,
        };
        let mut rng = random::stream(1, "batch");
        let mut ids = || -> Vec<u32> { (0..64).map(|_| random::below(&mut rng, 20) as u32).collect() };
        let batch = Batch { inputs: ids(), targets: ids() };
        initial_gradients(&config, &batch, 1, setting).unwrap()
    }

    /// One layer multiplies the mean square of a gradient by E f'(Z)^2 / E f(Z)^2: 1 for relu, 0.152 for sigmoid.
    fn by_theory(act: Activation, layers: i32) -> f64 {
        let function = act.function();
        let slopes: f64 = {
            let draws = random::normal(&mut random::stream(1, "theory"), 100_000, 1.0);
            draws.iter().map(|x| function.derivative(f64::from(*x)).powi(2)).sum::<f64>() / 1e5
        };
        (slopes / second_moment(act)).powi(layers - 1).sqrt()
    }

    #[test]
    fn without_residuals_sigmoid_gradients_vanish_and_relu_gradients_do_not() {
        for backbone in [Backbone::Llama, Backbone::Gpt2] {
            let ratio =
                |act: &str, layers| gradients(backbone, act, layers, Architecture::Stack).first_over_last;
            assert!((0.02..50.0).contains(&ratio("relu", 24)), "{}", ratio("relu", 24));
            assert!(ratio("sigmoid", 24) < 1e-6 * ratio("relu", 24), "{}", ratio("sigmoid", 24));
            assert!(ratio("sigmoid", 24) < 1e-3 * ratio("sigmoid", 6));
            for (act, layers) in [("relu", 6), ("sigmoid", 6), ("sigmoid", 24), ("tanh", 24), ("gelu", 6)] {
                let (found, theory) = (ratio(act, layers as usize), by_theory(act.parse().unwrap(), layers));
                assert!((0.03..30.0).contains(&(found / theory)), "{act} {layers}: {found}, theory {theory}");
            }
        }
    }

    #[test]
    fn with_residuals_every_layer_gets_gradients_for_every_activation() {
        for act in ["relu", "sigmoid", "swiglu"] {
            let found = gradients(Backbone::Llama, act, 24, Architecture::Model);
            assert_eq!(found.norms.len(), 24);
            assert!((0.03..30.0).contains(&found.first_over_last), "{found:?}");
            assert!(found.norms.iter().all(|norm| *norm > 0.0), "{found:?}");
        }
    }

    /// The loss of an untrained model is about that of guessing, ln 20.
    #[test]
    fn a_single_layer_has_a_ratio_of_one() {
        for setting in [Architecture::Model, Architecture::Stack] {
            let found = gradients(Backbone::Llama, "silu", 1, setting);
            assert_eq!(found.first_over_last, 1.0);
            assert!((found.loss - 20.0f64.ln()).abs() < 1.5, "{found:?}");
        }
    }
}
