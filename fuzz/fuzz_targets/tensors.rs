#![no_main]
#[path = "../readers.rs"]
mod readers;

readers::fuzz!("tensors": "model.safetensors");
