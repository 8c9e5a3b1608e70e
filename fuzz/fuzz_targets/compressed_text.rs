#![no_main]
#[path = "../readers.rs"]
mod readers;

readers::fuzz!("compressed_text": "text.jsonl.gz");
