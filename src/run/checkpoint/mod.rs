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

pub(crate) use card::{Metrics, write_card};
pub(crate) use config::config_json;
pub use config::{loads_in, parse_config};
pub(crate) use files::remove;
pub use files::{Checkpoint, load_config, load_decoder, load_model, load_optimizer, load_tokenizer, save};
pub(crate) use files::{foreign_file, is_saved};
pub use gguf::{Quantization, export_gguf};
pub(crate) use gguf::{is_gguf, llama_cpp_graph};
pub use hub::fetch_model;
pub(crate) use import::{refuse_file, with_context};
pub use tensors::{read_tensors, write_tensors};
pub(crate) use trainer::encoding_of;
pub use trainer::{Build, TrainerState, load_trainer};
