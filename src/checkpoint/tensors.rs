//! Named tensors in a safetensors file.

use crate::{bail_input, input_error};
use anyhow::{Context, Result};
use candle_core::{DType, Device, Tensor};
use safetensors::tensor::{Dtype, SafeTensors, View};
use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::path::Path;

/// A tensor on the CPU that is turned into bytes when it is written, and not before: a file of all of
/// them in memory would double what training needs.
struct Saved(Tensor);

impl View for Saved {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        self.0.dims()
    }

    fn data(&self) -> Cow<'_, [u8]> {
        let mut bytes = Vec::with_capacity(self.data_len());
        let values = self.0.flatten_all().and_then(|values| values.to_vec1::<f32>());
        // write_tensors has made the tensor f32 on the CPU: there is nothing left that can fail.
        for value in values.unwrap_or_default() {
            bytes.extend(value.to_le_bytes());
        }
        bytes.into()
    }

    fn data_len(&self) -> usize {
        self.0.elem_count() * size_of::<f32>()
    }
}

/// Bytes of the largest element, an F64, and of the largest header that safetensors reads: a file with
/// more than these is not read into memory.
const LARGEST_ELEMENT: u64 = 8;
const LARGEST_HEADER: u64 = 100_000_000;

/// Writes tensors as f32, in the order of their names.
pub fn write_tensors(path: &Path, tensors: &BTreeMap<String, Tensor>) -> Result<()> {
    let saved = |(name, tensor): (&String, &Tensor)| {
        Ok((name.clone(), Saved(tensor.to_device(&Device::Cpu)?.to_dtype(DType::F32)?)))
    };
    let tensors = tensors.iter().map(saved).collect::<Result<BTreeMap<_, _>>>()?;
    // transformers refuses a file that does not name the framework it was written for.
    let metadata = HashMap::from([("format".to_string(), "pt".to_string())]);
    let write = || -> Result<()> {
        // safetensors replaces the file by a private one: it is to be as readable as any other.
        let permissions = File::create(path)?.metadata()?.permissions();
        safetensors::serialize_to_file(tensors, Some(metadata), path)?;
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
    let shown = path.display();
    let elements: usize = expected.iter().map(|(_, shape)| shape.iter().product::<usize>()).sum();
    let most = LARGEST_ELEMENT * elements as u64 + LARGEST_HEADER;
    let unreadable = |error| input_error!("cannot read {shown}: {error}");
    let size = std::fs::metadata(path).map_err(unreadable)?.len();
    if size > most {
        bail_input!("{shown} has {size} bytes, more than the model in config.json can need");
    }
    let bytes = std::fs::read(path).map_err(unreadable)?;
    let file = SafeTensors::deserialize(&bytes)
        .map_err(|error| input_error!("{shown} is no whole safetensors file: {error}"))?;
    let known: BTreeMap<&str, &[usize]> =
        expected.iter().map(|(name, shape)| (name.as_str(), shape.as_slice())).collect();
    if let Some(extra) = file.names().into_iter().find(|name| !known.contains_key(name)) {
        bail_input!("{shown} holds the tensor {extra}, which the model in config.json does not have");
    }
    let mut tensors = HashMap::new();
    for (name, shape) in known {
        let Ok(view) = file.tensor(name) else {
            bail_input!("{shown} lacks the tensor {name}, which the model in config.json has");
        };
        if view.shape() != shape {
            bail_input!(
                "in {shown} the tensor {name} is {:?}; the model in config.json needs {shape:?}",
                view.shape()
            );
        }
        if view.dtype() != Dtype::F32 {
            bail_input!("in {shown} the tensor {name} is {:?}; only F32 is read", view.dtype());
        }
        let values: Vec<f32> = view
            .data()
            .chunks_exact(4)
            .map(|raw| f32::from_le_bytes([raw[0], raw[1], raw[2], raw[3]]))
            .collect();
        tensors.insert(name.to_string(), Tensor::from_vec(values, shape, device)?);
    }
    Ok(tensors)
}
