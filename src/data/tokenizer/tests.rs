use super::json::END_OF_TEXT;
use super::loss::Dropped;
use super::made::byte_pair_tokenizer;
use super::*;
use crate::data::Part;
use crate::data::pieces::pieces;
use crate::settings::TokenizerKind;
use proptest::prelude::*;
use serde_json::{Value, json};

fn of(text: &str) -> Tokenizer {
    trained(&TokenizerKind::Char, text)
}

fn trained(kind: &TokenizerKind, text: &str) -> Tokenizer {
    Tokenizer::train(kind, &Part::written(text.to_string())).unwrap()
}

#[test]
fn every_character_of_the_text_is_one_token() {
    let text = "To be, or not to be:\n\t猫と犬。\r\n";
    let tokenizer = of(text);
    let ids = tokenizer.encode(text).unwrap();
    assert_eq!(ids.len(), text.chars().count());
    assert_eq!(tokenizer.decode(&ids).unwrap(), text);
}

#[test]
fn text_that_spells_a_special_token_stays_text() {
    let tokenizer = of("abc");
    let ids = tokenizer.encode("a<|endoftext|>b <0x41>").unwrap();
    assert_eq!(tokenizer.decode(&ids).unwrap(), "a<|endoftext|>b <0x41>");
    assert!(!ids.contains(&tokenizer.end_of_text().unwrap().0));
}

#[test]
fn streamed_decoding_yields_complete_characters() {
    let tokenizer = of("abc\n");
    let text = "a猫b\n🐈c";
    let mut decoder = tokenizer.decoder(None);
    let mut parts = Vec::new();
    for id in tokenizer.encode(text).unwrap() {
        let part = decoder.push(id).unwrap();
        assert!(!part.contains(char::REPLACEMENT_CHARACTER), "{part:?}");
        parts.push(part);
    }
    parts.push(decoder.finish().unwrap());
    assert_eq!(parts.concat(), text);
}

#[test]
fn tokens_are_shown_as_text_or_by_name() {
    let tokenizer = of("ab\n");
    let id = |text: &str| tokenizer.encode(text).unwrap()[0];
    assert_eq!(tokenizer.token(id("a")).unwrap(), "a");
    assert_eq!(tokenizer.token(id("\n")).unwrap(), "\n");
    assert_eq!(tokenizer.token(id("猫")).unwrap(), "<0xE7>");
    assert_eq!(tokenizer.token(tokenizer.end_of_text().unwrap().0).unwrap(), END_OF_TEXT);
    assert_eq!(tokenizer.token(9999).unwrap(), "<9999>");
}

#[test]
fn invalid_bytes_are_shown_without_stopping_the_stream() {
    let tokenizer = of("abc");
    let byte = |byte: u8| tokenizer.inner.token_to_id(&format!("<0x{byte:02X}>")).unwrap();
    let ids = [byte(0xE7), byte(0x8C), byte(0xAB), byte(0xA9), byte(0xA9), byte(0xA9), byte(0xA9)];
    let mut decoder = tokenizer.decoder(None);
    let mut shown = String::new();
    for id in ids {
        shown += &decoder.push(id).unwrap();
    }
    for id in tokenizer.encode("abc").unwrap() {
        shown += &decoder.push(id).unwrap();
    }
    assert!(shown.starts_with('猫') && shown.ends_with("abc"), "{shown:?}");
}

#[test]
fn bpe_shortens_the_encoding_and_preserves_the_text() {
    let text = "the cat sees the dog, and the dog sees the cat.\n\n".repeat(50);
    let tokenizer = byte_pair(&text, 300);
    let ids = tokenizer.encode(&text).unwrap();
    assert!(ids.len() * 2 < text.len(), "{} ids for {} bytes", ids.len(), text.len());
    assert!(tokenizer.vocab_size() <= 300);
    for text in [text.as_str(), "\r\n\t猫 🐈\u{0}  x", "<|endoftext|>"] {
        assert_eq!(tokenizer.decode(&tokenizer.encode(text).unwrap()).unwrap(), text);
    }
}

fn byte_pair(text: &str, size: usize) -> Tokenizer {
    Tokenizer::from_json(&byte_pair_tokenizer(&Part::written(text.to_string()), size).unwrap()).unwrap()
}

/// Blank lines, indentation, runs of spaces, Japanese, and a line too long for one piece.
#[test]
fn encoding_in_pieces_gives_the_same_ids() {
    let text = format!(
        "{}{}{}",
        "fn main() {\n    let x = 1;\n\n\n    call(x,  y);\n}\n\n".repeat(400),
        "吾輩は猫である。\n　名前は まだ無い。\n".repeat(500),
        "one long line of words ".repeat(9000)
    );
    for tokenizer in [of(&text), byte_pair(&text, 600)] {
        let whole = tokenizer.encode_all(&[&text]).unwrap().concat();
        let parts: Vec<&str> = pieces(&text).collect();
        assert!(parts.len() > 10);
        assert!(tokenizer.encode_all(&parts).unwrap().concat() == whole);
        assert!(tokenizer.encode(&text).unwrap() == whole);
    }
}

/// A tokenizer in the manner of SentencePiece, whose normalizer puts a space before every text.
fn with_a_space_before_every_text() -> Tokenizer {
    let mut json: Value = serde_json::from_str(&of("abc def\n").to_json().unwrap()).unwrap();
    json["normalizer"] = json!({"type": "Prepend", "prepend": " "});
    Tokenizer::from_json(&json.to_string()).unwrap()
}

#[test]
fn tokenizers_that_need_whole_documents_get_bounded_chunks() {
    let text = "abc def\n".repeat(20_000);
    let mut tokenizer = with_a_space_before_every_text();
    let whole = tokenizer.encode_all(&[&text]).unwrap().concat();
    assert!(tokenizer.encode(&text).unwrap() == whole, "cut below the bound");
    let space = whole[0];
    tokenizer.stretch = 1000;
    let (mut ids, mut longest) = (Vec::new(), 0);
    let collect = |bytes: usize, some: &[u32]| {
        longest = longest.max(bytes);
        ids.extend_from_slice(some);
        Ok(())
    };
    tokenizer.encode_documents(&Part::written(text.clone()), collect).unwrap();
    assert!(longest <= 1000, "{longest} bytes at once");
    // Each stretch got a space of its own; all else is as in the whole.
    let stretches = ids.len() - whole.len() + 1;
    assert!((160..200).contains(&stretches), "{stretches}");
    let without = |ids: &[u32]| ids.iter().filter(|id| **id != space).copied().collect::<Vec<u32>>();
    assert!(without(&ids) == without(&whole));
}

/// The beginning of the text alone says nothing: only the last cut would change its tokens.
#[test]
fn cuts_that_change_the_tokens_are_detected() {
    let lines = "the cat sees the dog.\n".repeat(9000);
    let text = lines.clone() + &"abcabd".repeat(30_000);
    let tokenizer = byte_pair(&"the cat sees the dog.\nabcabdabcabd".repeat(100), 300);
    let whole = tokenizer.encode_all(&[&text]).unwrap().concat();
    let parts: Vec<&str> = pieces(&text).collect();
    assert!(tokenizer.encode_all(&parts).unwrap().concat() != whole, "no cut matters");
    assert!(tokenizer.encode(&text).unwrap() == whole);
}

#[test]
fn saved_truncation_padding_and_dropout_are_disabled() {
    let text = "the cat sees the dog, and the dog sees the cat. ".repeat(20);
    let plain = byte_pair(&text, 300);
    let mut json: Value = serde_json::from_str(&plain.to_json().unwrap()).unwrap();
    json["truncation"] =
        json!({"direction": "Right", "max_length": 40, "strategy": "LongestFirst", "stride": 0});
    json["padding"] = json!({
        "strategy": {"Fixed": 5000}, "direction": "Right", "pad_to_multiple_of": null,
        "pad_id": 0, "pad_type_id": 0, "pad_token": END_OF_TEXT,
    });
    json["model"]["dropout"] = json!(0.5);
    let foreign = Tokenizer::from_json(&json.to_string()).unwrap();
    assert_eq!(foreign.encode(&text).unwrap(), plain.encode(&text).unwrap());
    // A checkpoint carries what was used.
    assert_eq!(foreign.to_json().unwrap(), plain.to_json().unwrap());
}

/// Capitals are lowered, and of the other characters only some are known.
#[test]
fn text_dropped_by_a_lossy_tokenizer_is_counted() {
    let mut json: Value = serde_json::from_str(&of("the cat é.\n").to_json().unwrap()).unwrap();
    json["normalizer"] = json!({"type": "Lowercase"});
    json["model"]["byte_fallback"] = json!(false);
    let lossy = Tokenizer::from_json(&json.to_string()).unwrap();
    let dropped = |text: &str| lossy.dropped(&Part::written(text.to_string())).unwrap();
    assert_eq!(dropped("the cat.\n"), Dropped { share: 0.0, example: None });
    assert_eq!(dropped("The cat.\n"), Dropped { share: 1.0 / 8.0, example: Some('T') });
    // é stays, 猫 has three bytes.
    assert_eq!(dropped("é the 猫"), Dropped { share: 3.0 / 10.0, example: Some('猫') });
    // Of a long text a sample is enough, whatever part of it is affected.
    let long = "the cat.\n".repeat(200_000) + &"THE CAT\n".repeat(200_000);
    let share = dropped(&long).share;
    assert!((share - 6.0 / 17.0).abs() < 0.05, "{share}");
}

#[test]
fn an_added_leading_space_does_not_count_as_dropped_text() {
    let text = "abc\n  def abc\n".repeat(200);
    let spaced = with_a_space_before_every_text();
    for tokenizer in [of(&text), byte_pair(&text, 270), spaced] {
        assert_eq!(tokenizer.dropped(&Part::written(text.clone())).unwrap().example, None);
    }
}

#[test]
fn ids_without_a_token_are_gaps_and_padding() {
    let mut json: Value = serde_json::from_str(&of("abc").to_json().unwrap()).unwrap();
    json["model"]["vocab"].as_object_mut().unwrap().remove("b").unwrap();
    let tokenizer = Tokenizer::from_json(&json.to_string()).unwrap();
    // The end of a text, 256 bytes, and a, b, c.
    assert_eq!((tokenizer.vocab_size(), tokenizer.ids_without_token(262)), (260, vec![258, 260, 261]));
}

/// Of two tokens with one id, tokenizers writes one.
#[test]
fn tokenizers_that_change_when_saved_are_rejected() {
    let mut json: Value = serde_json::from_str(&of("abc").to_json().unwrap()).unwrap();
    json["model"]["vocab"]["x"] = json["model"]["vocab"]["b"].clone();
    let error = Tokenizer::from_json(&json.to_string()).unwrap().check_saving().unwrap_err().to_string();
    assert!(error.contains("has its id, 258"), "{error}");
    of("abc").check_saving().unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_text_survives_encoding_and_decoding(seen in "\\PC{1,40}", text in "(\\PC|[\\r\\n\\t\\x00])*") {
        let tokenizer = of(&seen);
        let ids = tokenizer.encode(&text).unwrap();
        prop_assert!(check_ids(&ids, tokenizer.vocab_size()).is_ok());
        prop_assert_eq!(tokenizer.decode(&ids).unwrap(), text);
    }
}
