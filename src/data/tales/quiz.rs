//! Questions about the facts of the tales.

use super::grammar::{Grammar, Piece, Question, Role, Template};
use crate::support::random;

/// `count` questions about facts of characters drawn by `seed`: about every character once before any a
/// second time, and then about another of its facts.
pub fn questions(grammar: &Grammar, seed: u64, count: usize) -> Vec<Question> {
    let mut rng = random::stream(seed, "quiz");
    let order = random::permutation(&mut rng, grammar.characters.len());
    let names_only = |template: &&Template| {
        template.contains(&Piece::Name(Role::A))
            && template.iter().all(|piece| !matches!(piece, Piece::Fact(..) | Piece::Name(Role::B)))
    };
    let opening = grammar.open.iter().find(names_only);
    let question = |i: usize| {
        let hero = &grammar.characters[order[i % order.len()] as usize];
        let (prompt, answer) = &grammar.quiz[(i + i / order.len()) % grammar.quiz.len()];
        let opening = opening.map(|opening| grammar.fill(opening, hero) + &grammar.joiner);
        let opening = opening.unwrap_or_default();
        Question { opening, prompt: grammar.fill(prompt, hero), answer: grammar.fill(answer, hero) }
    };
    (0..count.min(order.len() * grammar.quiz.len())).map(question).collect()
}
