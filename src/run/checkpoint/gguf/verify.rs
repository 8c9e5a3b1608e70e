//! A file is read back and compared with what it was made of.

use super::gguf_name;
use super::read::{config, metadata, parameter};
use super::tokenizer;
use crate::bail_input;
use crate::data::Tokenizer;
use crate::model::Model;
use crate::settings::{Backbone, ModelConfig};
use anyhow::Result;
use candle_core::quantized::GgmlDType;
use candle_core::quantized::gguf_file::{Content, Value};
use std::fs::File;
use std::io::{BufReader, Seek};

/// Compares a file with the keys, the model and the tokenizer that were written to it.
///
/// # Errors
/// Says what comes back otherwise.
pub fn verify(file: &mut File, keys: &[(&str, &Value)], model: &Model, tokenizer: &Tokenizer) -> Result<()> {
    let mut file = BufReader::new(file);
    file.rewind()?;
    let content = Content::read(&mut file)?;
    for (key, value) in keys {
        // candle compares no values; what it shows of two is equal if they are.
        if content.metadata.get(*key).map(|back| format!("{back:?}")) != Some(format!("{value:?}")) {
            bail_input!("the file's {key} reads back differently, so nothing was exported");
        }
    }
    verify_config(&model.config, &config(&content)?)?;
    for (spec, var) in model.params.iter() {
        let format = content.tensor_infos[&gguf_name(spec)].ggml_dtype;
        let back = parameter(&content, &mut file, &model.config, spec)?.flatten_all()?.to_vec1::<f32>()?;
        let values = var.flatten_all()?.to_vec1::<f32>()?;
        let largest = values.iter().fold(0.0f32, |largest, value| largest.max(value.abs()));
        let near = |(back, value): (&f32, &f32)| (back - value).abs() <= rounding(format, *value, largest);
        if let Some(at) = back.iter().zip(&values).position(|pair| !near(pair)) {
            bail_input!(
                "the tensor {} holds {}, which reads back from {format:?} as {}: use --quantize f32",
                spec.name,
                values[at],
                back[at]
            );
        }
    }
    verify_tokenizer(tokenizer, &tokenizer::read(&metadata(&content)?)?, model.config.vocab_size)
}

/// How far a value may be from the one that was written, in a tensor whose largest element has this size.
fn rounding(format: GgmlDType, value: f32, largest: f32) -> f32 {
    /// Half a step between f16 numbers, relative, and the least of these halves.
    const HALF: f32 = 1.0 / 2048.0;
    const LEAST: f32 = 1.0 / (1 << 25) as f32;
    match format {
        GgmlDType::F32 => 0.0,
        GgmlDType::F16 => (value.abs() * HALF).max(LEAST),
        // Half a step, and 127 times the rounding of the step itself, which is stored in f16.
        _ => {
            let step = largest / 127.0;
            0.51 * step + 127.0 * (step * HALF).max(LEAST)
        }
    }
}

fn verify_config(config: &ModelConfig, back: &ModelConfig) -> Result<()> {
    let single = |value: f64| f64::from(value as f32);
    let written = ModelConfig {
        // The file doesn't say how weights began, and GPT-2 doesn't rotate.
        init_std: back.init_std,
        rope_theta: match config.backbone {
            Backbone::Llama => single(config.rope_theta),
            Backbone::Gpt2 => back.rope_theta,
        },
        norm_eps: single(config.norm_eps),
        ..config.clone()
    };
    if written != *back {
        bail_input!(
            "the model's shape reads back differently, so nothing was exported: {back:?}, not {written:?}"
        );
    }
    Ok(())
}

/// Compares every token, and the ids of a text of all tokens, which depend on the merges.
fn verify_tokenizer(tokenizer: &Tokenizer, back: &Tokenizer, vocab_size: usize) -> Result<()> {
    let mut text = String::new();
    for id in 0..vocab_size as u32 {
        let (token, found) = (tokenizer.token(id)?, back.token(id)?);
        if token != found {
            bail_input!(
                "token {id} of the tokenizer is {token:?}, but llama.cpp's tokenizer would read {found:?}: this tokenizer can't be exported"
            );
        }
        text += &token;
    }
    if tokenizer.encode_prompt(&text)? != back.encode_prompt(&text)? {
        bail_input!(
            "llama.cpp's tokenizer would encode text to other tokens than this model's: this tokenizer can't be exported"
        );
    }
    let stops = back.stops();
    if let Some(id) = tokenizer.stops().into_iter().find(|id| !stops.contains(id)) {
        bail_input!(
            "token {id} ends generation, but a GGUF file has room for three such tokens only: take it from eos_token_id in generation_config.json or config.json"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::{Quantization, export_gguf};
    use super::*;
    use crate::data::Part;
    use crate::model::Params;
    use crate::settings::{Ops, TokenizerKind};
    use candle_core::Device;

    fn model(seed: u64, norm_eps: f64) -> Model {
        let config = ModelConfig {
            backbone: Backbone::Llama,
            act: "swiglu".parse().unwrap(),
            layers: 1,
            heads: 2,
            kv_heads: 1,
            dim: 32,
            ffn_dim: 64,
            context: 8,
            vocab_size: 270,
            tied: true,
            init_std: 0.3,
            norm_eps,
            rope_theta: 10_000.0,
        };
        let params = Params::init(&config, seed, &Device::Cpu).unwrap();
        Model::new(config, params, Ops::Plain).unwrap()
    }

    fn tokenizer(text: &str) -> Tokenizer {
        Tokenizer::train(&TokenizerKind::Char, &Part::written(text.to_string())).unwrap()
    }

    #[test]
    fn export_verification_detects_a_different_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.gguf");
        let (cat, dog) = (tokenizer("the cat"), tokenizer("the dog"));
        for quantization in [Quantization::F32, Quantization::F16, Quantization::Q8_0] {
            export_gguf(&path, "example", &model(1, 1e-5), &cat, quantization).unwrap();
            let with = |keys: &[(&str, &Value)], model: &Model, tokenizer: &Tokenizer| {
                let error = verify(&mut File::open(&path).unwrap(), keys, model, tokenizer).err();
                error.map_or(String::new(), |error| error.to_string())
            };
            assert_eq!(with(&[], &model(1, 1e-5), &cat), "");
            for (error, expected) in [
                (with(&[], &model(2, 1e-5), &cat), "the tensor model.embed_tokens.weight holds"),
                (with(&[], &model(1, 1e-6), &cat), "the model's shape reads back differently"),
                (with(&[], &model(1, 1e-5), &dog), "token 258 of the tokenizer is \"d\""),
                (with(&[("general.name", &Value::U32(1))], &model(1, 1e-5), &cat), "general.name reads back"),
            ] {
                assert!(error.contains(expected), "{quantization:?}: {error:?}, not {expected:?}");
            }
        }
    }
}
