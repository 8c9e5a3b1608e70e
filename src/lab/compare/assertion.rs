//! `--assert`: what a script wants a comparison to find.

use super::analysis::{Analysis, Verdict};
use super::design::Design;
use crate::activation::Activation;
use crate::support::text::Language;
use crate::{bail_input, report};
use anyhow::Result;
use std::str::FromStr;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Relation {
    Better,
    Worse,
    Equal,
}

/// How each relation is written between two activations, and what it is seen from the other one.
const RELATIONS: [(&str, Relation, Relation); 3] = [
    (" better than ", Relation::Better, Relation::Worse),
    (" worse than ", Relation::Worse, Relation::Better),
    (" equal to ", Relation::Equal, Relation::Equal),
];

/// A verdict that a comparison should reach: `swiglu better than relu`.
#[derive(Clone, Debug, PartialEq)]
pub struct Assertion {
    text: String,
    act: Activation,
    against: Activation,
    /// Seen from `act`, and from `against`.
    relations: [Relation; 2],
}

impl FromStr for Assertion {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Assertion> {
        let parts = |&(word, own, other): &(&str, Relation, Relation)| {
            text.split_once(word).map(|(act, against)| (act, against, [own, other]))
        };
        let Some((act, against, relations)) = RELATIONS.iter().find_map(parts) else {
            bail_input!("write it as 'A better than B', 'A worse than B' or 'A equal to B'");
        };
        Ok(Assertion {
            text: text.trim().to_string(),
            act: act.trim().parse()?,
            against: against.trim().parse()?,
            relations,
        })
    }
}

impl Assertion {
    /// Refuses a pair that the design doesn't test.
    pub fn check(&self, design: &Design) -> Result<()> {
        let is = |&(a, b): &(Activation, Activation)| {
            (a, b) == (self.act, self.against) || (b, a) == (self.act, self.against)
        };
        if !design.contrasts().iter().any(is) {
            bail_input!(
                "--assert '{}': this comparison doesn't test {} against {}. Make one of them the --baseline, or add --all-pairs.",
                self.text,
                self.act,
                self.against
            );
        }
        Ok(())
    }

    /// What the comparison found instead; none if it found what is asserted.
    pub fn refuted_by(&self, analysis: &Analysis) -> Option<String> {
        let found =
            |act, against| analysis.pairs.iter().find(|pair| (pair.act, pair.against) == (act, against));
        let [forth, back] = self.relations;
        let sides = [(self.act, self.against, forth), (self.against, self.act, back)];
        let Some((pair, asserted)) =
            sides.into_iter().find_map(|(a, b, relation)| Some((found(a, b)?, relation)))
        else {
            return Some(format!("'{}' isn't shown: no such pair has finished", self.text));
        };
        let is_so = match asserted {
            Relation::Better => pair.verdict == Verdict::Better,
            Relation::Worse => pair.verdict == Verdict::Worse,
            Relation::Equal => pair.verdict.is_equal(),
        };
        let verdict = report::comparison::verdict(pair.verdict).to(Language::En);
        (!is_so).then(|| {
            format!("'{}' isn't shown: {} against {} is \"{verdict}\"", self.text, pair.act, pair.against)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assertions_are_read_with_names_and_formulas() {
        for text in
            ["swiglu better than relu", "x * sigmoid(x) equal to silu", " relu worse than max(0, x)^2 "]
        {
            let assertion: Assertion = text.parse().unwrap();
            assert_eq!(assertion.text, text.trim());
        }
        for text in ["swiglu > relu", "swiglu better", "swigluu better than relu"] {
            assert!(text.parse::<Assertion>().is_err(), "{text}");
        }
    }
}
