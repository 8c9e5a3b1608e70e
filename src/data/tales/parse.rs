//! Reading a tale back: every way in which the grammar can have written it.

use super::grammar::{Grammar, LENGTHS, Piece, Role, SHORTEST, Template};

/// What is known of a tale's characters while it is read.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Cast {
    hero: Option<usize>,
    friend: Option<usize>,
}

/// A way to have written the text so far.
#[derive(Clone, Copy, Debug)]
struct State {
    at: usize,
    cast: Cast,
    nats: f64,
}

impl Grammar {
    /// The surprisal of each derivation of a tale without extra facts, `text` ending in a newline.
    /// One entry says that the derivation is unambiguous, none that it is no tale.
    pub fn derivations(&self, text: &str) -> Vec<f64> {
        let start = State { at: 0, cast: Cast::default(), nats: (LENGTHS as f64).ln() };
        let mut states = self.sentence(text, &self.open, &[start]);
        let mut ends = Vec::new();
        for sentences in 1..SHORTEST + LENGTHS {
            states = self.sentence(text, &self.body, &self.joined(text, &states));
            if sentences >= SHORTEST {
                let closed = self.sentence(text, &self.close, &self.joined(text, &states));
                ends.extend(closed.iter().filter(|state| &text[state.at..] == "\n").map(|state| state.nats));
            }
        }
        ends
    }

    /// Steps over what stands between two sentences.
    fn joined(&self, text: &str, states: &[State]) -> Vec<State> {
        let after = |state: &State| {
            text[state.at..]
                .starts_with(&self.joiner)
                .then(|| State { at: state.at + self.joiner.len(), ..*state })
        };
        states.iter().filter_map(after).collect()
    }

    fn sentence(&self, text: &str, templates: &[Template], states: &[State]) -> Vec<State> {
        let cost = (templates.len() as f64).ln();
        let mut ends = Vec::new();
        for state in states {
            for template in templates {
                let mut ways = vec![State { nats: state.nats + cost, ..*state }];
                for piece in template {
                    ways = ways.iter().flat_map(|way| self.piece(text, piece, way)).collect();
                }
                ends.extend(ways);
            }
        }
        ends
    }

    fn piece(&self, text: &str, piece: &Piece, state: &State) -> Vec<State> {
        let says = |value: &str| text[state.at..].starts_with(value);
        match piece {
            Piece::Text(value) => {
                says(value).then(|| State { at: state.at + value.len(), ..*state }).into_iter().collect()
            }
            Piece::Slot(slot) => {
                let values = &self.slots[slot];
                let step = |value: &&String| says(value);
                let cost = (values.len() as f64).ln();
                values
                    .iter()
                    .filter(step)
                    .map(|value| State { at: state.at + value.len(), nats: state.nats + cost, ..*state })
                    .collect()
            }
            Piece::Name(role) => {
                self.spoken(state, *role, |index| self.characters[index].name.as_str(), says)
            }
            Piece::Fact(role, fact) => {
                self.spoken(state, *role, |index| self.characters[index].facts[fact].as_str(), says)
            }
        }
    }

    /// The ways to go on with `value` of the character in a role, drawing it if it is not yet known.
    fn spoken<'a>(
        &'a self,
        state: &State,
        role: Role,
        value: impl Fn(usize) -> &'a str,
        says: impl Fn(&str) -> bool,
    ) -> Vec<State> {
        let all = self.characters.len();
        let (known, taken) = match role {
            Role::A => (state.cast.hero, state.cast.friend),
            Role::B => (state.cast.friend, state.cast.hero),
        };
        let candidates = match known {
            Some(index) => index..index + 1,
            None => 0..all,
        };
        let cost = match (known, taken) {
            (Some(_), _) => 0.0,
            (None, None) => (all as f64).ln(),
            (None, Some(_)) => (all as f64 - 1.0).ln(),
        };
        candidates
            .filter(|index| Some(*index) != taken && says(value(*index)))
            .map(|index| State {
                at: state.at + value(index).len(),
                nats: state.nats + cost,
                cast: match role {
                    Role::A => Cast { hero: Some(index), ..state.cast },
                    Role::B => Cast { friend: Some(index), ..state.cast },
                },
            })
            .collect()
    }
}
