//! A trained model's FFNs on a text: one pass over it by the composition, watched at every site.

use super::ffn_matrices;
use super::gradients::gradient_norms;
use super::linear::{LinearFit, Sums, linear_fit};
use super::memories::{Firing, Memories, Text, memories};
use super::shapes::Shapes;
use super::units::{HiddenUnits, Tally};
use crate::bail_input;
use crate::data::Tokenizer;
use crate::model::{Model, Pass, Site};
use crate::settings::{Backbone, ModelConfig};
use crate::support::failure::Failure;
use crate::support::follow::Follow;
use anyhow::Result;
use candle_core::{DType, Device, Tensor};
use serde::Serialize;

/// Tokens in one forward pass, about, and the most logits that they may have.
const TOKENS_PER_PASS: usize = 1024;
const LOGITS_PER_PASS: usize = 1 << 25;

/// Tokens whose loss is differentiated, at most.
const GRADIENT_TOKENS: usize = 2048;

/// What was found in a model.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Inspection {
    #[serde(flatten)]
    pub shapes: Shapes,
    /// Tokens read.
    pub tokens: usize,
    /// Tokens of these whose loss was differentiated: the first.
    pub gradient_tokens: usize,
    pub layers: Vec<Layer>,
}

/// The FFN of one layer over all tokens.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Layer {
    /// Counted from 0, as in the names of the tensors.
    pub layer: usize,
    #[serde(flatten)]
    pub summary: Summary,
    pub hidden: HiddenUnits,
    pub output: FfnOutput,
    pub linear: LinearFit,
    pub memories: Memories,
}

/// A layer in one number each: what can be compared between models at a glance.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Summary {
    /// See [`LinearFit::r2`].
    pub linear_r2: Option<f64>,
    /// Share of all (token, unit) values with f(x) exactly 0.
    pub zero_share: f64,
    /// Units with f(x) exactly 0 at every token.
    pub dead_units: usize,
    /// Share of all values whose |f'(x)| is below 1% of its maximum, on either side of 0.
    pub saturated_share: f64,
    /// Euclidean norm of the mean loss's gradient with respect to the matrix that gives f its argument.
    pub grad_norm: f64,
    pub pre_activation_mean: f64,
    pub pre_activation_std: f64,
}

impl Summary {
    fn new(hidden: &HiddenUnits, linear: LinearFit, grad_norm: f64) -> Summary {
        Summary {
            linear_r2: linear.r2,
            zero_share: hidden.zeros,
            dead_units: hidden.dead,
            saturated_share: hidden.saturated_negative + hidden.saturated_positive,
            grad_norm,
            pre_activation_mean: hidden.argument.mean,
            pre_activation_std: hidden.argument.std,
        }
    }
}

/// How much an FFN adds to the residual stream: root mean squares over tokens and width.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct FfnOutput {
    pub rms: f64,
    /// Of the residual stream before the FFN's output is added.
    pub residual_rms: f64,
    /// The first over the second.
    pub relative: f64,
}

/// Reads the first `most` of `tokens` (at least two: each needs one that follows) in windows of one
/// context end to end, and measures every layer's FFN. Affine maps are fitted to the first three
/// quarters and scored on the last. Of each layer the `units` strongest memories are described.
/// `follow` is told how many tokens of how many are done; those that are differentiated count twice.
///
/// # Errors
/// [`Failure::Input`] for a text of fewer than two tokens, [`Failure::Diverged`] if the model computes
/// no numbers.
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
        bail_input!("there is nothing to read: give a text of at least 2 tokens");
    }
    let mut watches: Vec<Watch> =
        (0..config.layers).map(|_| Watch::new(config, read - read / 4)).collect::<Result<_>>()?;
    let differentiated = read.min(GRADIENT_TOKENS);
    let (mut done, all) = (0, read + differentiated);
    let mut step = |tokens: usize| {
        done += tokens;
        follow(done, all)
    };
    for pass in passes(&tokens[..read], config) {
        watch(model, pass, &mut watches)?;
        step(pass.0.len())?;
    }
    if !watches.iter().all(|watch| watch.output.squares.is_finite()) {
        return Err(
            Failure::Diverged("the model's values aren't finite: its training diverged".into()).into()
        );
    }
    let gradients = gradient_norms(model, &tokens[..=differentiated], &mut step)?;
    if !gradients.iter().all(|norm| norm.is_finite()) {
        return Err(Failure::Diverged("the model's loss isn't finite: its training diverged".into()).into());
    }
    let text = Text { tokens: &tokens[..=read], context: config.context, tokenizer };
    let matrices = ffn_matrices(&model.params, config);
    let finish = |(layer, watch): (usize, Watch)| {
        let down = matrices[layer][config.act.ffn_matrices() - 1].as_tensor();
        let values = match config.backbone {
            Backbone::Llama => down.t()?,
            Backbone::Gpt2 => down.clone(),
        };
        let (rms, residual_rms) = (watch.output.root(), watch.residual.root());
        let hidden = watch.tally.finish();
        let linear = linear_fit(&watch.fitted, &watch.scored)?;
        Ok(Layer {
            layer,
            summary: Summary::new(&hidden, linear, gradients[layer]),
            hidden,
            output: FfnOutput { rms, residual_rms, relative: rms / residual_rms },
            linear,
            memories: memories(&watch.firing, &values, model.gpt.head(), &text, units)?,
        })
    };
    Ok(Inspection {
        shapes: Shapes::of(config),
        tokens: read,
        gradient_tokens: differentiated,
        layers: watches.into_iter().enumerate().map(finish).collect::<Result<_>>()?,
    })
}

/// The tokens cut into windows of one context, (windows, their length) to a pass: only the last window
/// may be shorter, and has a pass of its own.
pub(super) fn passes<'a>(tokens: &'a [u32], config: &ModelConfig) -> Vec<(&'a [u32], usize)> {
    let context = config.context;
    let together = TOKENS_PER_PASS.min(LOGITS_PER_PASS / config.vocab_size) / context;
    let (whole, rest) = tokens.split_at(tokens.len() / context * context);
    let windows = whole.chunks(together.max(1) * context).map(|pass| (pass, context));
    windows.chain((!rest.is_empty()).then_some((rest, rest.len()))).collect()
}

fn watch(model: &Model, (ids, length): (&[u32], usize), watches: &mut [Watch]) -> Result<()> {
    let ids = Tensor::from_slice(ids, (ids.len() / length, length), model.device())?;
    let mut seen = Ok(());
    let mut observer = |site: Site, layer: usize, x: &Tensor| {
        if seen.is_ok() {
            seen = watches[layer].see(site, x);
        }
    };
    model.gpt.observe(&ids, &mut Pass::default(), &mut observer)?;
    Ok(seen?)
}

/// What is collected of one layer.
struct Watch {
    residual: MeanSquare,
    output: MeanSquare,
    tally: Tally,
    firing: Firing,
    /// What the FFN read in this pass.
    input: Option<Tensor>,
    /// Tokens still to be fitted; those after them are scored.
    to_fit: usize,
    fitted: Sums,
    scored: Sums,
}

impl Watch {
    fn new(config: &ModelConfig, to_fit: usize) -> Result<Watch> {
        Ok(Watch {
            residual: MeanSquare::default(),
            output: MeanSquare::default(),
            tally: Tally::new(config.act.function, config.ffn_dim),
            firing: Firing::new(config.ffn_dim),
            input: None,
            to_fit,
            fitted: Sums::new(config.dim, config.dim)?,
            scored: Sums::new(config.dim, config.dim)?,
        })
    }

    fn see(&mut self, site: Site, x: &Tensor) -> candle_core::Result<()> {
        match site {
            Site::Residual => self.residual.add(x)?,
            Site::FfnInput => self.input = Some(x.clone()),
            Site::PreActivation => self.tally.add(&values(x)?),
            Site::FfnHidden => self.firing.add(&values(x)?),
            Site::FfnOutput => {
                self.output.add(x)?;
                if let Some(input) = self.input.take() {
                    self.split(&input, x)?;
                }
            }
        }
        Ok(())
    }

    /// Adds inputs and outputs (N, C) to the tokens to fit, and what is beyond them to those to score.
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

#[derive(Default)]
struct MeanSquare {
    squares: f64,
    count: usize,
}

impl MeanSquare {
    fn add(&mut self, x: &Tensor) -> candle_core::Result<()> {
        self.squares +=
            f64::from(x.sqr()?.mean_all()?.to_dtype(DType::F32)?.to_scalar::<f32>()?) * x.elem_count() as f64;
        self.count += x.elem_count();
        Ok(())
    }

    fn root(&self) -> f64 {
        (self.squares / self.count as f64).sqrt()
    }
}

#[cfg(test)]
mod tests;
