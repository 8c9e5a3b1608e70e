#![no_main]
#[path = "../readers.rs"]
mod readers;

readers::fuzz!("json_text": "text.json");
