#![no_main]
#[path = "../readers.rs"]
mod readers;

readers::fuzz!("results": "results.jsonl");
