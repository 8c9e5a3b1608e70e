#![no_main]
#[path = "../readers.rs"]
mod readers;

readers::fuzz!("text": "text.jsonl");
