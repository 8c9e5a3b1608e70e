#![no_main]
#[path = "../readers.rs"]
mod readers;

readers::fuzz!("manifest": "SHA256SUMS");
