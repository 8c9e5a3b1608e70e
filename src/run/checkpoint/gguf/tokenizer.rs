//! A `tokenizer.json` as the keys of a GGUF file, and back.
//!
//! llama.cpp has one tokenizer for byte-level BPE ("gpt2"), which splits text beforehand by a regular
//! expression that `tokenizer.ggml.pre` names, and one in the manner of SentencePiece ("llama"), which writes
//! spaces as U+2581, joins characters by the scores of the tokens they make, and falls back to bytes.

use super::metadata::{Metadata, whole};
use crate::bail_input;
use crate::data::{Tokenizer, begins_with};
use anyhow::Result;
use candle_core::quantized::gguf_file::Value;
use serde_json::{Map, Value as Json, json};
use std::collections::HashMap;

/// llama.cpp's kinds of tokens.
const NORMAL: i32 = 1;
const UNKNOWN: i32 = 2;
const CONTROL: i32 = 3;
const USER_DEFINED: i32 = 4;
const UNUSED: i32 = 5;
const BYTE: i32 = 6;

/// What SentencePiece writes for a space.
const SPACE: &str = "\u{2581}";

/// The way of splitting for which llama.cpp takes a word that is a token as that token, whatever its merges.
const WHOLE_WORDS: &str = "llama-bpe";

/// Llama 3's regular expression.
const LLAMA3: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";

/// The names of llama.cpp for the ways of splitting text, and the `pre_tokenizer` that does the same.
fn splits() -> [(&'static str, Json); 3] {
    let byte_level = |use_regex: bool| json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": use_regex});
    let sequence = |first: Json, second: Json| json!({"type": "Sequence", "pretokenizers": [first, second]});
    let by_llama3 =
        json!({"type": "Split", "pattern": {"Regex": LLAMA3}, "behavior": "Isolated", "invert": false});
    [
        ("gpt-2", byte_level(true)),
        ("smollm", sequence(json!({"type": "Digits", "individual_digits": true}), byte_level(true))),
        (WHOLE_WORDS, sequence(by_llama3, byte_level(false))),
    ]
}

/// Whether two pre-tokenizers split text alike: offsets do not matter here.
fn splits_alike(a: &Json, b: &Json) -> bool {
    let without_offsets = |json: &Json| {
        let mut json = json.clone();
        let parts = match json["pretokenizers"].as_array_mut() {
            Some(parts) => parts.iter_mut().collect(),
            None => vec![&mut json],
        };
        for part in parts.into_iter().filter_map(Json::as_object_mut) {
            part.remove("trim_offsets");
        }
        json
    };
    without_offsets(a) == without_offsets(b)
}

/// Keys of the tokens that end generation, besides that of the one that ends a text.
const MORE_STOPS: [&str; 2] = ["eot_token_id", "eom_token_id"];
/// Tokens that llama.cpp takes for the end by their names.
const KNOWN_STOPS: [&str; 9] = [
    "<|eot_id|>",
    "<|im_end|>",
    "<|end|>",
    "<end_of_turn>",
    "<|endoftext|>",
    "<|eom_id|>",
    "<EOT>",
    "_<EOT>",
    "<|end_of_text|>",
];

/// The keys of a tokenizer for a model of `vocab_size` tokens.
///
/// # Errors
/// If llama.cpp has none that makes the same tokens.
pub fn describe_tokenizer(tokenizer: &Tokenizer, vocab_size: usize) -> Result<Vec<(String, Value)>> {
    let json: Json = serde_json::from_str(&tokenizer.to_json()?)?;
    let bpe = &json["model"];
    let merges = bpe["merges"].as_array().map_or(&[][..], Vec::as_slice);
    let text = |text: &str| Value::String(text.to_string());
    let (model, pre) = if bpe["type"] != "BPE" || !json["normalizer"].is_null() {
        bail_input!("llama.cpp has no tokenizer that is known to do the same as this model's");
    } else if bpe["byte_fallback"] == true && merges.is_empty() && json["pre_tokenizer"].is_null() {
        ("llama", None)
    } else {
        let known = splits();
        let Some((name, _)) = known.iter().find(|(_, split)| splits_alike(&json["pre_tokenizer"], split))
        else {
            bail_input!(
                "the tokenizer splits text in another way than those that are known in llama.cpp ({})",
                known.map(|(name, _)| name).join(", ")
            );
        };
        if (bpe["ignore_merges"] == true) != (*name == WHOLE_WORDS) {
            bail_input!("the tokenizer's ignore_merges is not what llama.cpp takes for its pre-tokenizer");
        }
        ("gpt2", Some(*name))
    };

    // Rows of the embedding that no token has keep a name, as by llama.cpp's own converter.
    let mut tokens: Vec<(String, i32)> = (0..vocab_size).map(|id| (format!("[PAD{id}]"), UNUSED)).collect();
    let mut put = |id: Option<u64>, token: &str, kind: i32| {
        if let Some(slot) = id.and_then(|id| tokens.get_mut(id as usize)) {
            *slot = (token.to_string(), kind);
        }
    };
    let characters = model == "llama";
    for (token, id) in bpe["vocab"].as_object().into_iter().flatten() {
        match token.as_str() {
            SPACE if characters => bail_input!(
                "the vocabulary has the character {SPACE}, which llama.cpp's tokenizer takes for a space"
            ),
            " " if characters => put(id.as_u64(), SPACE, NORMAL),
            byte if characters && is_byte(byte) => put(id.as_u64(), byte, BYTE),
            token => put(id.as_u64(), token, NORMAL),
        }
    }
    for added in json["added_tokens"].as_array().into_iter().flatten() {
        let kind = if added["special"] == true { CONTROL } else { USER_DEFINED };
        put(added["id"].as_u64(), added["content"].as_str().unwrap_or_default(), kind);
    }

    refuse_what_llama_cpp_reads_otherwise(&tokens)?;

    let mut keys = vec![
        ("model", text(model)),
        ("scores", Value::Array(vec![Value::F32(0.0); tokens.len()])),
        ("token_type", Value::Array(tokens.iter().map(|(_, kind)| Value::I32(*kind)).collect())),
        ("tokens", Value::Array(tokens.into_iter().map(|(token, _)| Value::String(token)).collect())),
        ("add_bos_token", Value::Bool(!tokenizer.beginning().is_empty())),
        ("add_eos_token", Value::Bool(false)),
        ("add_space_prefix", Value::Bool(false)),
    ];
    if let Some(pre) = pre {
        let merge = |merge: &Json| match merge.as_array() {
            Some(pair) => pair.iter().filter_map(Json::as_str).collect::<Vec<_>>().join(" "),
            None => merge.as_str().unwrap_or_default().to_string(),
        };
        keys.push(("pre", text(pre)));
        keys.push(("merges", Value::Array(merges.iter().map(|pair| Value::String(merge(pair))).collect())));
    }
    let end = tokenizer.end_of_text().map(|(id, _)| id);
    let bos = match tokenizer.beginning() {
        [] => end,
        [id] => Some(*id),
        ids => bail_input!(
            "the tokenizer puts {} tokens before every text; llama.cpp's puts one there at most",
            ids.len()
        ),
    };
    let other_stops = tokenizer.stops().into_iter().filter(|id| Some(*id) != end);
    let ids = [("bos_token_id", bos), ("eos_token_id", end)].into_iter();
    let ids = ids.chain(MORE_STOPS.into_iter().zip(other_stops.map(Some)));
    keys.extend(ids.filter_map(|(key, id)| Some((key, Value::U32(id?)))));
    Ok(keys.into_iter().map(|(key, value)| (format!("tokenizer.ggml.{key}"), value)).collect())
}

/// llama.cpp reads a token up to its first NUL, and stops at two tokens of one name.
fn refuse_what_llama_cpp_reads_otherwise(tokens: &[(String, i32)]) -> Result<()> {
    let mut ids = HashMap::new();
    for (id, (token, _)) in tokens.iter().enumerate() {
        if token.contains('\0') {
            bail_input!(
                "token {id}, {token:?}, holds a NUL, which llama.cpp can't read in a token. Train on a text without NULs, or with --tokenizer bpe:N"
            );
        }
        if let Some(other) = ids.insert(token, id) {
            bail_input!("tokens {other} and {id} would both be called {token:?}, which llama.cpp refuses");
        }
    }
    Ok(())
}

/// Whether a token is called `<0x41>`.
fn is_byte(token: &str) -> bool {
    let digits = token.strip_prefix("<0x").and_then(|rest| rest.strip_suffix('>'));
    digits.is_some_and(|digits| digits.len() == 2 && digits.chars().all(|c| c.is_ascii_hexdigit()))
}

/// The tokenizer of a file's keys, with llama.cpp's defaults for what they don't say.
///
/// # Errors
/// If the file's tokenizer is of a kind that is not known here.
pub fn read(metadata: &Metadata) -> Result<Tokenizer> {
    let key = |key: &str| format!("tokenizer.ggml.{key}");
    let strings = |name: &str| -> Vec<&str> {
        let list = metadata.list(&key(name)).iter();
        list.map(|value| if let Value::String(text) = value { text.as_str() } else { "" }).collect()
    };
    let tokens = strings("tokens");
    if tokens.is_empty() {
        bail_input!("it holds no tokenizer");
    }
    let kinds: Vec<i32> = metadata
        .list(&key("token_type"))
        .iter()
        .map(|kind| whole(kind).and_then(|kind| i32::try_from(kind).ok()).unwrap_or(NORMAL))
        .chain(std::iter::repeat(NORMAL))
        .take(tokens.len())
        .collect();
    let token_of = |name: &str| -> Result<Option<&str>> {
        Ok(metadata.size(&key(name))?.and_then(|id| tokens.get(id)).copied())
    };
    // A row without a token has a name all the same.
    let is_token = |(id, token): &(usize, &&str)| kinds[*id] != UNUSED && !token.is_empty();
    let vocab: Map<String, Json> = tokens
        .iter()
        .enumerate()
        .filter(is_token)
        .map(|(id, token)| (token.to_string(), json!(id)))
        .collect();
    let special = |id: usize| matches!(kinds[id], UNKNOWN | CONTROL);
    let added: Vec<Json> = (0..tokens.len())
        .filter(|id| special(*id) || kinds[*id] == USER_DEFINED)
        .map(|id| {
            json!({
                "id": id, "content": tokens[id], "special": special(id), "normalized": false,
                "single_word": false, "lstrip": false, "rstrip": false,
            })
        })
        .collect();
    let mut model = json!({
        "type": "BPE", "dropout": null, "unk_token": null, "continuing_subword_prefix": null,
        "end_of_word_suffix": null, "fuse_unk": false, "byte_fallback": false, "ignore_merges": false,
    });
    let (normalizer, pre_tokenizer, decoder, usually_adds_bos);
    match metadata.text(&key("model")) {
        Some("gpt2") => {
            let pre = metadata.text(&key("pre")).unwrap_or("none");
            let known = splits();
            let Some((_, split)) = known.iter().find(|(name, _)| *name == pre) else {
                bail_input!(
                    "its tokenizer.ggml.pre is {pre}; known: {}",
                    known.map(|(name, _)| name).join(", ")
                );
            };
            model["merges"] = json!(strings("merges"));
            model["ignore_merges"] = json!(pre == WHOLE_WORDS);
            usually_adds_bos = pre == WHOLE_WORDS;
            normalizer = Json::Null;
            pre_tokenizer = split.clone();
            decoder = json!({"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true});
        }
        Some("llama") => {
            usually_adds_bos = true;
            let prefix = !matches!(metadata.get(&key("add_space_prefix")), Some(Value::Bool(false)));
            let space_as = json!({"type": "Replace", "pattern": {"String": " "}, "content": SPACE});
            let as_space = json!({"type": "Replace", "pattern": {"String": SPACE}, "content": " "});
            let mut steps = vec![as_space, json!({"type": "ByteFallback"}), json!({"type": "Fuse"})];
            normalizer = if prefix {
                steps.push(json!({"type": "Strip", "content": " ", "start": 1, "stop": 0}));
                json!({"type": "Sequence", "normalizers": [{"type": "Prepend", "prepend": SPACE}, space_as]})
            } else {
                space_as
            };
            pre_tokenizer = Json::Null;
            decoder = json!({"type": "Sequence", "decoders": steps});
            model["merges"] = json!(merges_by_score(&tokens, &kinds, metadata.list(&key("scores"))));
            model["byte_fallback"] = json!(true);
            model["fuse_unk"] = json!(true);
            model["unk_token"] = json!(token_of("unknown_token_id")?);
        }
        other => bail_input!("its tokenizer.ggml.model is {}; known: gpt2, llama", other.unwrap_or("none")),
    }
    model["vocab"] = Json::Object(vocab);
    let adds_bos = match metadata.get(&key("add_bos_token")) {
        Some(Value::Bool(adds)) => *adds,
        _ => usually_adds_bos,
    };
    let bos = metadata.size(&key("bos_token_id"))?.filter(|id| adds_bos && *id < tokens.len());
    let json = json!({
        "version": "1.0", "truncation": null, "padding": null, "added_tokens": added,
        "normalizer": normalizer, "pre_tokenizer": pre_tokenizer,
        "post_processor": bos.map(|id| begins_with(tokens[id], id)), "decoder": decoder, "model": model,
    });
    let mut tokenizer = Tokenizer::from_json(&json.to_string())?;
    if let Some(end) = token_of("eos_token_id")? {
        tokenizer = tokenizer.ending_with(end);
    }
    let id = |token: &str| tokens.iter().position(|known| *known == token).map(|id| id as u32);
    let mut stops: Vec<u32> = KNOWN_STOPS.into_iter().filter_map(id).collect();
    for name in ["eos_token_id"].into_iter().chain(MORE_STOPS) {
        stops.extend(metadata.size(&key(name))?.and_then(|id| u32::try_from(id).ok()));
    }
    stops.sort_unstable();
    stops.dedup();
    Ok(tokenizer.stopping_at(stops))
}

/// The merges that make the tokens with the highest scores first: SentencePiece joins whichever neighbours
/// make the token with the highest score.
fn merges_by_score(tokens: &[&str], kinds: &[i32], scores: &[Value]) -> Vec<[String; 2]> {
    let known: HashMap<&str, usize> = tokens
        .iter()
        .enumerate()
        .filter(|(id, _)| kinds[*id] == NORMAL)
        .map(|(id, token)| (*token, id))
        .collect();
    let score = |id: usize| if let Some(Value::F32(score)) = scores.get(id) { *score } else { 0.0 };
    let mut ids: Vec<usize> = known.values().copied().collect();
    ids.sort_by(|a, b| score(*b).total_cmp(&score(*a)).then(a.cmp(b)));
    let mut merges = Vec::new();
    for token in ids.into_iter().map(|id| tokens[id]) {
        for (at, _) in token.char_indices().skip(1) {
            let (left, right) = token.split_at(at);
            if known.contains_key(left) && known.contains_key(right) {
                merges.push([left.to_string(), right.to_string()]);
            }
        }
    }
    merges
}
