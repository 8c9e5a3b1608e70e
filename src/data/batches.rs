//! Batches: a pure function of (seed, step).
//!
//! Each epoch cuts the text into windows of one context, shifted by an offset of its own, and
//! visits them in an order of its own. Nothing is drawn while training, so a run resumed from a
//! step number reads exactly what the undisturbed run would have read.

use crate::bail_input;
use crate::support::numbers::counted;
use crate::support::random;
use anyhow::Result;

/// B windows: what the model reads, and what it should say next, each B T ids in row order. Fewer ids than one
/// context are one shorter window.
#[derive(Clone, Debug, PartialEq)]
pub struct Batch {
    pub inputs: Vec<u32>,
    pub targets: Vec<u32>,
}

impl Batch {
    /// The first `tokens` of the first window, as a batch of one shorter window.
    pub fn first(&self, tokens: usize) -> Batch {
        Batch { inputs: self.inputs[..tokens].to_vec(), targets: self.targets[..tokens].to_vec() }
    }
}

/// The windows of one epoch, in order.
struct Epoch {
    number: usize,
    offset: usize,
    order: Vec<u32>,
}

/// Serves the batches of a token sequence.
pub struct Batches<'a> {
    tokens: &'a [u32],
    context: usize,
    batch_size: usize,
    seed: u64,
    current: Option<Epoch>,
}

impl<'a> Batches<'a> {
    /// # Errors
    /// If the text is shorter than one window.
    pub fn new(tokens: &'a [u32], context: usize, batch_size: usize, seed: u64) -> Result<Self> {
        if tokens.len() <= context {
            bail_input!(
                "the training text has {}; a context of {context} needs at least {}: use a longer text or a smaller --context",
                counted(tokens.len(), "token"),
                context + 1
            );
        }
        Ok(Batches { tokens, context, batch_size, seed, current: None })
    }

    /// Windows in an epoch. One is given up where the text allows, so that offsets can vary.
    pub fn windows(&self) -> usize {
        ((self.tokens.len() - self.context) / self.context).max(1)
    }

    /// Batch number `index` of the run, from 0.
    pub fn get(&mut self, index: usize) -> Batch {
        let mut batch = Batch { inputs: Vec::new(), targets: Vec::new() };
        for row in 0..self.batch_size {
            let start = self.window(index * self.batch_size + row);
            batch.inputs.extend(&self.tokens[start..start + self.context]);
            batch.targets.extend(&self.tokens[start + 1..start + self.context + 1]);
        }
        batch
    }

    /// Where the run's window number `index` begins.
    fn window(&mut self, index: usize) -> usize {
        let (number, place) = (index / self.windows(), index % self.windows());
        let epoch = match self.current.take() {
            Some(epoch) if epoch.number == number => epoch,
            _ => self.epoch(number),
        };
        let start = epoch.offset + epoch.order[place] as usize * self.context;
        self.current = Some(epoch);
        start
    }

    fn epoch(&self, number: usize) -> Epoch {
        let mut rng = random::stream(self.seed, &format!("epoch {number}"));
        let windows = self.windows();
        let spare = self.tokens.len() - 1 - windows * self.context;
        let offsets = spare.min(self.context - 1) + 1;
        Epoch {
            number,
            offset: random::below(&mut rng, offsets as u64) as usize,
            order: random::permutation(&mut rng, windows),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn batches_depend_only_on_seed_and_step() {
        let tokens: Vec<u32> = (0..1000).collect();
        let mut straight = Batches::new(&tokens, 10, 4, 1).unwrap();
        let run: Vec<Batch> = (0..60).map(|i| straight.get(i)).collect();
        for i in [59, 3, 30] {
            assert_eq!(Batches::new(&tokens, 10, 4, 1).unwrap().get(i), run[i]);
        }
        assert_ne!(Batches::new(&tokens, 10, 4, 2).unwrap().get(0), run[0]);
    }

    #[test]
    fn an_epoch_reads_every_window_once_with_shifted_targets() {
        let tokens: Vec<u32> = (0..1000).collect();
        let mut batches = Batches::new(&tokens, 10, 1, 5).unwrap();
        for epoch in 0..3 {
            let mut starts = Vec::new();
            for i in 0..batches.windows() {
                let batch = batches.get(epoch * batches.windows() + i);
                let next: Vec<u32> = batch.inputs.iter().map(|t| t + 1).collect();
                assert_eq!(batch.targets, next);
                starts.push(batch.inputs[0]);
            }
            starts.sort_unstable();
            assert!(starts.windows(2).all(|pair| pair[1] - pair[0] == 10), "{starts:?}");
        }
    }

    #[test]
    fn texts_shorter_than_one_window_are_rejected() {
        let tokens: Vec<u32> = (0..11).collect();
        assert_eq!(Batches::new(&tokens, 10, 1, 1).unwrap().get(7).inputs, (0..10).collect::<Vec<u32>>());
        let error = Batches::new(&tokens[..10], 10, 1, 1).err().unwrap().to_string();
        assert!(error.contains("10 tokens") && error.contains("11"), "{error}");
    }
}
