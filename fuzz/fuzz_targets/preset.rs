#![no_main]
#[path = "../readers.rs"]
mod readers;

readers::fuzz!("preset": "preset.toml");
