//! AdamW's state: running means of each gradient and of its square.

use crate::model::{ParamSpec, Params};
use anyhow::{Context, Result};
use candle_core::Tensor;
use std::collections::{BTreeMap, HashMap};

/// One tensor of each per parameter, in the parameters' order.
pub struct Moments {
    pub mean: Vec<Tensor>,
    pub square: Vec<Tensor>,
}

impl Moments {
    pub fn zeros(params: &Params) -> Result<Moments> {
        let zeros =
            || params.vars.iter().map(|var| var.zeros_like()).collect::<candle_core::Result<Vec<_>>>();
        Ok(Moments { mean: zeros()?, square: zeros()? })
    }

    /// By name, for a checkpoint: `{parameter}.m` and `{parameter}.v`.
    pub fn by_name(&self, params: &Params) -> BTreeMap<String, Tensor> {
        let named = |suffix: &'static str, moments: &[Tensor]| -> Vec<(String, Tensor)> {
            let names = params.specs.iter().map(|spec| format!("{}.{suffix}", spec.name));
            names.zip(moments.iter().cloned()).collect()
        };
        named("m", &self.mean).into_iter().chain(named("v", &self.square)).collect()
    }

    /// Names and shapes of [`Moments::by_name`].
    pub fn shapes(params: &Params) -> Vec<(String, Vec<usize>)> {
        let both = |spec: &ParamSpec| {
            ["m", "v"].map(|suffix| (format!("{}.{suffix}", spec.name), spec.shape.clone()))
        };
        params.specs.iter().flat_map(both).collect()
    }

    /// Restores what [`Moments::by_name`] gave.
    pub fn from_names(params: &Params, mut named: HashMap<String, Tensor>) -> Result<Moments> {
        let mut take = |suffix: &str| -> Result<Vec<Tensor>> {
            let one = |spec: &ParamSpec| {
                named
                    .remove(&format!("{}.{suffix}", spec.name))
                    .with_context(|| format!("no moments of {}", spec.name))
            };
            params.specs.iter().map(one).collect()
        };
        Ok(Moments { mean: take("m")?, square: take("v")? })
    }
}
