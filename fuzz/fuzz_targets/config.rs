#![no_main]
#[path = "../readers.rs"]
mod readers;

readers::fuzz!("config": "config.json");
