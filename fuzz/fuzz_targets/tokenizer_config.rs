#![no_main]
#[path = "../readers.rs"]
mod readers;

readers::fuzz!("tokenizer_config": "tokenizer_config.json");
