//! Named tensors in a safetensors file.

use crate::{bail_input, input_error};
use anyhow::{Context, Result};
use candle_core::{Device, Tensor};
use safetensors::tensor::{Dtype, SafeTensors, TensorView};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;

/// Writes f32 tensors, in the order of their names.
pub fn write_tensors(path: &Path, tensors: &BTreeMap<String, Tensor>) -> Result<()> {
    let mut bytes = Vec::with_capacity(tensors.len());
    for (name, tensor) in tensors {
        let values: Vec<f32> = tensor.flatten_all()?.to_vec1()?;
        let raw: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        bytes.push((name, tensor.dims().to_vec(), raw));
    }
    let views = bytes
        .iter()
        .map(|(name, shape, raw)| Ok((name.as_str(), TensorView::new(Dtype::F32, shape.clone(), raw)?)))
        .collect::<Result<Vec<_>>>()?;
    // transformers refuses a file that does not name the framework it was written for.
    let metadata = HashMap::from([("format".to_string(), "pt".to_string())]);
    let file = safetensors::serialize(views, Some(metadata))?;
    std::fs::write(path, file).with_context(|| format!("cannot write {}", path.display()))
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
    let bytes = std::fs::read(path).map_err(|error| input_error!("cannot read {shown}: {error}"))?;
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
