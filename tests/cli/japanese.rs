//! Japanese text in training, generation and scoring.

use super::*;

#[test]
fn japanese_text_works_in_training_generation_and_scoring() {
    let folder = folder();
    for tokenizer in ["char", "bpe:600"] {
        let flags = small_but(&[
            "--data",
            "tales:ja",
            "--tokenizer",
            tokenizer,
            "--steps",
            "120",
            "--context",
            "32",
            "--out",
            "run",
        ]);
        let trained = last_line(&succeed(tinygpt(&folder).args(flags).args(["--force", "--json"])));
        assert!(number(&trained, "val_loss") < 4.8, "{trained}");
        let flags = ["generate", "--checkpoint", "run", "--prompt", "猫は", "--max-tokens", "30"];
        let text = succeed(tinygpt(&folder).args(flags));
        assert!(text.starts_with("猫は"), "{text}");
        assert!(text.chars().filter(|c| ('ぁ'..='ヿ').contains(c)).count() > 3, "{text}");
        let scored = last_line(&succeed(tinygpt(&folder).args([
            "eval",
            "--checkpoint",
            "run",
            "--data",
            "tales:ja",
            "--json",
        ])));
        let nats = number(&scored, "loss") * number(&scored, "tokens");
        let bits = nats / std::f64::consts::LN_2 / number(&scored, "bytes");
        assert!((number(&scored, "bits_per_byte") - bits).abs() < 1e-9, "{scored}");
    }
}
