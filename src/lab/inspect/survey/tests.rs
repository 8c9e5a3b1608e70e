//! Properties planted in models, which the inspection must find.

use super::*;
use crate::data::Part;
use crate::model::{ParamSpec, Params};
use crate::settings::{Ops, TokenizerKind};

const BACKBONES: [Backbone; 2] = [Backbone::Llama, Backbone::Gpt2];

/// Lines of letters, in which `q` is always followed by `u`.
fn text() -> String {
    let words = ["quiet", "queen", "liquid", "stone", "river", "square", "a", "the"];
    (0..400).map(|i| format!("{} {}\n", words[i * 7 % 8], words[(i * 3 + i / 8) % 8])).collect()
}

fn tokenizer() -> Tokenizer {
    Tokenizer::train(&TokenizerKind::Char, &Part::written(text())).unwrap()
}

fn config(backbone: Backbone, act: &str, tokenizer: &Tokenizer) -> ModelConfig {
    ModelConfig {
        backbone,
        act: act.parse().unwrap(),
        layers: 2,
        heads: 2,
        kv_heads: 2,
        dim: 16,
        ffn_dim: 32,
        context: 24,
        vocab_size: tokenizer.vocab_size(),
        tied: false,
        init_std: 0.3,
        norm_eps: 1e-5,
        rope_theta: 10_000.0,
    }
}

/// A model with initial values that `change` can rewrite, row by row as stored.
fn model(config: &ModelConfig, change: impl Fn(&ParamSpec, &mut Vec<f32>)) -> Model {
    let params = Params::fill(config, |spec| {
        let mut values = spec.initial_values(3);
        change(spec, &mut values);
        Tensor::from_vec(values, spec.shape.as_slice(), &Device::Cpu)
    });
    Model::new(config.clone(), params.unwrap(), Ops::Plain).unwrap()
}

fn survey(model: &Model, tokenizer: &Tokenizer, most: usize) -> Inspection {
    inspect(model, tokenizer, &tokenizer.encode(&text()).unwrap(), (most, 4), &mut |_, _| Ok(())).unwrap()
}

#[test]
fn only_without_an_activation_is_the_ffn_a_linear_map() {
    let tokenizer = tokenizer();
    for backbone in BACKBONES {
        let r2 = |act: &str| -> Vec<f64> {
            let model = model(&config(backbone, act, &tokenizer), |_, _| {});
            let found = survey(&model, &tokenizer, 3000);
            assert_eq!((found.layers[0].linear.fitted, found.layers[0].linear.scored), (2250, 750));
            found.layers.iter().map(|layer| layer.linear.r2.unwrap()).collect()
        };
        let (identity, relu, bilinear) = (r2("identity"), r2("relu"), r2("bilinear"));
        assert!(identity.iter().all(|r2| (r2 - 1.0).abs() < 1e-3), "{backbone:?}: {identity:?}");
        assert!(relu.iter().all(|r2| (0.2..0.95).contains(r2)), "{backbone:?}: {relu:?}");
        assert!(bilinear.iter().all(|r2| *r2 < 0.9), "{backbone:?}: {bilinear:?}");
    }
}

/// With the llama backbone, a unit with weights of 0 has relu(0) = 0 everywhere. With gpt2's, a bias of -1 keeps it
/// below 0, and a bias of 100 keeps all others above.
#[test]
fn planted_dead_units_are_counted_exactly() {
    let tokenizer = tokenizer();
    let planted = [3, 7, 31];
    let gpt2 = model(&config(Backbone::Gpt2, "relu", &tokenizer), |spec, values| {
        if spec.name == "transformer.h.1.mlp.c_fc.weight" {
            (0..values.len()).filter(|at| planted.contains(&(at % 32))).for_each(|at| values[at] = 0.0);
        } else if spec.name.ends_with("mlp.c_fc.bias") {
            let dead = |unit: usize| spec.name.contains("h.1.") && planted.contains(&unit);
            (0..32).for_each(|unit| values[unit] = if dead(unit) { -1.0 } else { 100.0 });
        }
    });
    let found = survey(&gpt2, &tokenizer, 1000);
    assert_eq!([found.layers[0].hidden.dead, found.layers[1].hidden.dead], [0, 3]);
    assert_eq!(found.layers[1].memories.fired, 29);
    assert!((found.layers[1].hidden.zeros - 3.0 / 32.0).abs() < 1e-12);
    assert!((found.layers[1].hidden.saturated_negative - 3.0 / 32.0).abs() < 1e-12);

    let with_dead = |planted: &[usize]| {
        let config = config(Backbone::Llama, "relu", &tokenizer);
        let llama = model(&config, |spec, values| {
            if spec.name == "model.layers.0.mlp.up_proj.weight" {
                planted.iter().for_each(|unit| values[unit * 16..][..16].fill(0.0));
            }
        });
        survey(&llama, &tokenizer, 1000).layers[0].hidden.clone()
    };
    let alive = with_dead(&[]).dead;
    assert_eq!(with_dead(&planted).dead, alive + 3);
}

/// The key of unit 5 is the embedding of `q`, and its value is the unembedding of `u`.
#[test]
fn a_planted_memory_is_found_first_with_its_trigger_and_its_token() {
    let tokenizer = tokenizer();
    let id = |text: &str| tokenizer.encode(text).unwrap()[0] as usize;
    let base = ModelConfig { layers: 1, ..config(Backbone::Llama, "relu", &tokenizer) };
    let row = |name: &str, token: usize| -> Vec<f32> {
        let plain = model(&base, |_, _| {});
        plain.params.get(name).unwrap().get(token).unwrap().to_vec1().unwrap()
    };
    let (key, value) = (row("model.embed_tokens.weight", id("q")), row("lm_head.weight", id("u")));
    for (sign, act) in [(1.0, "relu"), (-1.0, "identity"), (-1.0, "bilinear")] {
        let base = ModelConfig { act: act.parse().unwrap(), ..base.clone() };
        // If alone, the keys of all other units are 0.
        let wired = |alone: bool| {
            model(&base, |spec, values| match spec.name.as_str() {
                // The residual stream is the embedding.
                "model.layers.0.self_attn.o_proj.weight" => values.fill(0.0),
                "model.layers.0.mlp.gate_proj.weight" => {
                    (0..16).for_each(|i| values[5 * 16 + i] = 5.0 * key[i]);
                }
                "model.layers.0.mlp.up_proj.weight" => {
                    values.iter_mut().for_each(|value| *value *= if alone { 0.0 } else { 1.0 });
                    (0..16).for_each(|i| values[5 * 16 + i] = sign * 5.0 * key[i]);
                }
                "model.layers.0.mlp.down_proj.weight" => {
                    (0..16).for_each(|i| values[i * 32 + 5] = sign * 3.0 * value[i]);
                }
                _ => {}
            })
        };
        let found = survey(&wired(false), &tokenizer, 2000).layers[0].memories.clone();
        let first = &found.units[0];
        assert_eq!(first.unit, 5, "{act}: {found:?}");
        assert_eq!(first.triggers.len(), 3);
        for trigger in &first.triggers {
            assert!(trigger.context.ends_with('q') && trigger.next == "u", "{act}: {trigger:?}");
            assert!(trigger.coefficient * f64::from(sign) > 0.0, "{act}: {trigger:?}");
            assert!((1..=12).contains(&trigger.context.chars().count()), "{trigger:?}");
            assert!(text().contains(&format!("{}u", trigger.context)), "{trigger:?}");
        }
        // The token is promoted by coefficients with the trigger's sign.
        let negative = first.promoted_when_negative.as_ref();
        assert_eq!(negative.is_some(), act != "relu");
        let promoted = if sign > 0.0 { &first.promoted } else { negative.unwrap() };
        assert_eq!(promoted[0].token, "u", "{act}: {first:?}");
        assert!(promoted.len() == 5 && promoted[0].logit > promoted[1].logit);
        let alone = survey(&wired(true), &tokenizer, 2000).layers[0].memories.clone();
        assert_eq!((alone.fired, alone.units.len(), alone.agreement), (1, 1, 1.0), "{act}: {alone:?}");
    }
}

#[test]
fn the_ffns_output_is_compared_with_the_residual_stream() {
    let tokenizer = tokenizer();
    let scaled = |factor: f32| {
        let config = ModelConfig { layers: 1, ..config(Backbone::Llama, "silu", &tokenizer) };
        let model = model(&config, |spec, values| {
            if spec.is_ffn_output() {
                values.iter_mut().for_each(|value| *value *= factor);
            }
        });
        survey(&model, &tokenizer, 500).layers[0].output
    };
    let (one, three) = (scaled(1.0), scaled(3.0));
    assert!((three.rms / one.rms - 3.0).abs() < 1e-4, "{one:?} {three:?}");
    assert_eq!(one.residual_rms, three.residual_rms);
    assert!((one.relative - one.rms / one.residual_rms).abs() < 1e-12);
}

/// Passes of 42 windows of 24 tokens, and a last window by itself.
#[test]
fn a_survey_reads_every_token_once_in_order() {
    let tokenizer = tokenizer();
    let config = config(Backbone::Llama, "gelu", &tokenizer);
    for (tokens, expected) in
        [(5, vec![(5, 5)]), (24, vec![(24, 24)]), (2040, vec![(1008, 24), (1008, 24), (24, 24)])]
    {
        let ids: Vec<u32> = (0..tokens).collect();
        let passes = passes(&ids, &config);
        assert_eq!(passes.iter().flat_map(|(ids, _)| ids.to_vec()).collect::<Vec<u32>>(), ids);
        assert_eq!(passes.iter().map(|(ids, length)| (ids.len(), *length)).collect::<Vec<_>>(), expected);
    }
    let model = model(&config, |_, _| {});
    let found = survey(&model, &tokenizer, 1033);
    let counts = &found.layers[1].hidden.histogram;
    assert_eq!(found.tokens, 1033);
    assert_eq!(counts.counts.iter().sum::<u64>() + counts.below + counts.above, 1033 * 32);
}

#[test]
fn a_text_of_one_token_and_a_diverged_model_are_errors() {
    let tokenizer = tokenizer();
    let config = config(Backbone::Llama, "gelu", &tokenizer);
    let error =
        inspect(&model(&config, |_, _| {}), &tokenizer, &[1], (100, 1), &mut |_, _| Ok(())).unwrap_err();
    assert_eq!(crate::support::failure::exit_code(&error), 2);
    let diverged = model(&config, |spec, values| {
        if spec.is_ffn_output() {
            values[0] = f32::NAN;
        }
    });
    let error = inspect(&diverged, &tokenizer, &[1, 2, 3], (100, 1), &mut |_, _| Ok(())).unwrap_err();
    assert_eq!(crate::support::failure::exit_code(&error), 3);
}

/// Central differences of the mean loss in f64, entry by entry.
#[test]
fn gradient_norms_agree_with_finite_differences() {
    let tokenizer = tokenizer();
    let tokens = tokenizer.encode(&text()).unwrap();
    // Windows of 24, 24 and 12.
    let tokens = &tokens[..61];
    let shapes = |t: &[u32]| Tensor::new(t, &Device::Cpu).unwrap().unsqueeze(0).unwrap();
    for (backbone, act, name) in [
        (Backbone::Llama, "swiglu", "model.layers.1.mlp.gate_proj.weight"),
        (Backbone::Gpt2, "gelu", "transformer.h.1.mlp.c_fc.weight"),
    ] {
        let config = ModelConfig { dim: 8, ffn_dim: 8, ..config(backbone, act, &tokenizer) };
        // The loss of the model with `nudge` added to one entry of that matrix.
        let loss = |entry: usize, nudge: f64| -> f64 {
            let params = Params::fill(&config, |spec| {
                let mut values: Vec<f64> = spec.initial_values(3).into_iter().map(f64::from).collect();
                if spec.name == name {
                    values[entry] += nudge;
                }
                Tensor::from_vec(values, spec.shape.as_slice(), &Device::Cpu)
            });
            let model = Model::new(config.clone(), params.unwrap(), Ops::Plain).unwrap();
            let windows = tokens[..60].chunks(24).zip(tokens[1..].chunks(24));
            let sum = windows.map(|(ids, targets)| {
                let losses = model.gpt.token_losses(&shapes(ids), &shapes(targets), &mut Pass::default());
                losses.unwrap().sum_all().unwrap().to_scalar::<f64>().unwrap()
            });
            sum.sum::<f64>() / 60.0
        };
        let slope = |entry: usize| (loss(entry, 1e-5) - loss(entry, -1e-5)) / 2e-5;
        let norm = (0..8 * 8).map(|entry| slope(entry).powi(2)).sum::<f64>().sqrt();
        let model = model(&config, |_, _| {});
        let mut windows = Vec::new();
        let mut step = |tokens| {
            windows.push(tokens);
            Ok(())
        };
        let found = gradient_norms(&model, tokens, &mut step).unwrap();
        assert_eq!((found.len(), windows), (2, vec![24, 24, 12]));
        assert!((found[1] / norm - 1.0).abs() < 1e-4, "{found:?}, by differences {norm}");
    }
}
