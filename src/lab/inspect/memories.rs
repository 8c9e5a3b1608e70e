//! Hidden units as key-value memories (Geva et al. 2021, "Transformer Feed-Forward Layers Are Key-Value Memories"). A
//! unit's row of the up projection is a key that some contexts match. Its row of the down projection is a value, which
//! is added to the residual stream as strongly as they match.

use crate::data::Tokenizer;
use anyhow::Result;
use candle_core::{DType, Device, Tensor};
use serde::Serialize;

/// Contexts kept per unit.
const TRIGGERS: usize = 3;
/// Tokens shown of each context.
const CONTEXT_TOKENS: usize = 12;
/// Promoted tokens kept per unit.
const PROMOTED: usize = 5;
/// The most logits computed at a time.
const LOGITS: usize = 1 << 25;

/// The memories of one layer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct UnitMemories {
    /// Share of the units that fired whose most promoted token is the one that follows their first trigger (Geva et al.
    /// 2021, section 4).
    pub agreement: f64,
    /// The mean of that share over all ways to assign the triggers to the units.
    pub chance: f64,
    /// Units that fired at all.
    pub fired: usize,
    /// The strongest units, in descending order.
    pub units: Vec<UnitMemory>,
}

/// One unit. Its coefficient is the factor of its value: f(x), times the other half in a gated FFN.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct UnitMemory {
    pub unit: usize,
    /// Mean of |coefficient| over the tokens.
    pub mean_coefficient: f64,
    /// Euclidean length of its value.
    pub value_norm: f64,
    /// The contexts with the largest |coefficient|.
    pub triggers: Vec<Trigger>,
    /// Tokens with the largest logits of its value.
    pub promoted: Vec<Promoted>,
    /// Tokens with the largest logits of its negated value. None if its coefficient is never negative.
    pub promoted_when_negative: Option<Vec<Promoted>>,
}

/// A context that fires a unit.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Trigger {
    pub coefficient: f64,
    /// The last tokens that the model had read when the unit fired.
    pub context: String,
    /// The token that follows in the text.
    pub next: String,
}

/// A token that a value promotes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Promoted {
    pub token: String,
    /// The value's product with the token's row of the unembedding, without the final norm.
    pub logit: f64,
}

/// Collects how strongly each unit of a layer fires, and where, some tokens at a time.
pub struct Firing {
    tokens: usize,
    units: Vec<UnitFiring>,
}

#[derive(Clone, Default)]
struct UnitFiring {
    /// Sum of |coefficient|.
    magnitude: f64,
    negative: bool,
    /// (coefficient, token's place in the text) in descending order of |coefficient|.
    strongest: Vec<(f32, usize)>,
}

impl Firing {
    pub fn new(units: usize) -> Firing {
        Firing { tokens: 0, units: vec![UnitFiring::default(); units] }
    }

    /// Adds the coefficients (N, F) of the next N tokens, row by row.
    pub fn add(&mut self, coefficients: &[f32]) {
        for row in coefficients.chunks_exact(self.units.len()) {
            for (unit, coefficient) in self.units.iter_mut().zip(row) {
                unit.add(*coefficient, self.tokens);
            }
            self.tokens += 1;
        }
    }
}

impl UnitFiring {
    fn add(&mut self, coefficient: f32, place: usize) {
        self.magnitude += f64::from(coefficient.abs());
        self.negative |= coefficient < 0.0;
        let weakest = self.strongest.get(TRIGGERS - 1).map_or(0.0, |(weakest, _)| weakest.abs());
        if coefficient.abs() > weakest {
            let at = self.strongest.partition_point(|(kept, _)| kept.abs() >= coefficient.abs());
            self.strongest.insert(at, (coefficient, place));
            self.strongest.truncate(TRIGGERS);
        }
    }
}

/// The text that the units fired on.
pub struct TokenText<'a> {
    /// The tokens read, and the one that follows them.
    pub tokens: &'a [u32],
    /// The model read windows of this many tokens.
    pub context: usize,
    pub tokenizer: &'a Tokenizer,
}

impl TokenText<'_> {
    fn trigger(&self, &(coefficient, place): &(f32, usize)) -> Result<Trigger> {
        // The model reads nothing before the window of this token.
        let start = (place / self.context * self.context).max((place + 1).saturating_sub(CONTEXT_TOKENS));
        Ok(Trigger {
            coefficient: f64::from(coefficient),
            context: self.tokenizer.decode(&self.tokens[start..=place])?,
            next: self.tokenizer.token(self.tokens[place + 1])?,
        })
    }

    /// The tokens with the largest `sign` x logit.
    fn promoted(&self, logits: &[f32], sign: f32) -> Result<Vec<Promoted>> {
        let mut ids: Vec<u32> = (0..logits.len() as u32).collect();
        let logit = |id: u32| sign * logits[id as usize];
        ids.sort_by(|a, b| logit(*b).total_cmp(&logit(*a)));
        let promoted =
            |id: u32| Ok(Promoted { token: self.tokenizer.token(id)?, logit: f64::from(logit(id)) });
        ids.into_iter().take(PROMOTED).map(promoted).collect()
    }
}

/// The memories of a layer whose units have these `values` (F, C), with the `head` (V, C). Describes the `most`
/// strongest units by |value| x mean |coefficient|.
pub fn memories(
    firing: &Firing,
    values: &Tensor,
    head: &Tensor,
    text: &TokenText,
    most: usize,
) -> Result<UnitMemories> {
    // Per unit that fired: its most promoted token under its first trigger's sign, and the token that follows.
    let mut pairs = Vec::new();
    let at_once = (LOGITS / head.dims()[0]).max(1);
    for start in (0..firing.units.len()).step_by(at_once) {
        let count = at_once.min(firing.units.len() - start);
        let logits = logits(&values.narrow(0, start, count)?, head)?;
        for (unit, logits) in firing.units[start..].iter().zip(&logits) {
            if let Some((coefficient, place)) = unit.strongest.first() {
                pairs.push((largest(logits, coefficient.signum()), text.tokens[place + 1]));
            }
        }
    }
    let (agreement, chance) = agreement(&pairs);
    let norms: Vec<f32> = values.sqr()?.sum(1)?.sqrt()?.to_dtype(DType::F32)?.to_vec1()?;
    let strength = |unit: usize| f64::from(norms[unit]) * firing.units[unit].magnitude;
    let mut order: Vec<usize> = (0..norms.len()).filter(|unit| strength(*unit) > 0.0).collect();
    order.sort_by(|a, b| strength(*b).total_cmp(&strength(*a)));
    let describe = |unit: usize| {
        let own = &firing.units[unit];
        let logits = logits(&values.narrow(0, unit, 1)?, head)?.concat();
        Ok(UnitMemory {
            unit,
            mean_coefficient: own.magnitude / firing.tokens as f64,
            value_norm: f64::from(norms[unit]),
            triggers: own.strongest.iter().map(|place| text.trigger(place)).collect::<Result<_>>()?,
            promoted: text.promoted(&logits, 1.0)?,
            promoted_when_negative: own.negative.then(|| text.promoted(&logits, -1.0)).transpose()?,
        })
    };
    let units = order.into_iter().take(most).map(describe).collect::<Result<_>>()?;
    Ok(UnitMemories { agreement, chance, fired: pairs.len(), units })
}

/// The share of pairs of equal tokens, and its mean over all permutations of their second tokens.
fn agreement(pairs: &[(u32, u32)]) -> (f64, f64) {
    let count = pairs.len().max(1) as f64;
    let equal = pairs.iter().filter(|(promoted, next)| promoted == next).count();
    let mut nexts = std::collections::HashMap::new();
    for (_, next) in pairs {
        *nexts.entry(next).or_insert(0usize) += 1;
    }
    let mixed: usize = pairs.iter().filter_map(|(promoted, _)| nexts.get(promoted)).sum();
    (equal as f64 / count, mixed as f64 / (count * count))
}

/// Values (N, C) with the head (V, C) -> logits (N, V).
fn logits(values: &Tensor, head: &Tensor) -> Result<Vec<Vec<f32>>> {
    let logits = values.contiguous()?.matmul(&head.t()?)?;
    Ok(logits.to_device(&Device::Cpu)?.to_dtype(DType::F32)?.to_vec2()?)
}

/// The token with the largest `sign` x logit, and the first of equals.
fn largest(logits: &[f32], sign: f32) -> u32 {
    let better = |best: usize, id: usize| if sign * logits[id] > sign * logits[best] { id } else { best };
    (0..logits.len()).reduce(better).unwrap_or_default() as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_is_the_mean_over_all_permutations() {
        let pairs = [(1, 1), (2, 1), (3, 3), (1, 2)];
        let (share, chance) = agreement(&pairs);
        assert_eq!(share, 0.5);
        // All 24 orders of the second tokens, counted one by one.
        let nexts: Vec<u32> = pairs.iter().map(|(_, next)| *next).collect();
        let (mut equal, mut orders) = (0, 0);
        for order in (0..256usize).map(|code| [code & 3, code >> 2 & 3, code >> 4 & 3, code >> 6 & 3]) {
            let mut seen = order;
            seen.sort_unstable();
            if seen == [0, 1, 2, 3] {
                orders += 1;
                equal += pairs.iter().zip(order).filter(|((promoted, _), i)| *promoted == nexts[*i]).count();
            }
        }
        assert_eq!(orders, 24);
        assert!((chance - equal as f64 / (24.0 * 4.0)).abs() < 1e-12, "{chance}");
    }

    #[test]
    fn the_largest_positive_and_negative_coefficients_are_kept_in_order() {
        let mut firing = Firing::new(1);
        firing.add(&[0.0, 1.0, -3.0]);
        firing.add(&[2.0, 0.5, -3.0]);
        assert_eq!(firing.units[0].strongest, [(-3.0, 2), (-3.0, 5), (2.0, 3)]);
        assert!((firing.units[0].magnitude - 9.5).abs() < 1e-12 && firing.units[0].negative);
    }
}
