#![no_main]
#[path = "../readers.rs"]
mod readers;

readers::fuzz!("index": "sharded/model.safetensors.index.json");
