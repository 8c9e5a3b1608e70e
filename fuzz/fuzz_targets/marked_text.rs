#![no_main]
#[path = "../readers.rs"]
mod readers;

readers::fuzz!("marked_text": "marked.jsonl");
