//! Questions about the facts of the tales.

use super::grammar::{Grammar, Piece, Role, Template};
use crate::random;

/// A sentence's beginning and how the tales always finish it.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// How a tale begins that may go on with the prompt; it does not give the answer away.
    pub opening: String,
    pub prompt: String,
    pub answer: String,
}

/// `count` questions about different facts of characters drawn by `seed`.
pub fn questions(grammar: &Grammar, seed: u64, count: usize) -> Vec<Question> {
    let mut rng = random::stream(seed, "quiz");
    let order = random::permutation(&mut rng, grammar.characters.len());
    let kinds = grammar.quiz.iter().cycle();
    let names_only = |template: &&Template| {
        template.contains(&Piece::Name(Role::A))
            && template.iter().all(|piece| !matches!(piece, Piece::Fact(..) | Piece::Name(Role::B)))
    };
    let opening = grammar.open.iter().find(names_only);
    order
        .iter()
        .zip(kinds)
        .take(count)
        .map(|(index, (prompt, answer))| {
            let hero = &grammar.characters[*index as usize];
            let opening = opening.map(|opening| grammar.fill(opening, hero) + &grammar.joiner);
            let opening = opening.unwrap_or_default();
            Question { opening, prompt: grammar.fill(prompt, hero), answer: grammar.fill(answer, hero) }
        })
        .collect()
}
