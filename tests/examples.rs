//! The programs in `examples/` run without errors.

use std::path::Path;

#[path = "../examples/compare_activations.rs"]
mod compare_activations;
#[path = "../examples/look_inside_an_ffn.rs"]
mod look_inside_an_ffn;
#[path = "../examples/score_token_by_token.rs"]
mod score_token_by_token;

#[test]
fn every_example_runs() {
    look_inside_an_ffn::main().unwrap();
    compare_activations::main().unwrap();
    let checkpoint = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/checkpoints/arcee-gqa");
    // Without arguments.
    score_token_by_token::main().unwrap_err();
    score_token_by_token::score(&checkpoint, &checkpoint.join("config.json"), 20).unwrap();
}
