#![no_main]
#[path = "../readers.rs"]
mod readers;

readers::fuzz!("generation_config": "generation_config.json");
