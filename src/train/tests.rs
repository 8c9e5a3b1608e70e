//! Promises of the optimizer, against PyTorch.

use super::optimizer::{AdamW, Gradients, clip_scale};
use crate::model::Params;
use crate::settings::{Recipe, Settings};
use candle_core::{Device, Tensor};

/// Three updates of a matrix, which decays, and a norm's weight, which does not, with clipping:
/// expected values from PyTorch (`scripts/adamw_reference.py`).
#[test]
fn updates_equal_pytorchs_adamw_with_clipping() {
    let (matrix, vector): ([f64; 6], [f64; 2]) = include!("pytorch_adamw.in");
    let flags = Settings { dim: Some(2), heads: Some(1), weight_decay: Some(0.1), ..Settings::default() };
    let recipe = Recipe::new(flags.over(&Settings::preset("default").unwrap())).unwrap();
    let config = recipe.model(3).unwrap();
    // The embedding is (3, 2), the final norm (2): the others keep a gradient of zero.
    let params = Params::fill(&config, |spec| {
        let start = |k: usize| if spec.name == "model.embed_tokens.weight" { 0.1 * k as f32 } else { 1.0 };
        let values: Vec<f32> = (0..spec.elements()).map(start).collect();
        Tensor::from_vec(values, spec.shape.as_slice(), &Device::Cpu)
    })
    .unwrap();
    let mut optimizer = AdamW::new(&params, &recipe.training).unwrap();
    for step in 0..3 {
        let gradient = |spec: &crate::model::ParamSpec| {
            let value = |k: usize| match spec.name.as_str() {
                "model.embed_tokens.weight" => ((k + step) as f32).sin(),
                "model.norm.weight" => ((k + step) as f32).cos(),
                _ => 0.0,
            };
            let values: Vec<f32> = (0..spec.elements()).map(value).collect();
            Tensor::from_vec(values, spec.shape.as_slice(), &Device::Cpu).unwrap()
        };
        let gradients = Gradients::new(params.specs.iter().map(gradient).collect());
        let scale = clip_scale(gradients.norm().unwrap(), 1.0);
        optimizer.update(&params, &gradients, scale, 0.1 * (step + 1) as f64, step).unwrap();
    }
    for (name, expected) in [("model.embed_tokens.weight", matrix.as_slice()), ("model.norm.weight", &vector)]
    {
        let values: Vec<f32> = params.get(name).unwrap().flatten_all().unwrap().to_vec1().unwrap();
        for (got, want) in values.iter().zip(expected) {
            assert!((f64::from(*got) - want).abs() < 2e-6, "{name}: {values:?}, PyTorch says {expected:?}");
        }
    }
}

#[test]
fn gradients_below_the_limit_are_not_scaled() {
    assert_eq!(clip_scale(0.5, 1.0), 1.0);
    assert_eq!(clip_scale(50.0, 0.0), 1.0);
    assert!((clip_scale(4.0, 1.0) - 0.25).abs() < 1e-6);
}
