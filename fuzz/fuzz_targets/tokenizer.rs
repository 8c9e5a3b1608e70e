#![no_main]
#[path = "../readers.rs"]
mod readers;

readers::fuzz!("tokenizer": "tokenizer.json");
