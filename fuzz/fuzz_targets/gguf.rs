#![no_main]
#[path = "../readers.rs"]
mod readers;

readers::fuzz!("gguf": "model.gguf");
