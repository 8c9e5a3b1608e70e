//! Checkpoints in transformers.

use super::*;
use serde_json::json;
use tinygpt::checkpoint::load_tokenizer;

#[test]
fn transformers_makes_the_same_tokens_and_the_same_text_of_them() {
    let folder = folder();
    // Long enough to be encoded in pieces. Of the other texts' characters the tokenizers have seen
    // letters and some Japanese.
    let seen = format!("{}吾輩は猫である。\n", text(3000));
    write(&folder, "text.txt", &seen);
    let texts = [
        &seen,
        "\n\n\tthe cat\r\n  sees  \r the dog \n",
        "猫は吾輩である。\n犬も　いる。",
        "🐈 👩\u{200d}👩\u{200d}👧 🇯🇵",
        "ÿ é e\u{301} ₿ \u{0}\u{7f} <0x41> don't [CLS]",
        " ",
    ];
    for kind in ["char", "bpe:300"] {
        let Some(mut check) = script(&folder, "check_tokenizer.py") else { return };
        train(&folder, &["--tokenizer", kind, "--steps", "1", "--out", "run", "--force"]);
        let tokenizer = load_tokenizer(&folder.path().join("run/best")).unwrap();
        let cases = texts.map(|text| json!({ "text": text, "ids": tokenizer.encode(text).unwrap() }));
        write(&folder, "texts.json", &json!(cases).to_string());
        assert_eq!(succeed(check.args(["run/best", "texts.json"])), "6 texts\n", "{kind}");
    }
}
