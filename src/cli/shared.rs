//! Flags of several commands.

use super::threads::set_threads;
use crate::run::{find_checkpoint, newest_checkpoint};
use crate::settings::{DeviceKind, MOST_THREADS, within};
use anyhow::Result;
use candle_core::Device;
use clap::Args;
use std::path::PathBuf;

/// The model that a command reads.
#[derive(Args)]
pub struct ModelFlag {
    /// Model to read [default: the newest run in runs/]
    ///
    /// A run (its best checkpoint), a checkpoint directory, a .gguf file, or hf:OWNER/NAME[@REVISION] from the
    /// Hugging Face hub.
    #[arg(long, value_name = "MODEL")]
    pub checkpoint: Option<PathBuf>,
}

impl ModelFlag {
    /// The checkpoint directory or file. Downloads a model of the hub.
    pub fn find(&self) -> Result<PathBuf> {
        if let Some(path) = &self.checkpoint {
            return find_checkpoint(path);
        }
        let newest = newest_checkpoint()?;
        note!("using {}", newest.display());
        Ok(newest)
    }
}

/// The device and the threads that a command computes with.
#[derive(Args)]
pub struct MachineFlags {
    /// Device to compute on: cpu, cuda, cuda:1, metal
    ///
    /// cuda and metal need a tinygpt that was built with the feature of that name.
    #[arg(long, value_name = "DEVICE", default_value = "cpu", hide_possible_values = true)]
    device: DeviceKind,
    /// Threads to compute with [default: all cores]
    ///
    /// The number of threads doesn't change the results.
    #[arg(long, value_name = "N", value_parser = within(1..=MOST_THREADS))]
    threads: Option<usize>,
}

impl MachineFlags {
    /// Starts the threads and opens the device. Call this before anything computes.
    pub fn open(&self) -> Result<Device> {
        set_threads(self.threads)?;
        self.device.open()
    }
}
