#![no_main]
#[path = "../readers.rs"]
mod readers;

readers::fuzz!("shift_jis_text": "sjis.txt");
