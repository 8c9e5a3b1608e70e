//! The words of a formula: numbers, names and symbols, each with the byte where it begins.

/// What is wrong with a formula, and the byte where it is.
#[derive(Debug, PartialEq)]
pub struct Problem {
    pub message: String,
    pub at: usize,
}

pub type Parsed<T> = Result<T, Problem>;

pub fn problem<T>(message: impl Into<String>, at: usize) -> Parsed<T> {
    Err(Problem { message: message.into(), at })
}

/// What a formula is over: x, or g and u.
pub const VARIABLES: [&str; 3] = ["x", "g", "u"];

/// A word of a formula.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Token<'a> {
    Number(f64),
    Name(&'a str),
    Symbol(&'a str),
    End,
}

/// The tokens of a formula, each with the byte where it begins.
pub struct Tokens<'a> {
    pub tokens: Vec<(Token<'a>, usize)>,
    pub next: usize,
}

impl<'a> Tokens<'a> {
    pub fn of(text: &'a str) -> Parsed<Tokens<'a>> {
        let mut tokens = Vec::new();
        let mut at = 0;
        while let Some(first) = text[at..].chars().next() {
            let rest = &text[at..];
            let length = |belongs: &dyn Fn(char) -> bool| rest.find(|c| !belongs(c)).unwrap_or(rest.len());
            let (token, length) = match first {
                c if c.is_whitespace() => {
                    at += c.len_utf8();
                    continue;
                }
                c if c.is_ascii_alphabetic() || c == '_' => {
                    let length = length(&|c| c.is_ascii_alphanumeric() || c == '_');
                    (Token::Name(&rest[..length]), length)
                }
                c if c.is_ascii_digit() || c == '.' => {
                    let mut length = length(&|c| c.is_ascii_digit() || c == '.');
                    // An exponent, such as e-3: an e without digits belongs to a name.
                    let exponent = rest[length..]
                        .strip_prefix(['e', 'E'])
                        .map(|rest| rest.trim_start_matches(['+', '-']));
                    if exponent.is_some_and(|digits| digits.starts_with(|c: char| c.is_ascii_digit())) {
                        let after = &rest[length + 1..];
                        let sign = usize::from(after.starts_with(['+', '-']));
                        let digits =
                            after[sign..].find(|c: char| !c.is_ascii_digit()).unwrap_or(after.len() - sign);
                        length += 1 + sign + digits;
                    }
                    match rest[..length].parse::<f64>() {
                        Ok(number) if number.is_finite() => (Token::Number(number), length),
                        _ => return problem(format!("'{}' isn't a number", &rest[..length]), at),
                    }
                }
                c => {
                    let two = ["<=", ">=", "==", "!="].into_iter().find(|symbol| rest.starts_with(symbol));
                    let one = "+-*/^(),;=<>".contains(c).then(|| &rest[..1]);
                    match two.or(one) {
                        Some(symbol) => (Token::Symbol(&rest[..symbol.len()]), symbol.len()),
                        None => return problem(format!("unexpected '{}'", c.escape_debug()), at),
                    }
                }
            };
            tokens.push((token, at));
            at += length;
        }
        tokens.push((Token::End, text.len()));
        Ok(Tokens { tokens, next: 0 })
    }

    /// The variables that the formula is over: x, or g and u.
    pub fn variables(&self) -> Parsed<&'static [&'static str]> {
        let find = |name: &str| self.tokens.iter().find(|(token, _)| *token == Token::Name(name));
        match (find("x"), find("g").or(find("u"))) {
            (Some((_, x)), Some((_, gate))) => problem("a formula is over x, or over g and u", *x.max(gate)),
            (None, Some(_)) => Ok(&["g", "u"]),
            (_, None) => Ok(&["x"]),
        }
    }

    pub fn peek(&self) -> Token<'a> {
        self.tokens[self.next].0
    }

    pub fn at(&self) -> usize {
        self.tokens[self.next].1
    }

    pub fn advance(&mut self) {
        self.next = (self.next + 1).min(self.tokens.len() - 1);
    }

    pub fn take(&mut self, symbol: &str) -> bool {
        let is_there = self.peek() == Token::Symbol(symbol);
        if is_there {
            self.advance();
        }
        is_there
    }

    pub fn expect(&mut self, symbol: &str) -> Parsed<()> {
        if self.take(symbol) { Ok(()) } else { Err(self.unexpected(&format!("'{symbol}'"))) }
    }

    pub fn unexpected(&self, expected: &str) -> Problem {
        let found = match self.peek() {
            Token::Number(number) => format!("{number}"),
            Token::Name(name) => format!("'{name}'"),
            Token::Symbol(symbol) => format!("'{symbol}'"),
            Token::End => "the end".to_string(),
        };
        Problem { message: format!("expected {expected} and found {found}"), at: self.at() }
    }
}

/// True if a formula is over g and u.
pub fn is_gated(formula: &str) -> bool {
    Tokens::of(formula).and_then(|tokens| tokens.variables()).is_ok_and(|variables| variables.len() == 2)
}

/// The activations of a list: its parts between the commas that stand outside parentheses and don't separate learned
/// scalars, as in `relu, max(x, 0)^2, a * x + b; a = 1, b = 0, silu`.
pub fn in_list(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut depth, mut declares) = (0, 0usize, false);
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            ';' => declares = true,
            ',' if depth == 0 && !(declares && begins_with_scalar(&text[at + 1..])) => {
                parts.push(text[start..at].trim());
                (start, declares) = (at + 1, false);
            }
            _ => {}
        }
    }
    parts.push(text[start..].trim());
    parts
}

/// True if a text begins with `name = number`, followed by a separator or the end.
fn begins_with_scalar(text: &str) -> bool {
    let declaration = text.split([',', ';']).next().unwrap_or_default();
    let Some((name, value)) = declaration.split_once('=') else { return false };
    name.trim().chars().all(|c| c.is_ascii_alphanumeric() || c == '_') && value.trim().parse::<f64>().is_ok()
}
