//! The default run without a text, and a short run on tinyshakespeare if it is available.

use super::*;
use std::path::PathBuf;

#[test]
fn the_default_run_trains_on_tales_and_suggests_the_next_command() {
    let folder = folder();
    let output = succeed(tinygpt(&folder).args(["--steps", "3", "--eval-every", "0"]));
    for part in
        ["a sample:", "what it knows of the tales:", "next: tinygpt generate --checkpoint runs/swiglu"]
    {
        assert!(output.contains(part), "'{part}' is missing in\n{output}");
    }
    assert_eq!(output.matches("(wrong: ").count() + output.matches("(right)").count(), 3, "{output}");
    assert!(exists(&folder, "runs/swiglu/best/model.safetensors"));
}

/// tinyshakespeare, at the path in `TINYGPT_SHAKESPEARE` or beside the project.
fn shakespeare() -> Option<PathBuf> {
    let beside = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../shared/data/tinyshakespeare.txt");
    let named = std::env::var_os("TINYGPT_SHAKESPEARE").map(PathBuf::from);
    named.into_iter().chain([beside]).find(|path| path.is_file())
}

#[test]
fn real_text_is_learned_within_seconds() {
    let Some(path) = shakespeare() else {
        eprintln!("skipped: tinyshakespeare.txt is not here; name it in TINYGPT_SHAKESPEARE");
        return;
    };
    let folder = folder();
    let flags =
        ["--act", "swiglu", "--steps", "150", "--eval-every", "0", "--out", "run", "--json", "--data"];
    let result = last_line(&succeed(tinygpt(&folder).args(flags).arg(path)));
    // For comparison: a unigram model of letters has 3.3 nats, a bigram model 2.45.
    assert!(number(&result, "val_loss") < 2.6, "{result}");
    let text = succeed(tinygpt(&folder).args(["generate", "--checkpoint", "run", "--max-tokens", "200"]));
    assert!(text.split_whitespace().count() > 15, "{text}");
}
