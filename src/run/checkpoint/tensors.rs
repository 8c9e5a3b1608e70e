//! Named tensors in a safetensors file.

use crate::{bail_input, input_error};
use anyhow::{Context, Result};
use candle_core::{DType, Device, Tensor};
use safetensors::tensor::{Dtype, SafeTensors};
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::path::{Path, PathBuf};

/// Bytes of the largest element, an F64, and of the largest header that safetensors reads.
const LARGEST_ELEMENT: u64 = 8;
const LARGEST_HEADER: u64 = 100_000_000;

/// Writes tensors as f32, in the order of their names. Each becomes bytes only when it's written: a file of all of
/// them in memory would double what training needs.
pub fn write_tensors(path: &Path, tensors: &BTreeMap<String, Tensor>) -> Result<()> {
    let mut saved = BTreeMap::new();
    for (name, tensor) in tensors {
        saved.insert(name, tensor.to_device(&Device::Cpu)?.to_dtype(DType::F32)?);
    }
    // transformers refuses a file that does not name the framework it was written for.
    let metadata = HashMap::from([("format".to_string(), "pt".to_string())]);
    let write = || -> Result<()> {
        // safetensors replaces the file by a private one: it is to be as readable as any other.
        let permissions = File::create(path)?.metadata()?.permissions();
        safetensors::serialize_to_file(saved, Some(metadata), path)?;
        std::fs::set_permissions(path, permissions)?;
        Ok(())
    };
    write().with_context(|| format!("cannot write {}", path.display()))
}

/// Reads exactly the tensors that `expected` names, of exactly those shapes.
///
/// # Errors
/// Says which tensors are missing, extra or misshapen, or that the file is no whole safetensors file.
pub fn read_tensors(
    path: &Path,
    expected: &[(String, Vec<usize>)],
    device: &Device,
) -> Result<HashMap<String, Tensor>> {
    let most = most_bytes(expected.iter().map(|(_, shape)| shape.iter().product::<usize>()).sum());
    read_files(&[path.to_path_buf()], expected, &|name| Some(name.to_string()), most, device)
}

/// Bytes that files with so many elements can need.
pub fn most_bytes(elements: usize) -> u64 {
    LARGEST_ELEMENT * elements as u64 + LARGEST_HEADER
}

/// Reads exactly the tensors that `expected` names from several files, in any floating-point format, as f32.
/// `canonical` maps the name of a tensor in a file to its expected name, or to `None` to skip it.
/// A file of more than `most` bytes is an error.
///
/// # Errors
/// As [`read_tensors`].
pub fn read_files(
    paths: &[PathBuf],
    expected: &[(String, Vec<usize>)],
    canonical: &dyn Fn(&str) -> Option<String>,
    most: u64,
    device: &Device,
) -> Result<HashMap<String, Tensor>> {
    let known: BTreeMap<&str, &[usize]> =
        expected.iter().map(|(name, shape)| (name.as_str(), shape.as_slice())).collect();
    let mut tensors = HashMap::new();
    for path in paths {
        let shown = path.display();
        let unreadable = |error| input_error!("cannot read {shown}: {error}");
        let size = std::fs::metadata(path).map_err(unreadable)?.len();
        if size > most {
            bail_input!("{shown} has {size} bytes, more than the model in config.json can need");
        }
        let bytes = std::fs::read(path).map_err(unreadable)?;
        let file = SafeTensors::deserialize(&bytes)
            .map_err(|error| input_error!("{shown} is no whole safetensors file: {error}"))?;
        for (name, view) in file.iter() {
            let Some(canonical) = canonical(name) else { continue };
            let Some(&shape) = known.get(canonical.as_str()) else {
                bail_input!("{shown} holds the tensor {name}, which the model in config.json does not have");
            };
            if view.shape() != shape {
                bail_input!(
                    "in {shown} the tensor {name} is {:?}; the model in config.json needs {shape:?}",
                    view.shape()
                );
            }
            let Some(dtype) = float(view.dtype()) else {
                bail_input!("in {shown} the tensor {name} is {:?}; known: F64, F32, F16, BF16", view.dtype());
            };
            let tensor = Tensor::from_raw_buffer(view.data(), dtype, shape, &Device::Cpu)?;
            let tensor = tensor.to_dtype(DType::F32)?.to_device(device)?;
            if tensors.insert(canonical, tensor).is_some() {
                bail_input!("{shown} holds the tensor {name} a second time");
            }
        }
    }
    if let Some(missing) = known.keys().find(|name| !tensors.contains_key(**name)) {
        let shown = paths.first().map(|path| path.display().to_string()).unwrap_or_default();
        bail_input!("{shown} lacks the tensor {missing}, which the model in config.json has");
    }
    Ok(tensors)
}

/// candle's name of a number format that tensors may come in.
fn float(dtype: Dtype) -> Option<DType> {
    match dtype {
        Dtype::F64 => Some(DType::F64),
        Dtype::F32 => Some(DType::F32),
        Dtype::F16 => Some(DType::F16),
        Dtype::BF16 => Some(DType::BF16),
        _ => None,
    }
}
