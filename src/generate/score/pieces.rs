//! A text in pieces: how much a loss owes to which text happened to be held out.

use super::Score;

/// At least so many documents are pieces by themselves; at most so many pieces there are.
const LEAST_DOCUMENTS: usize = 20;
const MOST_DOCUMENTS: usize = 1000;
/// Pieces of a text that is not in documents.
const RUNS: usize = 100;

/// The losses of a text by its documents or, where it has few, by runs of equal length.
#[derive(Clone, Debug, PartialEq)]
pub struct Pieces {
    /// Where each piece ends, in tokens.
    ends: Vec<usize>,
    /// The sum of each piece's losses, nats.
    pub nats: Vec<f64>,
    /// Tokens of each that are scored.
    pub tokens: Vec<usize>,
}

impl Pieces {
    /// Cuts a text, whose documents end with `separator` if it has any, into pieces that are not
    /// shorter than the context: neighbouring tokens share what the model read.
    pub fn of(tokens: &[u32], separator: Option<u32>, context: usize) -> Pieces {
        let is_end = |(i, token): (usize, &u32)| (Some(*token) == separator).then_some(i + 1);
        let mut ends: Vec<usize> = tokens.iter().enumerate().filter_map(is_end).collect();
        if ends.len() >= LEAST_DOCUMENTS {
            let together = ends.len().div_ceil(MOST_DOCUMENTS);
            ends = ends.chunks(together).filter_map(|chunk| chunk.last().copied()).collect();
        } else {
            let length = tokens.len().div_ceil(RUNS).max(context).max(1);
            ends = (0..tokens.len()).step_by(length).map(|start| start + length).collect();
        }
        // What follows the last separator belongs to the last piece.
        if let Some(last) = ends.last_mut() {
            *last = tokens.len();
        }
        let count = ends.len();
        Pieces { ends, nats: vec![0.0; count], tokens: vec![0; count] }
    }

    /// Adds the loss of the token at `index`.
    pub fn add(&mut self, index: usize, nats: f64) {
        let piece = self.ends.partition_point(|end| *end <= index);
        self.nats[piece] += nats;
        self.tokens[piece] += 1;
    }

    /// The score of the whole text, which has so many bytes, or of which tokens drop some.
    pub fn score(&self, bytes: Option<usize>) -> Score {
        Score { nats: self.nats.iter().sum(), tokens: self.tokens.iter().sum(), bytes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bootstrap_pieces_are_documents_or_equal_token_runs() {
        // 30 documents of 9 tokens and a separator, and a rest.
        let documents: Vec<u32> = (0..305).map(|i| if i % 10 == 9 { 0 } else { 1 }).collect();
        let mut pieces = Pieces::of(&documents, Some(0), 4);
        assert_eq!(pieces.ends.len(), 30);
        [0, 8, 10, 299, 304].iter().for_each(|i| pieces.add(*i, 1.0));
        assert_eq!((pieces.tokens[0], pieces.tokens[1], pieces.tokens[29]), (2, 1, 2));

        let runs = Pieces::of(&vec![1; 1050], None, 4);
        assert_eq!((runs.ends.len(), runs.ends[0], runs.ends.last()), (96, 11, Some(&1050)));
        // Never shorter than the context.
        assert_eq!(Pieces::of(&vec![1; 1050], None, 100).ends.len(), 11);
    }

    #[test]
    fn bootstrap_pieces_are_limited_to_a_thousand() {
        let documents: Vec<u32> = (0..6000).map(|i| i % 2).collect();
        let pieces = Pieces::of(&documents, Some(1), 4);
        assert_eq!(pieces.ends.len(), 1000);
        assert_eq!(pieces.ends.last(), Some(&6000));
    }
}
