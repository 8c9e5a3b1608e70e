#![no_main]
#[path = "../readers.rs"]
mod readers;

readers::fuzz!("utf16_text": "utf16.txt");
