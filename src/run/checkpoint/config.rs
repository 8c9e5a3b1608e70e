//! `config.json`, in transformers' keys.

use crate::activation::Activation;
use crate::bail_input;
use crate::settings::{Backbone, ModelConfig};
use anyhow::{Context, Result};
use serde_json::{Value, json};

/// The transformers class that computes this model, or why there is none.
pub fn loads_in(backbone: Backbone, act: Activation) -> Result<&'static str, &'static str> {
    if act.transformers().is_none() {
        return Err("transformers does not know this function");
    }
    match (backbone, act.is_gated()) {
        (Backbone::Llama, true) => Ok("LlamaForCausalLM"),
        (Backbone::Llama, false) => Ok("ArceeForCausalLM"),
        (Backbone::Gpt2, false) => Ok("GPT2LMHeadModel"),
        (Backbone::Gpt2, true) => Err("transformers has no gated GPT-2"),
    }
}

/// The `config.json` of a model: `bos` is the id of the token that begins a text, `eos` are those that end
/// generation.
pub fn config_json(config: &ModelConfig, bos: Option<u32>, eos: &[u32]) -> Value {
    let class = loads_in(config.backbone, config.act);
    let act = match class {
        Ok(_) => config.act.transformers().unwrap_or_default().to_string(),
        Err(_) => config.act.name().to_string(),
    };
    let mut json = match config.backbone {
        Backbone::Llama => json!({
            "model_type": if config.act.is_gated() { "llama" } else { "arcee" },
            "hidden_act": act,
            "hidden_size": config.dim,
            "intermediate_size": config.ffn_dim,
            "num_hidden_layers": config.layers,
            "num_attention_heads": config.heads,
            "num_key_value_heads": config.kv_heads,
            "head_dim": config.head_dim(),
            "max_position_embeddings": config.context,
            "rms_norm_eps": config.norm_eps,
            "rope_theta": config.rope_theta,
            "rope_parameters": {"rope_type": "default", "rope_theta": config.rope_theta},
            "attention_bias": false,
            "mlp_bias": false,
        }),
        Backbone::Gpt2 => json!({
            "model_type": "gpt2",
            "activation_function": act,
            "n_embd": config.dim,
            "n_inner": config.ffn_dim,
            "n_layer": config.layers,
            "n_head": config.heads,
            "n_positions": config.context,
            "layer_norm_epsilon": config.norm_eps,
            "embd_pdrop": 0.0,
            "attn_pdrop": 0.0,
            "resid_pdrop": 0.0,
        }),
    };
    json["architectures"] = json!([class.unwrap_or("TinyGptForCausalLM")]);
    if class.is_err() {
        json["model_type"] = json!("tinygpt");
        json["backbone"] = json!(config.backbone);
    }
    json["vocab_size"] = json!(config.vocab_size);
    json["tie_word_embeddings"] = json!(config.tied);
    json["initializer_range"] = json!(config.init_std);
    json["bos_token_id"] = json!(bos);
    json["eos_token_id"] = match eos {
        [] => Value::Null,
        [id] => json!(id),
        ids => json!(ids),
    };
    json["dtype"] = json!("float32");
    json
}

/// Reads a `config.json` of a `LlamaForCausalLM`, `ArceeForCausalLM`, `GPT2LMHeadModel` or of ours.
///
/// # Errors
/// If a key is missing or asks for arithmetic that this program does not do.
pub fn parse_config(json: &Value) -> Result<ModelConfig> {
    let text = |key: &str| json[key].as_str().with_context(|| format!("'{key}' is missing"));
    let size = |key: &str| {
        json[key].as_u64().map(|n| n as usize).with_context(|| format!("'{key}' is missing or no number"))
    };
    let number = |key: &str, default: f64| match &json[key] {
        Value::Null => Ok(default),
        value => value.as_f64().with_context(|| format!("'{key}' is no number")),
    };
    // What transformers takes where config.json is silent: activation and epsilon of the norm.
    let (backbone, gated, usual_act, usual_eps) = match text("model_type")? {
        "llama" => (Backbone::Llama, Some(true), Some("silu"), 1e-6),
        "arcee" => (Backbone::Llama, Some(false), Some("relu2"), 1e-5),
        "gpt2" => (Backbone::Gpt2, Some(false), Some("gelu_new"), 1e-5),
        "tinygpt" => match text("backbone")? {
            "llama" => (Backbone::Llama, None, None, 1e-5),
            "gpt2" => (Backbone::Gpt2, None, None, 1e-5),
            other => bail_input!("'backbone' is {other}; known: llama, gpt2"),
        },
        other => bail_input!("'model_type' is {other}; known: llama, arcee, gpt2, tinygpt"),
    };
    refuse_other_arithmetic(json)?;
    let act_key = match backbone {
        Backbone::Llama => "hidden_act",
        Backbone::Gpt2 => "activation_function",
    };
    let act: Activation = match usual_act.filter(|_| json[act_key].is_null()) {
        Some(usual) => usual.parse()?,
        None => text(act_key)?.parse()?,
    };
    let act = match gated {
        Some(true) if !act.is_gated() => act.gated().unwrap_or(act),
        _ => act,
    };
    if gated.is_some_and(|gated| gated != act.is_gated()) {
        let has = if act.is_gated() { "has no gate, and this function needs one" } else { "has a gate" };
        bail_input!("'{act_key}' is {act}, but '{}' {has}", text("model_type")?);
    }
    let tied = json["tie_word_embeddings"].as_bool();
    let config = match backbone {
        Backbone::Llama => {
            let heads = size("num_attention_heads")?;
            let dim = size("hidden_size")?;
            if !json["head_dim"].is_null() && heads.checked_mul(size("head_dim")?) != Some(dim) {
                bail_input!(
                    "'head_dim' times 'num_attention_heads' is not 'hidden_size'; that is not supported"
                );
            }
            ModelConfig {
                backbone,
                act,
                layers: size("num_hidden_layers")?,
                heads,
                kv_heads: if json["num_key_value_heads"].is_null() {
                    heads
                } else {
                    size("num_key_value_heads")?
                },
                dim,
                ffn_dim: size("intermediate_size")?,
                context: size("max_position_embeddings")?,
                vocab_size: size("vocab_size")?,
                tied: tied.unwrap_or(false),
                init_std: number("initializer_range", 0.02)?,
                norm_eps: number("rms_norm_eps", usual_eps)?,
                rope_theta: rope_theta(json)?,
            }
        }
        Backbone::Gpt2 => {
            let (heads, dim) = (size("n_head")?, size("n_embd")?);
            ModelConfig {
                backbone,
                act,
                layers: size("n_layer")?,
                heads,
                kv_heads: heads,
                dim,
                ffn_dim: if json["n_inner"].is_null() { dim.saturating_mul(4) } else { size("n_inner")? },
                context: size("n_positions")?,
                vocab_size: size("vocab_size")?,
                tied: tied.unwrap_or(true),
                init_std: number("initializer_range", 0.02)?,
                norm_eps: number("layer_norm_epsilon", usual_eps)?,
                rope_theta: 10_000.0,
            }
        }
    };
    config.validated()
}

/// Values that change the arithmetic are refused, never ignored.
fn refuse_other_arithmetic(json: &Value) -> Result<()> {
    for key in [
        "attention_bias",
        "mlp_bias",
        "scale_attn_by_inverse_layer_idx",
        "reorder_and_upcast_attn",
        "add_cross_attention",
    ] {
        if json[key].as_bool() == Some(true) {
            bail_input!("'{key}' is true; that is not supported");
        }
    }
    if json["scale_attn_weights"].as_bool() == Some(false) {
        bail_input!("'scale_attn_weights' is false; that is not supported");
    }
    for key in ["sliding_window", "quantization_config"] {
        if !json[key].is_null() {
            bail_input!("'{key}' is set; that is not supported");
        }
    }
    let kinds = json["layer_types"].as_array();
    if kinds.is_some_and(|kinds| kinds.iter().any(|kind| kind != "full_attention")) {
        bail_input!("'layer_types' has other layers than full_attention; that is not supported");
    }
    Ok(())
}

/// The base of the rotary frequencies, from the keys of transformers 5 (`rope_parameters`) or of those before
/// it (`rope_theta`, `rope_scaling`).
fn rope_theta(json: &Value) -> Result<f64> {
    let mut theta = &json["rope_theta"];
    for key in ["rope_scaling", "rope_parameters"] {
        let Some(parameters) = json[key].as_object() else {
            if !json[key].is_null() {
                bail_input!("'{key}' is {}; that is not supported", json[key]);
            }
            continue;
        };
        for (name, value) in parameters {
            match (name.as_str(), value) {
                ("rope_type" | "type", Value::String(kind)) if kind == "default" => {}
                ("rope_theta", value) => theta = value,
                ("partial_rotary_factor", value) if value.as_f64() == Some(1.0) => {}
                (_, Value::Null) => {}
                _ => {
                    bail_input!("'{key}' has {name} = {value}; only unscaled rotary positions are supported")
                }
            }
        }
    }
    if json["partial_rotary_factor"].as_f64().is_some_and(|factor| factor != 1.0) {
        bail_input!("'partial_rotary_factor' is not 1; that is not supported");
    }
    match theta {
        Value::Null => Ok(10_000.0),
        value => value.as_f64().with_context(|| format!("'rope_theta' is {value}, no number")),
    }
}
