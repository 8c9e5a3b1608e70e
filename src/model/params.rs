//! A model's parameters with their values.

use super::param_map::ParamMap;
use super::param_spec::{ParamSpec, Role};
use super::parts::Tensors;
use crate::settings::ModelConfig;
use candle_core::{DType, Device, Result, Tensor, Var};
use candle_nn::VarBuilder;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// A model's parameters with their values, in the order of [`ParamMap::specs`]. Clones share the values.
#[derive(Clone)]
pub struct Params {
    pub map: Arc<ParamMap>,
    pub vars: Vec<Var>,
}

impl Params {
    /// Fresh parameters.
    pub fn init(config: &ModelConfig, seed: u64, device: &Device) -> Result<Params> {
        Params::init_scaled(config, seed, 1.0, device)
    }

    /// Fresh parameters, of which the FFNs' output matrices are multiplied by `ffn_scale`.
    pub fn init_scaled(config: &ModelConfig, seed: u64, ffn_scale: f64, device: &Device) -> Result<Params> {
        Params::fill(config, |spec| {
            let mut values = spec.initial_values(seed);
            if spec.is_ffn_output() {
                values.iter_mut().for_each(|value| *value *= ffn_scale as f32);
            }
            Tensor::from_vec(values, spec.shape.as_slice(), device)
        })
    }

    /// Parameters whose values come from `value`, which must return the shape of the spec.
    pub fn fill(config: &ModelConfig, value: impl FnMut(&ParamSpec) -> Result<Tensor>) -> Result<Params> {
        let map = Arc::new(ParamMap::new(config));
        let tensors = map.specs.iter().map(value);
        let vars = tensors.map(|tensor| Var::from_tensor(&tensor?)).collect::<Result<_>>()?;
        Ok(Params { map, vars })
    }

    pub fn specs(&self) -> &[ParamSpec] {
        &self.map.specs
    }

    /// Each parameter with what it is.
    pub fn iter(&self) -> impl Iterator<Item = (&ParamSpec, &Var)> {
        self.map.specs.iter().zip(&self.vars)
    }

    /// The activations' learned scalars by layer and name, such as `0.beta`.
    pub fn learned_scalars(&self) -> Result<BTreeMap<String, f32>> {
        let scalars = self.iter().filter(|(spec, _)| spec.role == Role::ActivationScalar);
        let value = |(spec, var): (&ParamSpec, &Var)| {
            let name = spec.name.rsplit('.').next().unwrap_or_default();
            let value = var.to_dtype(DType::F32)?.to_vec1::<f32>()?[0];
            Ok((format!("{}.{name}", spec.layer.unwrap_or_default()), value))
        };
        scalars.map(value).collect()
    }

    pub fn dtype(&self) -> DType {
        self.vars[0].dtype()
    }

    pub fn device(&self) -> &Device {
        self.vars[0].device()
    }

    /// The tensor called `name`; it shares its values with the variable.
    pub fn get(&self, name: &str) -> Result<Tensor> {
        match self.iter().find(|(spec, _)| spec.name == name) {
            Some((_, var)) => Ok(var.as_tensor().clone()),
            None => candle_core::bail!("the model has no parameter {name}"),
        }
    }

    /// The parameters by name, for [`Gpt::new`](super::Gpt::new): its tensors share their values with the
    /// variables, which autograd therefore reaches.
    pub fn tensors(&self) -> Tensors<'static> {
        let named = self.iter().map(|(spec, var)| (spec.name.clone(), var.as_tensor().clone()));
        Tensors::Full(VarBuilder::from_tensors(named.collect::<HashMap<_, _>>(), self.dtype(), self.device()))
    }
}
