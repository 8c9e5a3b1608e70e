#![no_main]
#[path = "../readers.rs"]
mod readers;

readers::fuzz!("metrics": "metrics.jsonl");
