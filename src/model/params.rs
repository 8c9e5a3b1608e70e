//! A model's parameters: what each one is, how it starts, and its values.

use super::param_map::ParamMap;
use crate::random;
use crate::settings::ModelConfig;
use candle_core::{DType, Device, Result, Tensor, Var};
use candle_nn::VarBuilder;
use std::collections::HashMap;
use std::sync::Arc;

/// How a parameter starts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    Normal { std: f64 },
    Ones,
    Zeros,
}

/// What a parameter does in the model, whatever its backbone calls it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    TokenEmbedding,
    PositionEmbedding,
    AttentionNorm,
    Query,
    Key,
    Value,
    /// Query, key and value side by side in one matrix, as GPT-2 stores them.
    QueryKeyValue,
    AttentionOutput,
    FfnNorm,
    FfnGate,
    FfnUp,
    FfnDown,
    FinalNorm,
    Head,
}

/// The part of a model that a parameter is counted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Embedding,
    Attention,
    Ffn,
    Norm,
    Head,
}

impl Role {
    pub fn part(self) -> Part {
        match self {
            Role::TokenEmbedding | Role::PositionEmbedding => Part::Embedding,
            Role::Query | Role::Key | Role::Value | Role::QueryKeyValue | Role::AttentionOutput => {
                Part::Attention
            }
            Role::FfnGate | Role::FfnUp | Role::FfnDown => Part::Ffn,
            Role::AttentionNorm | Role::FfnNorm | Role::FinalNorm => Part::Norm,
            Role::Head => Part::Head,
        }
    }
}

/// One parameter tensor before it has values.
#[derive(Clone, Debug, PartialEq)]
pub struct ParamSpec {
    /// Its name in a checkpoint, which is transformers' name for it.
    pub name: String,
    pub shape: Vec<usize>,
    pub role: Role,
    /// The block that it belongs to; none outside the blocks.
    pub layer: Option<usize>,
    /// The bias of its role and not the weight.
    pub is_bias: bool,
    pub init: Init,
}

impl ParamSpec {
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }

    /// A matrix of a linear map or an embedding, neither a bias nor a norm's weight.
    pub fn is_matrix(&self) -> bool {
        !self.is_bias && self.role.part() != Part::Norm
    }

    /// Whether weight decay applies: to matrices and embeddings, not to norms and biases, as in GPT-2 and GPT-3.
    pub fn decays(&self) -> bool {
        self.is_matrix()
    }

    /// The matrix from an FFN's hidden units back to the residual stream.
    pub fn is_ffn_output(&self) -> bool {
        self.role == Role::FfnDown && !self.is_bias
    }

    /// Initial values: a function of (seed, name) alone.
    pub fn initial_values(&self, seed: u64) -> Vec<f32> {
        match self.init {
            Init::Normal { std } => random::normal(
                &mut random::stream(seed, &format!("init {}", self.name)),
                self.elements(),
                std,
            ),
            Init::Ones => vec![1.0; self.elements()],
            Init::Zeros => vec![0.0; self.elements()],
        }
    }
}

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
    pub fn var_builder(&self) -> VarBuilder<'static> {
        let named = self.iter().map(|(spec, var)| (spec.name.clone(), var.as_tensor().clone()));
        VarBuilder::from_tensors(named.collect::<HashMap<_, _>>(), self.dtype(), self.device())
    }
}
