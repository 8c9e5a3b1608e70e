//! Promises of the tales: their probability is exact, their facts are constant.

use super::grammar::{LENGTHS, Piece, Role, SHORTEST, Template};
use super::*;
use crate::support::random;

const BOTH: [&str; 2] = ["tales", "tales:ja"];

fn grammar(name: &str) -> Grammar {
    name.parse::<Tales>().unwrap().grammar().unwrap()
}

#[test]
fn each_tale_has_one_derivation_with_the_generators_probability() {
    for name in BOTH {
        let grammar = grammar(name);
        let mut rng = random::stream(5, "derivations");
        for _ in 0..500 {
            let tale = grammar.tale(&mut rng);
            let derivations = grammar.derivations(&tale.text);
            assert_eq!(derivations.len(), 1, "{}", tale.text);
            assert!((derivations[0] - tale.nats).abs() < 1e-9, "{}", tale.text);
        }
    }
}

#[test]
fn other_texts_have_no_derivation() {
    let grammar = grammar("tales");
    let tale = grammar.tale(&mut random::stream(5, "x")).text;
    assert!(grammar.derivations(&tale.replacen('a', "q", 1)).is_empty());
    assert!(grammar.derivations("Once.\n").is_empty());
}

#[test]
fn tales_have_enough_sentences_and_characters() {
    for name in BOTH {
        let grammar = grammar(name);
        assert!(grammar.open.len() + grammar.body.len() + grammar.close.len() >= 40);
        assert_eq!(grammar.characters.len(), 60);
        assert!(grammar.characters.iter().all(|character| character.facts.len() == 5));
        assert!(!grammar.quiz.is_empty());
    }
}

/// A cat is an animal, in every tale that says what a cat is.
#[test]
fn facts_are_the_same_in_every_tale_and_seed() {
    let grammar = grammar("tales");
    for seed in 0..3 {
        let text = grammar.tales(&mut random::stream(seed, "facts"), 200_000).text;
        assert!(text.contains("A cat is an animal."), "seed {seed}");
        for hero in &grammar.characters {
            let home = format!("{} lives in the {}", hero.name, hero.facts["home"]);
            let told = text.matches(&format!("{} lives in the ", hero.name)).count();
            assert_eq!(text.matches(&home).count(), told, "{home}");
        }
    }
}

#[test]
fn every_extra_fact_has_a_unique_word() {
    let grammar = grammar("tales:facts=100000");
    let mut sentences: Vec<String> = (0..MOST_FACTS).map(|index| grammar.fact(index)).collect();
    let words = |sentence: &String| sentence.replace(|c: char| c.is_ascii_digit(), "");
    let mut distinct: Vec<String> = sentences.iter().map(words).collect();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), MOST_FACTS);
    sentences.truncate(1);
    assert_eq!(sentences[0], grammar.fact(0));
    let told = grammar.tale(&mut random::stream(1, "t"));
    assert!(told.text.contains(|c: char| c.is_ascii_digit()), "{}", told.text);
}

#[test]
fn quiz_answers_match_the_tales() {
    for name in BOTH {
        let grammar = grammar(name);
        let text = grammar.tales(&mut random::stream(1, "quiz text"), 3_000_000).text;
        for Question { opening, prompt, answer } in questions(&grammar, 1, 5) {
            let separator = if name == "tales" { " " } else { "" };
            assert!(text.contains(&format!("{prompt}{separator}{answer}")), "{prompt} | {answer}");
            assert!(!opening.is_empty() && !opening.contains(&answer), "{opening} | {answer}");
        }
    }
}

#[test]
fn quiz_questions_are_unique() {
    let grammar = grammar("tales");
    let asked = |count| questions(&grammar, 1, count);
    let all = asked(usize::MAX);
    assert_eq!(all.len(), 60 * 5);
    // Whose kind two characters share, of those the same may be asked of both.
    let mut about: Vec<(String, String)> =
        all.iter().map(|q| (q.opening.clone(), q.prompt.clone())).collect();
    about.sort_unstable();
    about.dedup();
    assert_eq!(about.len(), all.len());
    assert_eq!(asked(7), all[..7]);
}

/// Once a tale has spoken of Mia, that she lives in the barn follows; that it is Mia's tale did not, and what
/// was told can be repeated.
#[test]
fn facts_are_marked_only_where_they_can_be_predicted() {
    for name in ["tales", "tales:ja", "tales:facts=20"] {
        let grammar = grammar(name);
        let written = grammar.tales(&mut random::stream(1, "facts"), 100_000);
        assert!(written.facts.len() > 300, "{}", written.facts.len());
        let known: Vec<&str> = written.facts.iter().map(|fact| &written.text[fact.clone()]).collect();
        let values = |hero: &super::grammar::Character| hero.facts.values().cloned().collect::<Vec<_>>();
        let all: Vec<String> = grammar.characters.iter().flat_map(values).collect();
        let numbers = |text: &str| text.parse::<u32>().is_ok_and(|number| number >= 1000);
        assert!(known.iter().all(|text| all.iter().any(|value| value == text) || numbers(text)));
        assert_eq!(known.iter().any(|text| numbers(text)), name.contains("facts"));
    }
    for seed in 0..100 {
        let tale = grammar("tales").tale(&mut random::stream(seed, "once"));
        let homes = tale.facts.iter().map(|fact| &tale.text[fact.clone()]).filter(|value| *value == "barn");
        // Three characters live in the barn, and a tale has two.
        assert!(homes.count() <= 2, "{}", tale.text);
    }
    // The first kind that a tale tells introduces its hero.
    let grammar = grammar("tales");
    let first = |seed| grammar.tale(&mut random::stream(seed, "first"));
    let introduced =
        (0..200).map(first).filter(|tale| tale.text.contains(", a ") && tale.text.starts_with("One "));
    for tale in introduced {
        let kind = tale.text.find(", a ").unwrap() + 4;
        assert!(tale.facts.iter().all(|fact| fact.start != kind), "{}", tale.text);
    }
}

// Reading a tale back: every way in which the grammar can have written it.

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
    /// One entry means that the derivation is unambiguous; none, that the text isn't a tale.
    fn derivations(&self, text: &str) -> Vec<f64> {
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
