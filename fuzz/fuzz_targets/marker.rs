#![no_main]
#[path = "../readers.rs"]
mod readers;

readers::fuzz!("marker": "tinygpt.json");
