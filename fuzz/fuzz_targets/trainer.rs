#![no_main]
#[path = "../readers.rs"]
mod readers;

readers::fuzz!("trainer": "trainer.json");
