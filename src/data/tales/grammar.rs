//! The grammar of a tale, and drawing tales from it.

use crate::support::random::{self, Stream};
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::collections::{BTreeMap, HashSet};
use std::ops::Range;

/// The files in `data/`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    joiner: String,
    character: BTreeMap<String, [String; 4]>,
    kind: BTreeMap<String, String>,
    slot: BTreeMap<String, Vec<String>>,
    sentence: Sentences,
    /// How an extra fact is told, with `{word}` and `{number}`.
    extra: String,
    quiz: BTreeMap<String, String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sentences {
    open: Vec<String>,
    body: Vec<String>,
    close: Vec<String>,
}

/// Someone in a tale, with four facts that hold in every tale.
#[derive(Clone, Debug)]
pub struct Character {
    pub name: String,
    /// By the name of the fact: kind, home, food, joy, and class (what the kind is).
    pub facts: BTreeMap<String, String>,
}

/// Hero or friend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    A,
    B,
}

/// A piece of a sentence.
#[derive(Clone, Debug, PartialEq)]
pub enum Piece {
    Text(String),
    Name(Role),
    Fact(Role, String),
    /// A free choice among the values of a slot.
    Slot(String),
}

pub type Template = Vec<Piece>;

/// A grammar: a tale is an opening, three to six sentences and a closing.
pub struct Grammar {
    pub joiner: String,
    pub characters: Vec<Character>,
    pub slots: BTreeMap<String, Vec<String>>,
    pub open: Vec<Template>,
    pub body: Vec<Template>,
    pub close: Vec<Template>,
    /// Prompt and answer of each question about a character.
    pub quiz: Vec<(Template, Template)>,
    extra: String,
    facts: usize,
}

/// Least number of sentences between opening and closing, and how many different numbers there are.
pub const SHORTEST: usize = 3;
pub const LENGTHS: usize = 4;

/// The numbers of extra facts: all of four digits.
const LEAST_NUMBER: u64 = 1000;
const NUMBERS: u64 = 9000;

/// Text with its surprisal.
#[derive(Clone, Debug, Default)]
pub struct Written {
    pub text: String,
    /// -ln of its probability under the grammar.
    pub nats: f64,
    /// Bytes of the text that tell a fact for the first time in a tale, of someone it has spoken of before:
    /// they can be known, and neither guessed nor repeated.
    pub facts: Vec<Range<usize>>,
}

/// A sentence's beginning and how the tales always finish it.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// How a tale begins that may go on with the prompt; it does not give the answer away.
    pub opening: String,
    pub prompt: String,
    pub answer: String,
}

impl Grammar {
    pub fn parse(text: &str, facts: usize) -> Result<Grammar> {
        let file: File = toml::from_str(text).context("the grammar of the tales")?;
        let names = ["kind", "home", "food", "joy"];
        let character = |(name, facts): (String, [String; 4])| {
            let mut facts: BTreeMap<String, String> =
                names.iter().map(ToString::to_string).zip(facts).collect();
            let class =
                file.kind.get(&facts["kind"]).with_context(|| format!("what is a {}?", facts["kind"]))?;
            facts.insert("class".to_string(), class.clone());
            Ok(Character { name, facts })
        };
        let characters = file.character.into_iter().map(character).collect::<Result<Vec<_>>>()?;
        let templates = |sentences: &[String]| {
            sentences.iter().map(|sentence| template(sentence, &file.slot)).collect::<Result<Vec<_>>>()
        };
        let question = |question: &String| {
            let (prompt, answer) = question.split_once('|').context("a question is prompt|answer")?;
            Ok((template(prompt, &file.slot)?, template(answer, &file.slot)?))
        };
        Ok(Grammar {
            open: templates(&file.sentence.open)?,
            body: templates(&file.sentence.body)?,
            close: templates(&file.sentence.close)?,
            quiz: file.quiz.values().map(question).collect::<Result<Vec<_>>>()?,
            joiner: file.joiner,
            characters,
            slots: file.slot,
            extra: file.extra,
            facts,
        })
    }

    /// One tale on a line of its own.
    pub fn tale(&self, rng: &mut Stream) -> Written {
        let mut writer = Writer {
            grammar: self,
            rng,
            cast: Vec::new(),
            told: HashSet::new(),
            written: Written::default(),
        };
        writer.sentence(&self.open);
        for _ in 0..SHORTEST + writer.choose(LENGTHS) {
            writer.join();
            writer.sentence(&self.body);
        }
        if self.facts > 0 {
            writer.join();
            let index = writer.choose(self.facts);
            writer.extra(index);
        }
        writer.join();
        writer.sentence(&self.close);
        writer.written.text.push('\n');
        writer.written
    }

    /// Tales of at least `bytes` bytes in all.
    pub fn tales(&self, rng: &mut Stream, bytes: usize) -> Written {
        let mut all = Written::default();
        while all.text.len() < bytes {
            let tale = self.tale(rng);
            let start = all.text.len();
            all.facts.extend(tale.facts.iter().map(|fact| start + fact.start..start + fact.end));
            all.text += &tale.text;
            all.nats += tale.nats;
        }
        all
    }

    /// The sentence that tells extra fact `index`: a word of its own and its number, the same always.
    pub fn fact(&self, index: usize) -> String {
        let (prompt, number, rest) = self.extra_parts(index);
        prompt + &number + &rest
    }

    /// The parts of that sentence: before the number, the number, and after it.
    fn extra_parts(&self, index: usize) -> (String, String, String) {
        let number = LEAST_NUMBER + random::fnv1a(&index.to_le_bytes()) % NUMBERS;
        let sentence = self.extra.replace("{word}", &word(index));
        let (prompt, rest) = sentence.split_once("{number}").unwrap_or((&sentence, ""));
        (prompt.to_string(), number.to_string(), rest.to_string())
    }

    /// A template with its names and facts filled in; it must have no free slots.
    pub fn fill(&self, template: &Template, hero: &Character) -> String {
        let piece = |piece: &Piece| match piece {
            Piece::Text(text) => text.clone(),
            Piece::Name(_) => hero.name.clone(),
            Piece::Fact(_, fact) => hero.facts[fact].clone(),
            Piece::Slot(slot) => self.slots[slot][0].clone(),
        };
        template.iter().map(piece).collect()
    }
}

/// Draws one tale, counting the surprisal of every choice.
struct Writer<'a> {
    grammar: &'a Grammar,
    rng: &'a mut Stream,
    /// The hero, and the friend once there is one.
    cast: Vec<usize>,
    /// The facts that the tale has told.
    told: HashSet<(usize, String)>,
    written: Written,
}

impl<'a> Writer<'a> {
    /// One of `n`, each as likely as the others.
    fn choose(&mut self, n: usize) -> usize {
        self.written.nats += (n as f64).ln();
        random::below(self.rng, n as u64) as usize
    }

    fn join(&mut self) {
        self.written.text += &self.grammar.joiner;
    }

    fn sentence(&mut self, templates: &[Template]) {
        let template = &templates[self.choose(templates.len())];
        for piece in template {
            self.piece(piece);
        }
    }

    fn piece(&mut self, piece: &Piece) {
        match piece {
            Piece::Text(text) => self.written.text += text,
            Piece::Name(role) => {
                let name = &self.character(*role).name;
                self.written.text += name;
            }
            Piece::Fact(role, fact) => {
                let spoken_of = self.cast.len() > *role as usize;
                let value = &self.character(*role).facts[fact];
                let is_new = self.told.insert((self.cast[*role as usize], fact.clone()));
                if spoken_of && is_new { self.fact(value) } else { self.written.text += value }
            }
            Piece::Slot(slot) => {
                let values = &self.grammar.slots[slot];
                let value = &values[self.choose(values.len())];
                self.written.text += value;
            }
        }
    }

    /// Tells the value of a fact.
    fn fact(&mut self, value: &str) {
        let start = self.written.text.len();
        self.written.text += value;
        self.written.facts.push(start..self.written.text.len());
    }

    fn extra(&mut self, index: usize) {
        let (prompt, number, rest) = self.grammar.extra_parts(index);
        self.written.text += &prompt;
        self.fact(&number);
        self.written.text += &rest;
    }

    /// A character is drawn when a tale first speaks of it; the friend is not the hero.
    fn character(&mut self, role: Role) -> &'a Character {
        while self.cast.len() <= role as usize {
            let mut index = self.choose(self.grammar.characters.len() - self.cast.len());
            if self.cast.first().is_some_and(|hero| index >= *hero) {
                index += 1;
            }
            self.cast.push(index);
        }
        &self.grammar.characters[self.cast[role as usize]]
    }
}

/// Reads a sentence with `{...}` for its variable parts.
fn template(sentence: &str, slots: &BTreeMap<String, Vec<String>>) -> Result<Template> {
    let mut pieces = Vec::new();
    let mut rest = sentence;
    while let Some(start) = rest.find('{') {
        let end = rest.find('}').with_context(|| format!("a brace is open in: {sentence}"))?;
        pieces.push(Piece::Text(rest[..start].to_string()));
        let (role, fact) = match rest[start + 1..end].split_once('.') {
            Some((role, fact)) => (role, Some(fact)),
            None => (&rest[start + 1..end], None),
        };
        let role_of = |role: &str| if role == "a" { Role::A } else { Role::B };
        pieces.push(match (role, fact) {
            ("a" | "b", None) => Piece::Name(role_of(role)),
            ("a" | "b", Some(fact)) => Piece::Fact(role_of(role), fact.to_string()),
            (slot, None) if slots.contains_key(slot) => Piece::Slot(slot.to_string()),
            _ => bail!("unknown {{{role}}} in: {sentence}"),
        });
        rest = &rest[end + 1..];
    }
    pieces.push(Piece::Text(rest.to_string()));
    pieces.retain(|piece| *piece != Piece::Text(String::new()));
    Ok(pieces)
}

/// A word of three syllables for every number below 343,000: no two share one.
fn word(index: usize) -> String {
    let (consonants, vowels) = (b"bdfgklmnprstvz", b"aeiou");
    let syllables = consonants.len() * vowels.len();
    // Multiplying by a number prime to 70^3 spreads neighbours apart and loses none.
    let mut code = index * 100_003 % syllables.pow(3);
    let mut letters = Vec::new();
    for _ in 0..3 {
        letters.push(consonants[code % syllables / vowels.len()]);
        letters.push(vowels[code % vowels.len()]);
        code /= syllables;
    }
    String::from_utf8_lossy(&letters).into_owned()
}
