//! Promises of the optimizer, against PyTorch.

use super::composed::Composed;
use super::fused::Fused;
use super::learner::{Learner, clip_scale};
use crate::model::{ParamSpec, Params};
use crate::settings::{Recipe, Settings};
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

/// Three clipped updates, `give` giving each step's gradients: expected values from PyTorch
/// (`scripts/adamw_reference.py`).
fn assert_updates_equal_pytorchs<L: Learner>(params: &Params, mut learner: L, give: impl Fn(&mut L, usize)) {
    let (matrix, vector): ([f64; 6], [f64; 2]) = include!("pytorch_adamw.in");
    for step in 0..3 {
        give(&mut learner, step);
        let scale = clip_scale(learner.norm().unwrap(), 1.0);
        learner.update(params, scale, 0.1 * (step + 1) as f64, step).unwrap();
    }
    for (name, expected) in [(EMBEDDING, matrix.as_slice()), (NORM, &vector)] {
        let values: Vec<f32> = params.get(name).unwrap().flatten_all().unwrap().to_vec1().unwrap();
        for (got, want) in values.iter().zip(expected) {
            assert!((f64::from(*got) - want).abs() < 2e-6, "{name}: {values:?}, PyTorch says {expected:?}");
        }
    }
}

#[test]
fn updates_equal_pytorchs_adamw_with_clipping() {
    let params = params();
    let learner = Composed::new(&params, &recipe().training).unwrap();
    assert_updates_equal_pytorchs(&params, learner, |learner, step| {
        let tensor =
            |spec| Tensor::from_vec(gradient(spec, step), spec.shape.as_slice(), &Device::Cpu).unwrap();
        learner.add(params.specs.iter().map(tensor).collect()).unwrap();
    });
}

#[test]
fn updates_in_place_equal_pytorchs_adamw_with_clipping() {
    let params = params();
    let learner = Fused::new(&params, &recipe().training).unwrap();
    assert_updates_equal_pytorchs(&params, learner, |learner, step| {
        for (sum, spec) in learner.sums().iter_mut().zip(&params.specs) {
            // Sums are empty again after each update.
            crate::kernels::add(sum, &gradient(spec, step));
        }
    });
}

#[test]
fn gradients_below_the_limit_are_not_scaled() {
    assert_eq!(clip_scale(0.5, 1.0), 1.0);
    assert_eq!(clip_scale(50.0, 0.0), 1.0);
    assert!((clip_scale(4.0, 1.0) - 0.25).abs() < 1e-6);
}
