//! The `post_processor` of a `tokenizer.json`: the tokens before a text.

use serde_json::{Value, json};

/// The `post_processor` that puts a token before a text, as transformers writes it.
pub fn begins_with(name: &str, id: usize) -> Value {
    let token = |text: usize| json!({"SpecialToken": {"id": name, "type_id": text}});
    let text = |name: &str, text: usize| json!({"Sequence": {"id": name, "type_id": text}});
    json!({
        "type": "TemplateProcessing",
        "single": [token(0), text("A", 0)],
        "pair": [token(0), text("A", 0), token(1), text("B", 1)],
        "special_tokens": {name: {"id": name, "ids": [id], "tokens": [name]}},
    })
}

/// The ids that a `post_processor` puts before a text. What it puts behind one isn't used: a prompt
/// that is over leaves nothing to write.
pub fn leading(post_processor: &Value) -> Vec<u32> {
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let ids = |value: &Value| -> Vec<u32> {
        list(value).iter().filter_map(Value::as_u64).filter_map(|id| u32::try_from(id).ok()).collect()
    };
    match post_processor["type"].as_str() {
        // A later processor wraps what an earlier one made.
        Some("Sequence") => list(&post_processor["processors"]).iter().rev().flat_map(leading).collect(),
        Some("TemplateProcessing") => {
            let of = |name: &Value| {
                ids(&post_processor["special_tokens"][name.as_str().unwrap_or_default()]["ids"])
            };
            let pieces = list(&post_processor["single"]);
            let special = pieces.iter().map_while(|piece| piece.get("SpecialToken"));
            special.flat_map(|token| of(&token["id"])).collect()
        }
        Some("BertProcessing" | "RobertaProcessing") => ids(&json!([post_processor["cls"][1]])),
        _ => Vec::new(),
    }
}
