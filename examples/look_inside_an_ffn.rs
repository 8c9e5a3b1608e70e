//! Runs an untrained model on a few tokens and prints how many hidden units of each FFN fire. `tinygpt inspect` is
//! built from the same parts.
//!
//!     cargo run --release --example look_inside_an_ffn

use anyhow::Result;
use candle_core::{Device, Tensor};
use tinygpt::model::{Gpt, Params, Pass, Site};
use tinygpt::settings::{Recipe, Settings};

pub fn main() -> Result<()> {
    let flags = Settings { act: Some("relu".parse()?), layers: Some(3), ..Settings::default() };
    let config = Recipe::new(flags.over(&Settings::preset("default")?))?.model(100)?;
    let params = Params::init(&config, 1, &Device::Cpu)?;
    let model = Gpt::new(&config, &params.tensors())?;

    let ids = Tensor::new(&[[3u32, 14, 15, 92, 65, 35]], &Device::Cpu)?; // (B, T)
    let mut firing = Vec::new();
    let mut look = |site: Site, layer: usize, values: &Tensor| {
        if site == Site::FfnHidden {
            firing.push((layer, values.clone())); // (B * T, F)
        }
    };
    let logits = model.observe(&ids, &mut Pass::default(), &mut look)?; // (B T, V)
    println!("logits {:?}", logits.shape());
    for (layer, hidden) in firing {
        let fired = hidden.gt(0f32)?.to_dtype(candle_core::DType::F32)?.mean_all()?.to_scalar::<f32>()?;
        println!("layer {layer}: {:.0}% of the hidden units fire", 100.0 * fired);
    }
    Ok(())
}
