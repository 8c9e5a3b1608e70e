//! Checkpoints: directories that transformers' `from_pretrained` reads as they are, and llama.cpp's GGUF files.

mod card;
mod config;
mod files;
mod gguf;
mod hub;
mod import;
mod json;
mod manifest;
mod tensors;
mod trainer;

pub use card::{Metrics, write_card};
pub use config::{config_json, loads_in, parse_config};
pub use files::{
    Checkpoint, foreign_file, is_saved, load_config, load_model, load_optimizer, load_tokenizer, remove, save,
};
pub use gguf::{Quantization, export_gguf, is_gguf, llama_cpp_graph};
pub use hub::fetch_model;
pub use import::{refuse_file, with_context};
pub use tensors::{read_tensors, write_tensors};
pub use trainer::{Build, TrainerState, encoding_of, load_trainer};
