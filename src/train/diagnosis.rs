//! Where a value that is no finite number first appears.

use crate::model::{Dropout, Gradients, Model, Pass, Site};
use anyhow::Result;
use candle_core::{DType, Tensor};

/// Looks for the first value that is not finite in the order of the computation: parameters, one more
/// forward pass over `ids` (windows of one context, one after the other), gradients.
///
/// Layers are counted from 0, as in the parameters' names.
pub fn first_bad(
    model: &Model,
    ids: &[u32],
    dropout: Option<Dropout>,
    gradients: &Gradients,
) -> Result<Option<String>> {
    let params = &model.params;
    for (spec, var) in params.iter() {
        if !is_finite(var)? {
            return Ok(Some(format!("in the parameter {}", spec.name)));
        }
    }
    if let Some(place) = first_bad_value(model, ids, dropout)? {
        return Ok(Some(format!("in {place}")));
    }
    // Backward from the loss: the last parameter is the first to get its gradient.
    let bad = gradients.are_finite()?.into_iter().rposition(|finite| !finite);
    Ok(bad.map(|i| format!("in the gradient of {}", params.specs()[i].name)))
}

fn first_bad_value(model: &Model, ids: &[u32], dropout: Option<Dropout>) -> Result<Option<String>> {
    let context = ids.len().min(model.config.context);
    let ids = Tensor::from_slice(ids, (ids.len() / context, context), model.device())?;
    let mut found = None;
    let mut observer = |site: Site, layer: usize, x: &Tensor| {
        // What cannot be looked at is passed over: this is the message of an error already.
        if found.is_none() && !is_finite(x).unwrap_or(true) {
            found = Some((site, layer));
        }
    };
    let logits = model.gpt.observe(&ids, &mut Pass { dropout, ..Pass::default() }, &mut observer)?;
    if let Some((site, layer)) = found {
        let part = match site {
            Site::Residual => "the attention",
            Site::FfnInput => "the norm before the FFN",
            Site::PreActivation => "the FFN's pre-activations",
            Site::FfnHidden => "the FFN's hidden units",
            Site::FfnOutput => "the FFN's output",
        };
        return Ok(Some(format!("{part} of layer {layer}")));
    }
    Ok((!is_finite(&logits)?).then(|| "the output head".to_string()))
}

fn is_finite(x: &Tensor) -> candle_core::Result<bool> {
    let values: Vec<f32> = x.flatten_all()?.to_dtype(DType::F32)?.to_vec1()?;
    Ok(values.iter().all(|value| value.is_finite()))
}
