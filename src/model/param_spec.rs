//! What a parameter is, and how it starts.

use crate::support::random;

/// How a parameter starts.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Init {
    Normal { std: f64 },
    Constant(f64),
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
    /// A learned scalar of the activation.
    ActivationScalar,
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
            Role::FfnGate | Role::FfnUp | Role::FfnDown | Role::ActivationScalar => Part::Ffn,
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

    /// A matrix of a linear map or an embedding: no bias, no norm's weight and no learned scalar.
    pub fn is_matrix(&self) -> bool {
        !self.is_bias && self.role.part() != Part::Norm && self.role != Role::ActivationScalar
    }

    /// Whether weight decay applies: to matrices and embeddings, not to norms, biases and learned
    /// scalars, as in GPT-2 and GPT-3.
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
            Init::Constant(value) => vec![value as f32; self.elements()],
        }
    }
}
