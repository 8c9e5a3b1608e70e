//! Checkpoints: directories that transformers' `from_pretrained` reads as they are.

mod config;
mod files;
mod manifest;
mod tensors;

pub use config::{config_json, llama_cpp_graph, loads_in, parse_config};
pub use files::{Checkpoint, TrainerState, load_model, load_moments, load_tokenizer, load_trainer, save};
pub use tensors::{read_tensors, write_tensors};
