//! The programs in `examples/` run without errors.

#[path = "../examples/compare_activations.rs"]
mod compare_activations;
#[path = "../examples/look_inside_an_ffn.rs"]
mod look_inside_an_ffn;

#[test]
fn every_example_runs() {
    look_inside_an_ffn::main().unwrap();
    compare_activations::main().unwrap();
}
