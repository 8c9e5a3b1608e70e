//! Trains the same model with several activations and prints the validation loss of each. This is the idea behind
//! `tinygpt compare`, without its seeds and statistics.
//!
//!     cargo run --release --example compare_activations -- my.txt

use anyhow::Result;
use candle_core::Device;
use tinygpt::data::Dataset;
use tinygpt::settings::{Recipe, Settings};
use tinygpt::train::Trainer;

const STEPS: usize = 100;

pub fn main() -> Result<()> {
    let text = match std::env::args().nth(1) {
        Some(path) => std::fs::read_to_string(path)?,
        None => "the cat sees the dog, and the dog sees the cat.\n".repeat(200),
    };
    for act in ["relu", "gelu", "swiglu"] {
        let flags = Settings {
            act: Some(act.parse()?),
            dim: Some(32),
            heads: Some(2),
            layers: Some(2),
            steps: Some(STEPS),
            ..Settings::default()
        };
        let recipe = Recipe::new(flags.over(&Settings::preset("default")?))?;
        let dataset = Dataset::of_text(&text, &recipe)?;
        let mut trainer = Trainer::start(&recipe, &dataset, &Device::Cpu)?;
        for _ in 0..STEPS {
            trainer.step()?;
        }
        let (score, _) = trainer.score(usize::MAX, &mut |_, _| Ok(()))?;
        println!("{act:<8} {:.4} nats per token", score.loss());
    }
    Ok(())
}
