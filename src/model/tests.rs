//! Promises of the model: it computes what transformers computes, every parameter learns, gradients
//! are right, nothing looks ahead, and a cache changes nothing.

use super::*;
use crate::activation::Activation;
use crate::settings::{Backbone, ModelConfig, Ops};
use candle_core::{DType, Device, Tensor};

fn config(backbone: Backbone, act: &str) -> ModelConfig {
    ModelConfig {
        backbone,
        act: act.parse().unwrap(),
        layers: 2,
        heads: 4,
        kv_heads: if backbone == Backbone::Llama { 2 } else { 4 },
        dim: 16,
        ffn_dim: 24,
        context: 8,
        vocab_size: 11,
        tied: true,
        init_std: 0.3,
        norm_eps: 1e-5,
        rope_theta: 10_000.0,
    }
}

/// The reference with its parameters.
fn reference(config: &ModelConfig, dtype: DType) -> Model {
    model_with(config, dtype, Ops::Plain)
}

fn model_with(config: &ModelConfig, dtype: DType, ops: Ops) -> Model {
    let params = Params::fill(config, |spec| {
        Tensor::from_vec(spec.initial_values(1), spec.shape.as_slice(), &Device::Cpu)?.to_dtype(dtype)
    });
    Model::new(config.clone(), params.unwrap(), ops).unwrap()
}

fn learning<'a>() -> Pass<'a> {
    Pass { learning: true, ..Pass::default() }
}

/// (2, 6) inputs and targets.
fn batch() -> (Tensor, Tensor) {
    let ids: Vec<u32> = vec![3, 1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8];
    let targets: Vec<u32> = vec![1, 4, 1, 5, 9, 2, 6, 5, 3, 5, 8, 9];
    let tensor = |ids| Tensor::from_vec(ids, (2, 6), &Device::Cpu).unwrap();
    (tensor(ids), tensor(targets))
}

fn loss(model: &Model, pass: &mut Pass) -> Tensor {
    let (ids, targets) = batch();
    model.gpt.token_losses(&ids, &targets, pass).unwrap().mean_all().unwrap()
}

fn logits(model: &Model, ids: &[u32], caches: Option<&mut [KvCache]>) -> Vec<Vec<f32>> {
    let ids = Tensor::new(ids, &Device::Cpu).unwrap().unsqueeze(0).unwrap();
    let mut pass = Pass { caches, ..Pass::default() };
    model.gpt.forward(&ids, &mut pass).unwrap().to_vec2().unwrap()
}

const BACKBONES: [Backbone; 2] = [Backbone::Llama, Backbone::Gpt2];

/// Expected values from transformers in f64 (`scripts/reference_logits.py`): the logits, and what final norm
/// and head make of its hidden states after the first layer.
#[test]
fn logits_after_the_first_and_last_layer_match_transformers() {
    type Logits = [f64; 11];
    let cases: &[(&str, &str, usize, bool, Logits, Logits)] = include!("transformers_logits.in");
    for (backbone, act, kv_heads, tied, expected, expected_early) in cases {
        let backbone = if *backbone == "llama" { Backbone::Llama } else { Backbone::Gpt2 };
        let config = ModelConfig { kv_heads: *kv_heads, tied: *tied, ..config(backbone, act) };
        let params = Params::fill(&config, |spec| {
            let phase: f64 = spec.name.bytes().map(f64::from).sum();
            let base = if spec.shape.len() == 1 && spec.name.ends_with("weight") { 1.0 } else { 0.0 };
            let values: Vec<f64> =
                (0..spec.elements()).map(|k| base + 0.3 * (0.37 * k as f64 + phase).sin()).collect();
            Tensor::from_vec(values, spec.shape.as_slice(), &Device::Cpu)
        });
        let model = Gpt::new(&config, &params.unwrap().tensors()).unwrap();
        let ids = Tensor::new(&[[3u32, 1, 4, 1, 5, 9]], &Device::Cpu).unwrap();
        let mut added: Vec<Tensor> = Vec::new();
        let mut observer = |site: Site, layer: usize, x: &Tensor| {
            if layer == 0 && matches!(site, Site::Residual | Site::FfnOutput) {
                added.push(x.clone());
            }
        };
        let logits = model.observe(&ids, &mut Pass::default(), &mut observer).unwrap();
        let unobserved: Vec<Vec<f64>> = model.forward(&ids, &mut Pass::default()).unwrap().to_vec2().unwrap();
        assert_eq!(logits.to_vec2::<f64>().unwrap(), unobserved, "looking changes nothing");
        let early = model.unembed(&(&added[0] + &added[1]).unwrap()).unwrap();
        for (logits, expected) in [(logits, expected), (early, expected_early)] {
            let last: Vec<f64> = logits.get(5).unwrap().to_vec1().unwrap();
            for (got, want) in last.iter().zip(expected) {
                assert!(
                    (got - want).abs() < 1e-6,
                    "{backbone:?} {act}: {last:?}\ntransformers: {expected:?}"
                );
            }
        }
    }
}

/// GPT-2's key bias adds the same to every score of a query, which softmax ignores.
#[test]
fn every_parameter_except_gpt2_key_bias_gets_a_gradient() {
    for backbone in BACKBONES {
        for tied in [true, false] {
            let config = ModelConfig { tied, ..config(backbone, "gelu") };
            let model = reference(&config, DType::F64);
            let gradients = loss(&model, &mut learning()).backward().unwrap();
            for (spec, var) in model.params.iter() {
                let gradient = gradients.get(var).unwrap_or_else(|| panic!("{} has no gradient", spec.name));
                let gradient: Vec<f64> = gradient.flatten_all().unwrap().to_vec1().unwrap();
                assert!(gradient.iter().all(|g| g.is_finite()), "{}", spec.name);
                let parts = if spec.name.ends_with("c_attn.bias") { 3 } else { 1 };
                for (i, part) in gradient.chunks(gradient.len() / parts).enumerate() {
                    let norm = part.iter().map(|g| g * g).sum::<f64>().sqrt();
                    let is_key_bias = parts == 3 && i == 1;
                    assert_eq!(norm < 1e-12, is_key_bias, "{} part {i}: norm {norm}", spec.name);
                }
            }
        }
    }
}

/// Central differences in f64 along two entries of every parameter. The inputs are random, so that
/// none lies within the step of a kink.
#[test]
fn gradients_match_finite_differences_for_every_activation_and_backbone() {
    let step = 1e-6;
    for backbone in BACKBONES {
        for act in Activation::named() {
            let model = reference(&config(backbone, act.name()), DType::F64);
            let gradients = loss(&model, &mut learning()).backward().unwrap();
            for (spec, var) in model.params.iter() {
                let gradient: Vec<f64> =
                    gradients.get(var).unwrap().flatten_all().unwrap().to_vec1().unwrap();
                let values: Vec<f64> = var.flatten_all().unwrap().to_vec1().unwrap();
                for entry in [spec.elements() / 3, spec.elements() - 1] {
                    let at = |offset: f64| {
                        let mut moved = values.clone();
                        moved[entry] += offset;
                        var.set(&Tensor::from_vec(moved, spec.shape.as_slice(), &Device::Cpu).unwrap())
                            .unwrap();
                        loss(&model, &mut Pass::default()).to_scalar::<f64>().unwrap()
                    };
                    let numeric = (at(step) - at(-step)) / (2.0 * step);
                    at(0.0);
                    let analytic = gradient[entry];
                    assert!(
                        (numeric - analytic).abs() < 1e-7 + 1e-5 * analytic.abs(),
                        "{backbone:?} {act} {}[{entry}]: {analytic}, differences give {numeric}",
                        spec.name
                    );
                }
            }
        }
    }
}

#[test]
fn logits_do_not_depend_on_later_tokens() {
    for backbone in BACKBONES {
        let model = reference(&config(backbone, "swiglu"), DType::F32);
        let (before, after) = ([3, 1, 4, 1, 5, 9, 2], [3, 1, 4, 1, 6, 9, 2]);
        let (a, b) = (logits(&model, &before, None), logits(&model, &after, None));
        assert_eq!(a[..4], b[..4]);
        assert_ne!(a[4], b[4]);
        assert_ne!(a[6], b[6]);
    }
}

#[test]
fn logits_are_the_same_with_and_without_a_cache() {
    for backbone in BACKBONES {
        let model = reference(&config(backbone, "swiglu"), DType::F32);
        let ids = [3, 1, 4, 1, 5, 9, 2, 6];
        let whole = logits(&model, &ids, None);
        for first in [1, 3, 7] {
            let mut caches = model.gpt.caches();
            let mut pieces = logits(&model, &ids[..first], Some(&mut caches));
            for id in &ids[first..] {
                pieces.extend(logits(&model, &[*id], Some(&mut caches)));
            }
            for (a, b) in whole.iter().flatten().zip(pieces.iter().flatten()) {
                assert!((a - b).abs() < 1e-4, "{backbone:?}: {a} and {b}");
            }
        }
    }
}

#[test]
fn too_many_tokens_for_the_context_are_an_error() {
    let model = reference(&config(Backbone::Llama, "relu"), DType::F32);
    let ids = Tensor::zeros((1, 9), DType::U32, &Device::Cpu).unwrap();
    let error = model.gpt.forward(&ids, &mut Pass::default()).unwrap_err().to_string();
    assert!(error.contains("9 tokens exceed the context of 8"), "{error}");
}

#[test]
fn initial_values_depend_only_on_seed_and_name() {
    let values = |act: &str, layers: usize, seed: u64| -> Vec<(String, Vec<f32>)> {
        let specs = ParamMap::new(&ModelConfig { layers, ..config(Backbone::Llama, act) }).specs;
        specs.into_iter().map(|spec| (spec.name.clone(), spec.initial_values(seed))).collect()
    };
    let (relu, swiglu, other_seed) = (values("relu", 2, 1), values("swiglu", 2, 1), values("relu", 2, 2));
    for (name, initial) in &relu {
        // Another activation: the same values in every tensor that both have.
        assert_eq!(Some(initial), swiglu.iter().find(|(n, _)| n == name).map(|(_, v)| v), "{name}");
        if !name.contains("norm") {
            assert_ne!(Some(initial), other_seed.iter().find(|(n, _)| n == name).map(|(_, v)| v), "{name}");
        }
    }
}

#[test]
fn residual_projections_start_smaller_in_deeper_models() {
    let specs = ParamMap::new(&ModelConfig { layers: 8, ..config(Backbone::Llama, "swiglu") }).specs;
    for spec in specs {
        let to_residual = spec.name.contains("o_proj") || spec.name.contains("down_proj");
        if let Init::Normal { std } = spec.init {
            let expected = if to_residual { 0.3 / 4.0 } else { 0.3 };
            assert!((std - expected).abs() < 1e-12, "{}: {std}", spec.name);
        }
    }
}

#[test]
fn dropout_depends_on_seed_step_and_place_and_keeps_the_mean() {
    let x = Tensor::ones((100, 100), DType::F32, &Device::Cpu).unwrap();
    let dropout = Dropout { rate: 0.25, seed: 1, step: 3, micro_step: 0 };
    let values = |dropout: Dropout, layer| -> Vec<f32> {
        dropout.forward(&x, layer, "ffn").unwrap().flatten_all().unwrap().to_vec1().unwrap()
    };
    let dropped = values(dropout, 0);
    assert_eq!(dropped, values(dropout, 0));
    assert_ne!(dropped, values(dropout, 1));
    assert_ne!(dropped, values(Dropout { step: 4, ..dropout }, 0));
    assert_ne!(dropped, values(Dropout { micro_step: 1, ..dropout }, 0));
    let zeros = dropped.iter().filter(|value| **value == 0.0).count() as f64 / 1e4;
    // Five standard errors of a share of 10,000.
    assert!((zeros - 0.25).abs() < 5.0 * (0.25f64 * 0.75 / 1e4).sqrt(), "{zeros}");
    assert!(dropped.iter().all(|value| *value == 0.0 || (*value - 1.0 / 0.75).abs() < 1e-6));
}

/// The published GPT-2 small, counted by transformers.
#[test]
fn parameter_counts_match_gpt2() {
    let config = ModelConfig {
        layers: 12,
        heads: 12,
        kv_heads: 12,
        dim: 768,
        ffn_dim: 3072,
        context: 1024,
        vocab_size: 50_257,
        ..config(Backbone::Gpt2, "gelu_tanh")
    };
    let size = ModelSize::new(&config);
    assert_eq!(size.total, 124_439_808); // GPT2LMHeadModel("gpt2").num_parameters()
    assert_eq!(size.ffn, 12 * (8 * 768 * 768 + 5 * 768));
}

/// What the kernels are given: sequences of `tokens` tokens, ids and targets.
fn sequences(count: usize, tokens: usize) -> (Vec<u32>, Vec<u32>) {
    let id = |i: usize| (i * i * 7 + i * 3 + i / 5) as u32 % 11;
    ((0..count * tokens).map(id).collect(), (1..=count * tokens).map(id).collect())
}

/// Losses and all gradients of the kernels in f32 against the reference in f64.
fn assert_kernels_agree(config: &ModelConfig, count: usize, tokens: usize, dropout: Option<Dropout>) {
    let case = format!("{:?} {} {count} x {tokens}", config.backbone, config.act);
    let (plain, fast) =
        (model_with(config, DType::F64, Ops::Plain), model_with(config, DType::F32, Ops::Fused));
    let (ids, targets) = sequences(count, tokens);
    let tensor = |ids: &[u32]| Tensor::from_slice(ids, (count, tokens), &Device::Cpu).unwrap();
    let mut pass = Pass { dropout, ..learning() };
    let losses = plain.gpt.token_losses(&tensor(&ids), &tensor(&targets), &mut pass).unwrap();
    if dropout.is_none() {
        let got = fast.losses(&ids, &targets, tokens).unwrap();
        for (got, want) in got.iter().zip(losses.to_vec1::<f64>().unwrap()) {
            assert!((f64::from(*got) - want).abs() < 1e-5 * want.max(1.0), "{case}: loss {got}, {want}");
        }
    }
    let loss = losses.mean_all().unwrap();
    let exact = loss.backward().unwrap();
    let mut gradients = fast.gradients();
    let got = gradients.add(&ids, &targets, tokens, dropout).unwrap();
    // Gradients are added to what is there.
    assert_eq!(gradients.add(&ids, &targets, tokens, dropout).unwrap(), got);
    let Gradients::Fused { sums, .. } = gradients else { panic!("{case}: not by kernels") };
    let want = loss.to_scalar::<f64>().unwrap();
    assert!((got - want).abs() < 2e-6 * want.max(1.0), "{case}: mean loss {got}, {want}");
    for (i, spec) in plain.params.specs().iter().enumerate() {
        let want = match exact.get(&plain.params.vars[i]) {
            Some(gradient) => gradient.flatten_all().unwrap().to_vec1::<f64>().unwrap(),
            None => vec![0.0; spec.elements()],
        };
        let scale = want.iter().fold(5e-2f64, |largest, g| largest.max(g.abs()));
        for (sum, want) in sums[i].iter().zip(&want) {
            let got = f64::from(*sum) / 2.0;
            assert!((got - want).abs() < 1e-5 * scale, "{case} {}: {got}, {want}", spec.name);
        }
    }
}

#[test]
fn kernels_match_the_candle_model_with_every_activation() {
    for backbone in BACKBONES {
        for act in Activation::named() {
            let config = ModelConfig { ffn_dim: 23, ..config(backbone, act.name()) };
            assert_kernels_agree(&config, 2, 6, None);
        }
    }
}

/// One row; odd sizes; several tiles of rows and of queries; more tokens than go through together.
#[test]
fn kernels_match_the_candle_model_at_every_size() {
    for backbone in BACKBONES {
        for (act, tied) in [("gelu", true), ("swiglu", false)] {
            let small = ModelConfig { tied, ..config(backbone, act) };
            for (count, tokens) in [(1, 1), (1, 2), (3, 7), (41, 5), (300, 8)] {
                assert_kernels_agree(&small, count, tokens, None);
            }
            let long = ModelConfig { context: 150, layers: 1, ..small.clone() };
            assert_kernels_agree(&long, 2, 150, None);
            let odd = ModelConfig {
                dim: 12,
                heads: 2,
                kv_heads: if tied { 2 } else { small.kv_heads / 2 },
                ..small
            };
            let odd = ModelConfig { kv_heads: if backbone == Backbone::Gpt2 { 2 } else { 1 }, ..odd };
            assert_kernels_agree(&odd, 3, 5, None);
        }
    }
}

#[test]
fn kernels_and_the_candle_model_use_the_same_dropout() {
    let dropout = Some(Dropout { rate: 0.3, seed: 1, step: 2, micro_step: 1 });
    for backbone in BACKBONES {
        assert_kernels_agree(&config(backbone, "swiglu"), 2, 6, dropout);
        assert_kernels_agree(&config(backbone, "gelu"), 300, 8, dropout);
    }
}

#[test]
fn kernels_give_identical_bits_with_any_number_of_threads() {
    let config = ModelConfig { dim: 64, ffn_dim: 176, context: 96, ..config(Backbone::Llama, "swiglu") };
    let model = model_with(&config, DType::F32, Ops::Fused);
    let (ids, targets) = sequences(7, 96);
    let gradients = |threads: usize| {
        let mut gradients = model.gradients();
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| gradients.add(&ids, &targets, 96, None)).unwrap();
        let Gradients::Fused { sums, .. } = gradients else { panic!("not by kernels") };
        sums
    };
    let one = gradients(1);
    assert!(one.iter().flatten().any(|gradient| *gradient != 0.0));
    for threads in [2, 3, 5] {
        assert!(gradients(threads) == one, "{threads} threads");
    }
}

#[test]
fn kernels_reject_tokens_outside_the_vocabulary() {
    let model = model_with(&config(Backbone::Llama, "relu"), DType::F32, Ops::Fused);
    let error = model.losses(&[1, 11], &[1, 1], 2).unwrap_err().to_string();
    assert!(error.contains("token 11 is not below the vocabulary of 11"), "{error}");
}

/// A prompt at once and then token by token, from no prompt at all to a full context: the logits after
/// each token against the reference in f64.
#[test]
fn decoding_with_kernels_matches_the_candle_model() {
    let ids = [3, 1, 4, 1, 5, 9, 2, 6];
    for backbone in BACKBONES {
        for (act, tied) in [("gelu", true), ("swiglu", false)] {
            let config = ModelConfig { tied, ffn_dim: 23, ..config(backbone, act) };
            let plain = model_with(&config, DType::F64, Ops::Plain);
            let fused = model_with(&config, DType::F32, Ops::Fused);
            let all = Tensor::new(&ids, &Device::Cpu).unwrap().unsqueeze(0).unwrap();
            let want: Vec<Vec<f64>> =
                plain.gpt.forward(&all, &mut Pass::default()).unwrap().to_vec2().unwrap();
            for prompt in [1, 5, 8] {
                let mut decoder = fused.decoder();
                let mut assert_next = |ids: &[u32]| {
                    let got = decoder.read(ids).unwrap();
                    for (got, want) in got.iter().zip(&want[decoder.len() - 1]) {
                        let case =
                            format!("{backbone:?} {act}, {} tokens of which {prompt} at once", decoder.len());
                        assert!((f64::from(*got) - want).abs() < 1e-5, "{case}: {got}, {want}");
                    }
                };
                assert_next(&ids[..prompt]);
                for id in &ids[prompt..] {
                    assert_next(&[*id]);
                }
                let error = decoder.read(&[1]).unwrap_err().to_string();
                assert!(error.contains("9 tokens exceed the context of 8"), "{error}");
            }
        }
    }
}
