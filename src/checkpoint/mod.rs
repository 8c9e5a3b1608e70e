//! Checkpoints: directories that transformers' `from_pretrained` reads as they are.

mod config;
mod files;
mod hub;
mod import;
mod manifest;
mod tensors;

pub use config::{config_json, llama_cpp_graph, loads_in, parse_config};
pub use files::{
    Checkpoint, TrainerState, load_config, load_model, load_moments, load_tokenizer, load_trainer, save,
};
pub use hub::fetch_model;
pub use import::{refuse_file, with_context};
pub use tensors::{read_tensors, write_tensors};
