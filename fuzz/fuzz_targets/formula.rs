#![no_main]
#[path = "../readers.rs"]
mod readers;

readers::fuzz!("formula": "formula.txt");
