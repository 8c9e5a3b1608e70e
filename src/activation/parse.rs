//! The language of formulas: `silu(min(g, 10)) * clamp(u, -10, 10)`, `x * sigmoid(b * x); b = 1`.
//!
//! ```text
//! formula := sum ((";" | ",") name "=" number)*       the first separator is ";"
//! sum     := product (("+" | "-") product)*
//! product := unary (("*" | "/") unary)*
//! unary   := "-" unary | power
//! power   := atom ("^" unary)?
//! atom    := number | name | name "(" arguments ")" | "(" sum ")"
//! where   := "where(" sum comparison sum "," sum "," sum ")"
//! ```

use super::graph::Builder;
use super::library::{Entry, Library};
use super::list::Id;
use super::operations::{Binary, Unary};
use super::tokens::{Parsed, Problem, Token, Tokens, VARIABLES, problem};
use crate::support::failure::did_you_mean;

/// The longest formula, in bytes.
const LONGEST: usize = 1000;
/// The deepest nesting of parentheses, signs and powers.
const DEEPEST: usize = 50;
/// The most operations of a formula with the functions that it calls.
const MOST_OPERATIONS: usize = 500;

/// A learned scalar: one value per layer, starting at `initial`.
#[derive(Clone, Debug, PartialEq)]
pub struct Scalar {
    pub name: String,
    pub initial: f64,
}

/// A formula's operations, before its derivatives.
#[derive(Debug)]
pub struct Parsing {
    pub builder: Builder,
    pub value: Id,
    pub is_gated: bool,
    pub scalars: Vec<Scalar>,
}

/// Parses a formula over x, or over g and u.
pub fn parse(text: &str, library: &Library) -> Parsed<Parsing> {
    if text.len() > LONGEST {
        return problem(format!("longer than {LONGEST} bytes"), LONGEST);
    }
    let variables = Tokens::of(text)?.variables()?;
    let mut state = State { builder: Builder::default(), scalars: Vec::new(), library, depth: 0 };
    let mut names = Vec::new();
    for (index, name) in variables.iter().enumerate() {
        names.push((name.to_string(), state.builder.input(index)));
    }
    let value = state.formula(text, names)?;
    let is_gated = variables.len() == 2;
    Ok(Parsing { builder: state.builder, value, is_gated, scalars: state.scalars })
}

/// What is built, over all functions that a formula calls.
struct State<'l> {
    builder: Builder,
    scalars: Vec<Scalar>,
    library: &'l Library,
    depth: usize,
}

/// One formula on its way: its tokens, and the names that it knows.
struct Formula<'s, 'l, 't> {
    state: &'s mut State<'l>,
    tokens: Tokens<'t>,
    names: Vec<(String, Id)>,
}

impl<'l> State<'l> {
    /// Builds a formula in which `names` are known.
    fn formula(&mut self, text: &str, mut names: Vec<(String, Id)>) -> Parsed<Id> {
        let mut tokens = Tokens::of(text)?;
        let end = tokens.tokens.iter().position(|(token, _)| *token == Token::Symbol(";"));
        if let Some(end) = end {
            tokens.next = end + 1;
            self.declarations(&mut tokens, &mut names)?;
            tokens.tokens[end].0 = Token::End;
            tokens.tokens.truncate(end + 1);
            tokens.next = 0;
        }
        let mut formula = Formula { state: self, tokens, names };
        let value = formula.sum()?;
        match formula.tokens.peek() {
            Token::End => Ok(value),
            Token::Name(_) | Token::Number(_) | Token::Symbol("(") => {
                Err(formula.tokens.unexpected("an operator such as '*'"))
            }
            Token::Symbol(symbol) if "<=>==!=".contains(symbol) => {
                problem("comparisons stand in where(condition, a, b)", formula.tokens.at())
            }
            Token::Symbol(_) => Err(formula.tokens.unexpected("an operator or the end")),
        }
    }

    /// `a = 1, b = -0.5`: learned scalars.
    fn declarations(&mut self, tokens: &mut Tokens, names: &mut Vec<(String, Id)>) -> Parsed<()> {
        loop {
            let at = tokens.at();
            let Token::Name(name) = tokens.peek() else {
                return Err(tokens.unexpected("the name of a learned scalar"));
            };
            tokens.advance();
            if is_known(name) || names.iter().any(|(known, _)| known == name) {
                return problem(format!("'{name}' has a meaning already"), at);
            }
            tokens.expect("=")?;
            let sign = if tokens.take("-") { -1.0 } else { 1.0 };
            let Token::Number(initial) = tokens.peek() else {
                return Err(tokens.unexpected("the initial value, a number"));
            };
            tokens.advance();
            names.push((name.to_string(), self.learned(name, sign * initial)));
            if tokens.peek() == Token::End {
                return Ok(());
            }
            if !tokens.take(";") {
                tokens.expect(",")?;
            }
        }
    }

    /// Adds a learned scalar, under a name of its own.
    fn learned(&mut self, name: &str, initial: f64) -> Id {
        let is_free = |name: &str| self.scalars.iter().all(|scalar| scalar.name != name);
        let name = std::iter::once(name.to_string())
            .chain((2..).map(|i| format!("{name}{i}")))
            .find(|name| is_free(name))
            .unwrap_or_default();
        self.scalars.push(Scalar { name, initial });
        self.builder.scalar(self.scalars.len() - 1)
    }
}

/// Functions that aren't operations with one argument.
const FUNCTIONS: [&str; 4] = ["min", "max", "clamp", "where"];

/// Whether a name has a meaning in every formula.
pub fn is_known(name: &str) -> bool {
    VARIABLES.contains(&name)
        || FUNCTIONS.contains(&name)
        || Unary::ALL.iter().any(|op| op.name() == name)
        || Library::built_in().entry(name).is_some()
}

impl Formula<'_, '_, '_> {
    fn deeper<T>(&mut self, parse: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.state.depth == DEEPEST {
            return problem(format!("nested deeper than {DEEPEST} levels"), self.tokens.at());
        }
        if self.state.builder.operations() > MOST_OPERATIONS {
            return problem(format!("more than {MOST_OPERATIONS} operations"), self.tokens.at());
        }
        self.state.depth += 1;
        let parsed = parse(self);
        self.state.depth -= 1;
        parsed
    }

    fn sum(&mut self) -> Parsed<Id> {
        self.grouped_from_left(&[("+", Binary::Add), ("-", Binary::Subtract)], Self::product)
    }

    fn product(&mut self) -> Parsed<Id> {
        self.grouped_from_left(&[("*", Binary::Multiply), ("/", Binary::Divide)], Self::unary)
    }

    /// Operands with operators of one precedence between them.
    fn grouped_from_left(
        &mut self,
        operators: &[(&str, Binary)],
        operand: impl Fn(&mut Self) -> Parsed<Id>,
    ) -> Parsed<Id> {
        let mut left = operand(self)?;
        while let Some((_, op)) = operators.iter().find(|(symbol, _)| self.tokens.take(symbol)) {
            let right = operand(self)?;
            left = self.state.builder.binary(*op, left, right);
        }
        Ok(left)
    }

    fn unary(&mut self) -> Parsed<Id> {
        self.deeper(|formula| {
            if formula.tokens.take("-") {
                let value = formula.unary()?;
                return Ok(formula.state.builder.unary(Unary::Negate, value));
            }
            let base = formula.atom()?;
            if !formula.tokens.take("^") {
                return Ok(base);
            }
            let exponent = formula.unary()?;
            Ok(formula.state.builder.power(base, exponent))
        })
    }

    fn atom(&mut self) -> Parsed<Id> {
        let at = self.tokens.at();
        match self.tokens.peek() {
            Token::Number(number) => {
                self.tokens.advance();
                Ok(self.state.builder.constant(number))
            }
            Token::Name(name) => {
                self.tokens.advance();
                if self.tokens.take("(") {
                    return self.call(name, at);
                }
                match self.names.iter().find(|(known, _)| known == name) {
                    Some((_, id)) => Ok(*id),
                    None => self.unknown(name, at),
                }
            }
            Token::Symbol("(") => {
                self.tokens.advance();
                let value = self.sum()?;
                self.tokens.expect(")")?;
                Ok(value)
            }
            _ => Err(self.tokens.unexpected("a number, a name or '('")),
        }
    }

    fn unknown<T>(&self, name: &str, at: usize) -> Parsed<T> {
        let functions = Unary::ALL.iter().skip(1).map(|op| op.name()).chain(FUNCTIONS);
        let known = self
            .names
            .iter()
            .map(|(name, _)| name.as_str())
            .chain(functions)
            .chain(self.state.library.names());
        let hint = did_you_mean(name, known);
        problem(format!("unknown name '{name}'{hint}"), at)
    }

    /// A call whose name and `(` were read.
    fn call(&mut self, name: &str, at: usize) -> Parsed<Id> {
        if name == "where" {
            return self.branches();
        }
        let mut arguments = vec![self.sum()?];
        while self.tokens.take(",") {
            arguments.push(self.sum()?);
        }
        self.tokens.expect(")")?;
        let builder = &mut self.state.builder;
        let value = match (name, arguments.as_slice()) {
            ("min", [a, b]) => builder.binary(Binary::Minimum, *a, *b),
            ("max", [a, b]) => builder.binary(Binary::Maximum, *a, *b),
            ("clamp", [x, low, high]) => {
                let above = builder.binary(Binary::Maximum, *x, *low);
                builder.binary(Binary::Minimum, above, *high)
            }
            ("min" | "max", _) => return problem(format!("{name} takes 2 arguments"), at),
            ("clamp", _) => return problem("clamp takes 3 arguments: clamp(x, low, high)", at),
            _ => {
                match (Unary::ALL.into_iter().find(|op| op.name() == name), self.state.library.entry(name)) {
                    (Some(op), _) if arguments.len() == 1 => builder.unary(op, arguments[0]),
                    (Some(_), _) => return problem(format!("{name} takes 1 argument"), at),
                    (None, Some(entry)) => return self.activation(entry, &arguments, at),
                    (None, None) => return self.unknown(name, at),
                }
            }
        };
        Ok(value)
    }

    /// A named activation as a function: of x, or of g and u, and then of its parameters.
    fn activation(&mut self, entry: &Entry, arguments: &[Id], at: usize) -> Parsed<Id> {
        let variables: &[&str] = if entry.is_gated { &["g", "u"] } else { &["x"] };
        let parameters: Vec<&str> = entry.parameters.iter().map(|(name, _)| name.as_str()).collect();
        let (least, most) = (variables.len(), variables.len() + parameters.len());
        if !(least..=most).contains(&arguments.len()) {
            let all = [variables, &parameters].concat().join(", ");
            let count = if least == most { least.to_string() } else { format!("{least} to {most}") };
            let s = if most == 1 { "" } else { "s" };
            return problem(format!("{0} takes {count} argument{s}: {0}({all})", entry.name), at);
        }
        let mut names = Vec::new();
        for (i, name) in variables.iter().chain(&parameters).enumerate() {
            let default = || entry.parameters[i - variables.len()].1;
            let id = match arguments.get(i) {
                Some(id) => *id,
                None => self.state.builder.constant(default()),
            };
            names.push((name.to_string(), id));
        }
        self.deeper(|formula| {
            // The position in the entry's own text would mislead: the call is what the user sees.
            formula.state.formula(&entry.formula, names).map_err(|problem| Problem { at, ..problem })
        })
    }

    /// `where(condition, a, b)` after its `(`.
    fn branches(&mut self) -> Parsed<Id> {
        let left = self.sum()?;
        let Token::Symbol(comparison @ ("<" | "<=" | ">" | ">=" | "==" | "!=")) = self.tokens.peek() else {
            return Err(self.tokens.unexpected("a comparison such as '>'"));
        };
        self.tokens.advance();
        let right = self.sum()?;
        let builder = &mut self.state.builder;
        let condition = match comparison {
            "<" => builder.binary(Binary::Less, left, right),
            "<=" => builder.binary(Binary::AtMost, left, right),
            ">" => builder.binary(Binary::Less, right, left),
            ">=" => builder.binary(Binary::AtMost, right, left),
            _ => builder.binary(Binary::Equal, left, right),
        };
        let holds = comparison != "!=";
        let then = self.branch(condition, holds)?;
        let otherwise = self.branch(condition, !holds)?;
        self.tokens.expect(")")?;
        let (then, otherwise) = if holds { (then, otherwise) } else { (otherwise, then) };
        Ok(self.state.builder.select(condition, then, otherwise))
    }

    fn branch(&mut self, condition: Id, expected: bool) -> Parsed<Id> {
        self.tokens.expect(",")?;
        let outer = self.state.builder.enter(condition, expected);
        let value = self.sum();
        self.state.builder.leave(outer);
        value
    }
}
