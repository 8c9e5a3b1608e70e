//! Looking at what a forward pass computes on its way.

use super::gpt::{Gpt, Pass};
use candle_core::{Result, Tensor};
use candle_nn::Module;

/// A place in the forward pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Site {
    /// The residual stream that the FFN adds to, (N, C).
    Residual,
    /// What the FFN reads, (N, C).
    FfnInput,
    /// The argument of the activation, (N, F).
    PreActivation,
    /// What the down projection reads, (N, F).
    FfnHidden,
    /// What the FFN adds to the residual stream, (N, C).
    FfnOutput,
}

impl Gpt {
    /// [`Gpt::forward`] that shows `observer` (site, layer, values) as it goes, one row per token.
    ///
    /// # Errors
    /// As [`Gpt::forward`].
    pub fn observe(
        &self,
        ids: &Tensor,
        pass: &mut Pass,
        observer: &mut dyn FnMut(Site, usize, &Tensor),
    ) -> Result<Tensor> {
        let (mut x, at) = self.embed(ids, pass)?; // (B, T, C)
        for (layer, block) in self.blocks.iter().enumerate() {
            let mut show = |site: Site, values: &Tensor| -> Result<()> {
                observer(site, layer, &values.flatten_to(1)?);
                Ok(())
            };
            x = block.attend(&x, layer, &at, pass)?;
            show(Site::Residual, &x)?;
            let input = block.ffn_norm.forward(&x)?;
            show(Site::FfnInput, &input)?;
            let hidden = block.ffn.hidden(&input)?;
            show(Site::PreActivation, &hidden.pre_activation)?;
            show(Site::FfnHidden, &hidden.units)?;
            let output = block.ffn.down.forward(&hidden.units)?;
            show(Site::FfnOutput, &output)?;
            x = (x + pass.drop(output, layer, "ffn")?)?;
            if !pass.learning {
                x = x.detach();
            }
        }
        self.unembed(&x.flatten_to(1)?)
    }
}
