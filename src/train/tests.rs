//! Promises of the optimizer, against PyTorch.

use super::adamw::clip_scale;
use super::diagnosis::first_bad;
use super::optimizer::Optimizer;
use crate::data::Batch;
use crate::model::{Gradients, Model, ParamSpec, Params};
use crate::settings::{Backbone, Ops, Recipe, Settings};
use candle_core::{Device, Tensor};

/// A model of which the tests use the embedding (3, 2), which decays, and the final norm (2).
fn recipe() -> Recipe {
    let flags = Settings { dim: Some(2), heads: Some(1), weight_decay: Some(0.1), ..Settings::default() };
    Recipe::new(flags.over(&Settings::preset("default").unwrap())).unwrap()
}

const EMBEDDING: &str = "model.embed_tokens.weight";
const NORM: &str = "model.norm.weight";

fn params() -> Params {
    Params::fill(&recipe().model(3).unwrap(), |spec| {
        let start = |k: usize| if spec.name == EMBEDDING { 0.1 * k as f32 } else { 1.0 };
        let values: Vec<f32> = (0..spec.elements()).map(start).collect();
        Tensor::from_vec(values, spec.shape.as_slice(), &Device::Cpu)
    })
    .unwrap()
}

/// Step `step`'s gradient of a parameter: zero but for the two.
fn gradient(spec: &ParamSpec, step: usize) -> Vec<f32> {
    let value = |k: usize| match spec.name.as_str() {
        EMBEDDING => ((k + step) as f32).sin(),
        NORM => ((k + step) as f32).cos(),
        _ => 0.0,
    };
    (0..spec.elements()).map(value).collect()
}

/// Makes the sums of a parameter's gradients what `value` says, whichever engine adds them up.
fn set(gradients: &mut Gradients, specs: &[ParamSpec], value: impl Fn(&ParamSpec) -> Vec<f32>) {
    match gradients {
        Gradients::Candle { sums, .. } => {
            let tensor = |spec: &ParamSpec| {
                Tensor::from_vec(value(spec), spec.shape.as_slice(), &Device::Cpu).unwrap()
            };
            *sums = specs.iter().map(tensor).collect();
        }
        Gradients::Fused { sums, .. } => *sums = specs.iter().map(value).collect(),
    }
}

/// Three clipped updates by both engines: expected values from PyTorch (`scripts/adamw_reference.py`).
#[test]
fn updates_match_pytorch_adamw_with_clipping() {
    let (matrix, vector): ([f64; 6], [f64; 2]) = include!("pytorch_adamw.in");
    for ops in [Ops::Plain, Ops::Fused] {
        let recipe = recipe();
        let model = Model::new(recipe.model(3).unwrap(), params(), ops).unwrap();
        let (mut gradients, mut optimizer) =
            (model.gradients(), Optimizer::new(&model.params, &recipe.training).unwrap());
        for step in 0..3 {
            set(&mut gradients, model.params.specs(), |spec| gradient(spec, step));
            let scale = clip_scale(gradients.norm().unwrap(), 1.0);
            optimizer.update(&model.params, &mut gradients, scale, 0.1 * (step + 1) as f64, step).unwrap();
            assert_eq!(gradients.norm().unwrap(), 0.0, "an update clears the gradients");
        }
        for (name, expected) in [(EMBEDDING, matrix.as_slice()), (NORM, &vector)] {
            let values: Vec<f32> = model.params.get(name).unwrap().flatten_all().unwrap().to_vec1().unwrap();
            for (got, want) in values.iter().zip(expected) {
                assert!(
                    (f64::from(*got) - want).abs() < 2e-6,
                    "{ops:?} {name}: {values:?}, PyTorch says {expected:?}"
                );
            }
        }
    }
}

#[test]
fn gradients_below_the_limit_are_not_scaled() {
    assert_eq!(clip_scale(0.5, 1.0), 1.0);
    assert_eq!(clip_scale(50.0, 0.0), 1.0);
    assert!((clip_scale(4.0, 1.0) - 0.25).abs() < 1e-6);
}

/// Our initial weights in PyTorch and here, ten steps on one batch, by the kernels and by the
/// reference: expected values from PyTorch (`scripts/first_losses.py`).
#[test]
fn the_first_ten_losses_match_pytorch() {
    let cases: &[(&str, &str, usize, [f64; 10])] = include!("pytorch_first_losses.in");
    for (backbone, act, vocab, expected) in cases {
        let flags = Settings {
            backbone: Some(if *backbone == "llama" { Backbone::Llama } else { Backbone::Gpt2 }),
            act: Some(act.parse().unwrap()),
            layers: Some(2),
            dim: Some(32),
            heads: Some(4),
            context: Some(16),
            ..Settings::default()
        };
        let recipe = Recipe::new(flags.over(&Settings::preset("default").unwrap())).unwrap();
        let batch = batch(4, 16, *vocab as u64);
        for ops in [Ops::Fused, Ops::Plain] {
            let config = recipe.model(*vocab).unwrap();
            let params = Params::init(&config, 1, &Device::Cpu).unwrap();
            let model = Model::new(config, params, ops).unwrap();
            let (mut gradients, mut optimizer) =
                (model.gradients(), Optimizer::new(&model.params, &recipe.training).unwrap());
            for (step, expected) in expected.iter().enumerate() {
                let loss = gradients.add(&batch.inputs, &batch.targets, 16, None).unwrap();
                assert!(
                    (loss - expected).abs() < 1e-4,
                    "{backbone} {act} {ops:?}, step {step}: {loss}, PyTorch {expected}"
                );
                let clip = clip_scale(gradients.norm().unwrap(), 1.0);
                optimizer.update(&model.params, &mut gradients, clip, 3e-3, step).unwrap();
            }
        }
    }
}

/// The tokens of `scripts/peer.py`, by its formula.
fn batch(rows: usize, context: usize, vocab: u64) -> Batch {
    let next =
        |x: &u64| Some(x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407));
    let mut ids = std::iter::successors(Some(1u64), next).map(|x| ((x >> 33) % vocab) as u32);
    let mut batch = Batch { inputs: Vec::new(), targets: Vec::new() };
    for _ in 0..rows {
        let row: Vec<u32> = ids.by_ref().take(context + 1).collect();
        batch.inputs.extend(&row[..context]);
        batch.targets.extend(&row[1..]);
    }
    batch
}

/// A small model of two layers by either implementation, with one value of one parameter replaced.
fn with_value(ops: Ops, backbone: Backbone, name: &str, value: f32) -> Model {
    let act = Some("relu".parse().unwrap());
    let shape =
        Settings { dim: Some(16), heads: Some(2), layers: Some(2), context: Some(8), ..Settings::default() };
    let flags = Settings { backbone: Some(backbone), act, ..shape };
    let config = Recipe::new(flags.over(&Settings::preset("default").unwrap())).unwrap().model(11).unwrap();
    let params = Params::fill(&config, |spec| {
        let mut values = spec.initial_values(1);
        if spec.name == name {
            values.fill(value);
        }
        Tensor::from_vec(values, spec.shape.as_slice(), &Device::Cpu)
    })
    .unwrap();
    Model::new(config, params, ops).unwrap()
}

#[test]
fn the_first_non_finite_layer_is_named() {
    let ids: Vec<u32> = (0..16).map(|i| i % 11).collect();
    let llama = |rest: &str| format!("model.layers.1.{rest}.weight");
    let cases = [
        (
            Backbone::Llama,
            llama("mlp.down_proj"),
            f32::NAN,
            "in the parameter model.layers.1.mlp.down_proj.weight",
        ),
        // Finite themselves, these overflow in their product.
        (Backbone::Llama, llama("input_layernorm"), 1e30, "in the attention of layer 1"),
        (Backbone::Llama, llama("self_attn.v_proj"), 3e38, "in the attention of layer 1"),
        (Backbone::Llama, llama("mlp.up_proj"), 3e38, "in the FFN's pre-activations of layer 1"),
        (Backbone::Llama, "model.norm.weight".to_string(), 3e38, "in the output head"),
        (
            Backbone::Gpt2,
            "transformer.h.0.mlp.c_proj.bias".to_string(),
            f32::INFINITY,
            "in the parameter transformer.h.0.mlp.c_proj.bias",
        ),
    ];
    for ops in [Ops::Plain, Ops::Fused] {
        for (backbone, name, value, expected) in &cases {
            let model = with_value(ops, *backbone, name, *value);
            let found = first_bad(&model, &ids, None, &model.gradients()).unwrap();
            assert_eq!(found.as_deref(), Some(*expected), "{name} = {value}, {ops:?}");
        }
        let sound = with_value(ops, Backbone::Llama, "", 0.0);
        assert_eq!(first_bad(&sound, &ids, None, &sound.gradients()).unwrap(), None);
    }
}

/// Gradients come from the loss backward: the last parameter with a bad one had it first.
#[test]
fn non_finite_gradients_are_named_if_the_forward_pass_is_finite() {
    let bad = ["model.layers.0.mlp.up_proj.weight", "model.layers.1.mlp.up_proj.weight"];
    for ops in [Ops::Plain, Ops::Fused] {
        let model = with_value(ops, Backbone::Llama, "", 0.0);
        let mut gradients = model.gradients();
        set(&mut gradients, model.params.specs(), |spec| {
            let value = if bad.contains(&spec.name.as_str()) { f32::INFINITY } else { 1.0 };
            vec![value; spec.elements()]
        });
        assert!(!gradients.norm().unwrap().is_finite());
        let found = first_bad(&model, &[1; 8], None, &gradients).unwrap();
        assert_eq!(found.as_deref(), Some("in the gradient of model.layers.1.mlp.up_proj.weight"));
    }
}
