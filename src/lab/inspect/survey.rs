//! A trained model's FFNs on a text: one pass over it with the reference model, observed at every site.

use super::gradients::gradient_norms;
use super::linear::{LinearFit, PairSums, linear_fit};
use super::memories::{Firing, TokenText, UnitMemories, memories};
use super::units::{HiddenUnits, UnitTally};
use super::{ffn_matrices, functions, observe};
use crate::activation::{Activation, Function};
use crate::bail_input;
use crate::data::Tokenizer;
use crate::model::{Model, Pass, Site};
use crate::settings::{Backbone, ModelConfig};
use crate::support::failure::Failure;
use crate::support::follow::Follow;
use anyhow::Result;
use candle_core::{DType, Device, Tensor};
use serde::Serialize;
use std::collections::BTreeMap;

/// Approximate number of tokens in one forward pass, and the most logits that a pass may have.
const TOKENS_PER_PASS: usize = 1024;
const LOGITS_PER_PASS: usize = 1 << 25;

/// The most tokens whose loss is differentiated.
const GRADIENT_TOKENS: usize = 2048;

/// What was found in a model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Inspection {
    #[serde(skip)]
    pub act: Activation,
    /// Tokens read.
    pub tokens: usize,
    /// The loss of this many tokens was differentiated, the first ones.
    pub gradient_tokens: usize,
    pub layers: Vec<LayerInspection>,
}

/// The FFN of one layer over all tokens.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LayerInspection {
    /// Counted from 0, as in tensor names.
    pub layer: usize,
    /// The activation with the layer's learned scalars.
    #[serde(skip)]
    pub function: Function,
    /// Name and value of each learned scalar.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub learned_scalars: BTreeMap<String, f64>,
    /// Euclidean norm of the mean loss's gradient with respect to the matrix that gives the pre-activations.
    pub grad_norm: f64,
    pub hidden: HiddenUnits,
    pub output: FfnOutput,
    pub linear: LinearFit,
    pub memories: UnitMemories,
}

/// How much an FFN adds to the residual stream: root mean squares over tokens and width.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct FfnOutput {
    pub rms: f64,
    /// Of the residual stream before the FFN's output is added.
    pub residual_rms: f64,
    /// `rms` over `residual_rms`.
    pub relative: f64,
}

/// Reads the first `most` of `tokens` in windows of one context, end to end, and measures every layer's FFN.
/// Affine maps are fitted to the first three quarters and scored on the last. The `units` strongest memories of
/// each layer are described. `follow` counts differentiated tokens twice.
///
/// # Errors
/// [`Failure::Input`] for a text of fewer than two tokens, [`Failure::Diverged`] if the model's values aren't finite.
pub fn inspect(
    model: &Model,
    tokenizer: &Tokenizer,
    tokens: &[u32],
    (most, units): (usize, usize),
    follow: Follow,
) -> Result<Inspection> {
    let config = &model.config;
    let read = most.min(tokens.len().saturating_sub(1));
    if read == 0 {
        bail_input!("the text is too short to inspect; use one of at least 2 tokens");
    }
    let functions = functions(model)?;
    let mut watches: Vec<Watch> = functions
        .iter()
        .map(|function| Watch::new(function, config, read - read / 4))
        .collect::<Result<_>>()?;
    let differentiated = read.min(GRADIENT_TOKENS);
    let (mut done, all) = (0, read + differentiated);
    let mut step = |tokens: usize| {
        done += tokens;
        follow(done, all)
    };
    for (ids, length) in passes(&tokens[..read], config) {
        let windows = Tensor::from_slice(ids, (ids.len() / length, length), model.device())?;
        observe(model, &windows, &mut Pass::default(), |site, layer, x| watches[layer].see(site, x))?;
        step(ids.len())?;
    }
    let diverged = |what: &str| Failure::Diverged(format!("{what}: its training diverged"));
    if !watches.iter().all(|watch| watch.output_squares.is_finite()) {
        return Err(diverged("the model's values aren't finite").into());
    }
    let gradients = gradient_norms(model, &tokens[..=differentiated], &mut step)?;
    if !gradients.iter().all(|norm| norm.is_finite()) {
        return Err(diverged("the model's loss isn't finite").into());
    }
    let text = TokenText { tokens: &tokens[..=read], context: config.context, tokenizer };
    let matrices = ffn_matrices(&model.params, config);
    let finish = |(layer, watch): (usize, Watch)| {
        let down = matrices[layer][config.act.ffn_matrices() - 1].as_tensor();
        let values = match config.backbone {
            Backbone::Llama => down.t()?,
            Backbone::Gpt2 => down.clone(),
        };
        let root = |squares: f64| (squares / (read * config.dim) as f64).sqrt();
        let (rms, residual_rms) = (root(watch.output_squares), root(watch.residual_squares));
        Ok(LayerInspection {
            layer,
            learned_scalars: functions[layer].named_scalars(),
            function: functions[layer].clone(),
            grad_norm: gradients[layer],
            hidden: watch.tally.finish(),
            output: FfnOutput { rms, residual_rms, relative: rms / residual_rms },
            linear: linear_fit(&watch.fitted, &watch.scored)?,
            memories: memories(
                &watch.firing,
                &values,
                model.params.vars[model.params.map.head.weight].as_tensor(),
                &text,
                units,
            )?,
        })
    };
    Ok(Inspection {
        act: config.act,
        tokens: read,
        gradient_tokens: differentiated,
        layers: watches.into_iter().enumerate().map(finish).collect::<Result<_>>()?,
    })
}

/// The tokens in windows of one context, as (windows, length of each) per forward pass. Only the last window can be
/// shorter, and it has its own pass.
pub(super) fn passes<'a>(tokens: &'a [u32], config: &ModelConfig) -> Vec<(&'a [u32], usize)> {
    let context = config.context;
    let together = TOKENS_PER_PASS.min(LOGITS_PER_PASS / config.vocab_size) / context;
    let (whole, rest) = tokens.split_at(tokens.len() / context * context);
    let windows = whole.chunks(together.max(1) * context).map(|pass| (pass, context));
    windows.chain((!rest.is_empty()).then_some((rest, rest.len()))).collect()
}

/// What is collected of one layer.
struct Watch {
    /// Sums of squares over tokens and width.
    residual_squares: f64,
    output_squares: f64,
    tally: UnitTally,
    firing: Firing,
    /// What the FFN read in this pass.
    input: Option<Tensor>,
    /// Tokens still to be fitted. Those after them are scored.
    to_fit: usize,
    fitted: PairSums,
    scored: PairSums,
}

impl Watch {
    fn new(function: &Function, config: &ModelConfig, to_fit: usize) -> Result<Watch> {
        Ok(Watch {
            residual_squares: 0.0,
            output_squares: 0.0,
            tally: UnitTally::new(function.clone(), config.ffn_dim),
            firing: Firing::new(config.ffn_dim),
            input: None,
            to_fit,
            fitted: PairSums::new(config.dim, config.dim)?,
            scored: PairSums::new(config.dim, config.dim)?,
        })
    }

    fn see(&mut self, site: Site, x: &Tensor) -> candle_core::Result<()> {
        match site {
            Site::Residual => self.residual_squares += squares(x)?,
            Site::FfnInput => self.input = Some(x.clone()),
            Site::PreActivation => self.tally.add(&values(x)?),
            Site::FfnHidden => self.firing.add(&values(x)?),
            Site::FfnOutput => {
                self.output_squares += squares(x)?;
                if let Some(input) = self.input.take() {
                    self.split(&input, x)?;
                }
            }
        }
        Ok(())
    }

    /// Adds inputs and outputs (N, C) to the tokens to fit, and those beyond them to the tokens to score.
    fn split(&mut self, input: &Tensor, output: &Tensor) -> candle_core::Result<()> {
        let rows = input.dims()[0];
        let fitted = self.to_fit.min(rows);
        self.to_fit -= fitted;
        self.fitted.add(&input.narrow(0, 0, fitted)?, &output.narrow(0, 0, fitted)?)?;
        let rest = rows - fitted;
        self.scored.add(&input.narrow(0, fitted, rest)?, &output.narrow(0, fitted, rest)?)
    }
}

/// (N, F) -> N F values on the CPU.
fn values(x: &Tensor) -> candle_core::Result<Vec<f32>> {
    x.to_device(&Device::Cpu)?.to_dtype(DType::F32)?.flatten_all()?.to_vec1()
}

/// The sum of the squares of all values.
fn squares(x: &Tensor) -> candle_core::Result<f64> {
    let mean: f32 = x.sqr()?.mean_all()?.to_dtype(DType::F32)?.to_scalar()?;
    Ok(f64::from(mean) * x.elem_count() as f64)
}

#[cfg(test)]
mod tests;
