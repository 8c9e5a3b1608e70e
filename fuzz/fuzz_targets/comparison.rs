#![no_main]
#[path = "../readers.rs"]
mod readers;

readers::fuzz!("comparison": "compare.json");
