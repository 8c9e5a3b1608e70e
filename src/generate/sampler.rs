//! Choosing the next token: llama.cpp's chain, with its names and in its order.

use crate::support::failure::Failure;
use crate::support::random::{self, Stream};
use anyhow::Result;
use std::cmp::Ordering;
use std::collections::HashSet;

/// How to choose. The order of application is the order of the fields.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampling {
    /// Divides the logits of tokens seen lately where positive, multiplies them where negative
    /// (Keskar et al. 2019); 1 is off.
    pub repeat_penalty: f64,
    /// Keep the k most likely tokens; 0 is off.
    pub top_k: usize,
    /// Keep the most likely tokens until their probabilities reach p (Holtzman et al. 2020); 1 is off.
    pub top_p: f64,
    /// Keep tokens at least p times as likely as the likeliest (Nguyen et al. 2024); 0 is off.
    pub min_p: f64,
    /// Divides the logits; 0 takes the likeliest token.
    pub temperature: f64,
    pub seed: u64,
}

impl Sampling {
    /// llama.cpp's defaults.
    pub const DEFAULT: Sampling =
        Sampling { repeat_penalty: 1.0, top_k: 40, top_p: 0.95, min_p: 0.05, temperature: 0.8, seed: 1 };

    /// How many of the likeliest tokens are looked at; 0 for all.
    fn kept(&self) -> usize {
        if self.temperature == 0.0 { 1 } else { self.top_k }
    }
}

/// Logits that are looked at together.
const BLOCK: usize = 64;

/// Tokens that the repeat penalty looks back on, as in llama.cpp.
const PENALTY_WINDOW: usize = 64;

/// Draws tokens with a state of its own.
pub struct Sampler {
    sampling: Sampling,
    rng: Stream,
    /// Ids that are never chosen, in ascending order.
    excluded: Vec<u32>,
}

#[derive(Clone, Copy)]
struct Candidate {
    id: u32,
    logit: f64,
}

impl Candidate {
    /// The likelier one first. Ties go to the smaller id, so that the order is the same everywhere.
    fn likelier(&self, other: &Candidate) -> Ordering {
        other.logit.total_cmp(&self.logit).then(self.id.cmp(&other.id))
    }
}

impl Sampler {
    /// `sample` numbers the texts that one command generates.
    pub fn new(sampling: Sampling, sample: usize) -> Sampler {
        let rng = random::stream(sampling.seed, &format!("sample {sample}"));
        Sampler { sampling, rng, excluded: Vec::new() }
    }

    /// Never chooses these ids from now on; they are in ascending order. They don't count as candidates.
    pub fn exclude(&mut self, ids: Vec<u32>) {
        self.excluded = ids;
    }

    /// The token to follow `history`, from the model's `logits` (V).
    ///
    /// # Errors
    /// If a logit is not a finite number.
    pub fn choose(&mut self, logits: &[f32], history: &[u32]) -> Result<u32> {
        // By blocks without an early exit inside them, which is what SIMD can do.
        let finite = |block: &[f32]| block.iter().fold(true, |all, logit| all & logit.is_finite());
        if !logits.chunks(BLOCK).all(finite) {
            return Err(Failure::Diverged(
                "the model's predictions are no numbers: its training diverged".into(),
            )
            .into());
        }
        let sampling = &self.sampling;
        let mut logits = logits.to_vec();
        let lately: HashSet<u32> = history.iter().rev().take(PENALTY_WINDOW).copied().collect();
        for id in lately {
            if let Some(logit) = logits.get_mut(id as usize) {
                let penalty = sampling.repeat_penalty as f32;
                *logit = if *logit > 0.0 { *logit / penalty } else { *logit * penalty };
            }
        }
        let kept = sampling.kept();
        let kept = if kept == 0 { logits.len() } else { kept };
        let mut candidates = likeliest(&logits, kept + self.excluded.len());
        candidates.retain(|candidate| self.excluded.binary_search(&candidate.id).is_err());
        candidates.truncate(kept);
        if sampling.temperature == 0.0 {
            return Ok(candidates[0].id);
        }
        let mut mass = 0.0;
        let wanted = probabilities(&candidates, 1.0)
            .iter()
            .position(|p| {
                mass += p;
                mass >= sampling.top_p
            })
            .map_or(candidates.len(), |last| last + 1);
        candidates.truncate(wanted);
        let floor = candidates[0].logit + sampling.min_p.ln();
        candidates.retain(|candidate| candidate.logit >= floor);
        Ok(self.draw(&candidates))
    }

    fn draw(&mut self, candidates: &[Candidate]) -> u32 {
        let mut left = random::uniform(&mut self.rng);
        for (candidate, p) in candidates.iter().zip(probabilities(candidates, self.sampling.temperature)) {
            left -= p;
            if left < 0.0 {
                return candidate.id;
            }
        }
        candidates[candidates.len() - 1].id
    }
}

/// The `count` likeliest tokens, the likeliest first.
fn likeliest(logits: &[f32], count: usize) -> Vec<Candidate> {
    let count = count.min(logits.len());
    // At least `count` tokens reach the count-th largest of the blocks' largest logits: no other can be
    // among the likeliest, and only these need an order.
    let largest =
        |block: &[f32]| block.iter().copied().fold(f32::NEG_INFINITY, |a, b| if b > a { b } else { a });
    let mut blocks: Vec<f32> = logits.chunks(BLOCK).map(largest).collect();
    let bound = match blocks.len() {
        blocks_count if blocks_count < count => f32::NEG_INFINITY,
        _ => *blocks.select_nth_unstable_by(count.saturating_sub(1), |a, b| b.total_cmp(a)).1,
    };
    let mut candidates: Vec<Candidate> = (0..)
        .zip(logits)
        .filter(|(_, logit)| **logit >= bound)
        .map(|(id, logit)| Candidate { id, logit: f64::from(*logit) })
        .collect();
    candidates.sort_unstable_by(Candidate::likelier);
    candidates.truncate(count);
    candidates
}

/// Softmax of the candidates' logits over `temperature`; they are sorted, the largest first.
fn probabilities(candidates: &[Candidate], temperature: f64) -> Vec<f64> {
    let powers: Vec<f64> =
        candidates.iter().map(|c| ((c.logit - candidates[0].logit) / temperature).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.iter().map(|power| power / sum).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFF: Sampling =
        Sampling { repeat_penalty: 1.0, top_k: 0, top_p: 1.0, min_p: 0.0, temperature: 1.0, seed: 1 };

    /// Logits of tokens with probabilities 0.5, 0.25, 0.15, 0.1.
    fn logits() -> Vec<f32> {
        [0.5f32, 0.25, 0.15, 0.1].map(f32::ln).to_vec()
    }

    fn shares(sampling: Sampling, history: &[u32]) -> Vec<f64> {
        let mut sampler = Sampler::new(sampling, 0);
        let draws = 20_000;
        let mut counts = vec![0.0; 4];
        for _ in 0..draws {
            counts[sampler.choose(&logits(), history).unwrap() as usize] += 1.0 / f64::from(draws);
        }
        counts
    }

    fn close(shares: &[f64], expected: [f64; 4]) {
        for (got, want) in shares.iter().zip(expected) {
            // Five standard errors of a share over 20,000 draws.
            assert!((got - want).abs() < 0.018, "{shares:?}, expected {expected:?}");
        }
    }

    #[test]
    fn unfiltered_sampling_follows_the_model_probabilities() {
        close(&shares(OFF, &[]), [0.5, 0.25, 0.15, 0.1]);
    }

    #[test]
    fn temperature_zero_picks_the_most_likely_token() {
        let mut sampler = Sampler::new(Sampling { temperature: 0.0, ..OFF }, 0);
        assert!((0..100).all(|_| sampler.choose(&logits(), &[]).unwrap() == 0));
    }

    /// Against a sort of everything, with ties and with fewer tokens than are asked for.
    #[test]
    fn top_k_selection_matches_a_full_sort() {
        for (tokens, count) in [(1000, 1), (1000, 7), (1000, 40), (1000, 1000), (30, 40), (1, 1)] {
            let logits: Vec<f32> = (0..tokens).map(|i| ((i * 7919) % 97) as f32).collect();
            let mut order: Vec<u32> = (0..tokens).collect();
            order.sort_by(|a, b| logits[*b as usize].total_cmp(&logits[*a as usize]).then(a.cmp(b)));
            let found: Vec<u32> = likeliest(&logits, count).iter().map(|candidate| candidate.id).collect();
            assert_eq!(found, order[..count.min(tokens as usize)], "{count} of {tokens}");
        }
    }

    /// Even the likeliest, with every filter on and off, and the others keep their places.
    #[test]
    fn excluded_tokens_are_never_sampled_and_do_not_count_toward_top_k() {
        let without_the_likeliest = |sampling: Sampling| {
            let mut sampler = Sampler::new(sampling, 0);
            sampler.exclude(vec![0]);
            let mut counts = [0.0; 4];
            for _ in 0..20_000 {
                counts[sampler.choose(&logits(), &[]).unwrap() as usize] += 1.0 / 20_000.0;
            }
            counts
        };
        close(&without_the_likeliest(OFF), [0.0, 0.5, 0.3, 0.2]);
        close(&without_the_likeliest(Sampling { top_k: 2, ..OFF }), [0.0, 0.625, 0.375, 0.0]);
        close(&without_the_likeliest(Sampling { temperature: 0.0, ..OFF }), [0.0, 1.0, 0.0, 0.0]);
    }

    #[test]
    fn temperature_one_half_squares_the_odds() {
        let squares = [0.25, 0.0625, 0.0225, 0.01];
        let sum: f64 = squares.iter().sum();
        close(&shares(Sampling { temperature: 0.5, ..OFF }, &[]), squares.map(|s| s / sum));
    }

    #[test]
    fn sampling_filters_keep_the_documented_tokens() {
        close(&shares(Sampling { top_k: 2, ..OFF }, &[]), [2.0 / 3.0, 1.0 / 3.0, 0.0, 0.0]);
        close(&shares(Sampling { top_p: 0.7, ..OFF }, &[]), [2.0 / 3.0, 1.0 / 3.0, 0.0, 0.0]);
        close(&shares(Sampling { min_p: 0.29, ..OFF }, &[]), [0.5 / 0.9, 0.25 / 0.9, 0.15 / 0.9, 0.0]);
    }

    #[test]
    fn the_repeat_penalty_makes_repeated_tokens_less_likely() {
        let seen = shares(Sampling { repeat_penalty: 2.0, ..OFF }, &[0]);
        // The negative logit ln 0.5 doubles: 0.25 before normalising.
        close(&seen, [0.25 / 0.75, 0.25 / 0.75, 0.15 / 0.75, 0.1 / 0.75]);
    }

    #[test]
    fn the_same_seed_draws_the_same_tokens() {
        let draw = |seed| {
            let mut sampler = Sampler::new(Sampling { seed, ..OFF }, 0);
            (0..50).map(|_| sampler.choose(&logits(), &[]).unwrap()).collect::<Vec<u32>>()
        };
        assert_eq!(draw(3), draw(3));
        assert_ne!(draw(3), draw(4));
    }
}
