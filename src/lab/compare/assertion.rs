//! `--assert`: what a script wants a comparison to find.

use super::analysis::{Analysis, Verdict};
use super::design::Design;
use super::variant::Variant;
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
    arm: String,
    against: String,
    /// Seen from `arm`, and from `against`.
    relations: [Relation; 2],
}

impl FromStr for Assertion {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Assertion> {
        let parts = |&(word, own, other): &(&str, Relation, Relation)| {
            text.split_once(word).map(|(arm, against)| (arm, against, [own, other]))
        };
        let Some((arm, against, relations)) = RELATIONS.iter().find_map(parts) else {
            bail_input!("write it as 'A better than B', 'A worse than B' or 'A equal to B'");
        };
        Ok(Assertion {
            text: text.trim().to_string(),
            arm: arm.trim().to_string(),
            against: against.trim().to_string(),
            relations,
        })
    }
}

impl Assertion {
    /// Refuses a pair that the design doesn't test.
    pub fn check(&self, design: &Design) -> Result<()> {
        let pair = self.pair(design)?;
        if !design.contrasts().iter().any(|&(a, b)| (a, b) == pair || (b, a) == pair) {
            bail_input!(
                "--assert '{}': this comparison doesn't test {} against {}. Make one of them the --baseline, or add --all-pairs.",
                self.text,
                self.arm,
                self.against
            );
        }
        Ok(())
    }

    fn pair(&self, design: &Design) -> Result<(Variant, Variant)> {
        let find = |name: &str| match design.find(name) {
            Some(arm) => Ok(arm),
            None => {
                let arms: Vec<&str> = design.arms.iter().map(|arm| arm.variant.label()).collect();
                bail_input!("--assert '{}': {name} is no arm; arms: {}", self.text, arms.join(", "))
            }
        };
        Ok((find(&self.arm)?, find(&self.against)?))
    }

    /// What the comparison found instead; none if it found what is asserted.
    pub fn refuted_by(&self, design: &Design, analysis: &Analysis) -> Result<Option<String>> {
        let (arm, against) = self.pair(design)?;
        let found = |a, b| analysis.pairs.iter().find(|pair| (pair.variant, pair.against) == (a, b));
        let [forth, back] = self.relations;
        let sides = [(arm, against, forth), (against, arm, back)];
        let Some((pair, asserted)) = sides.into_iter().find_map(|(a, b, side)| Some((found(a, b)?, side)))
        else {
            return Ok(Some(format!("'{}' isn't shown: no such pair has finished", self.text)));
        };
        let is_so = match asserted {
            Relation::Better => pair.verdict == Verdict::Better,
            Relation::Worse => pair.verdict == Verdict::Worse,
            Relation::Equal => pair.verdict.is_equal(),
        };
        let verdict = report::comparison::verdict(pair.verdict).to(Language::En);
        Ok((!is_so).then(|| {
            format!("'{}' isn't shown: {} against {} is \"{verdict}\"", self.text, pair.variant, pair.against)
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn assertions_name_two_arms_and_a_verdict() {
        for text in
            ["swiglu better than relu", "x * sigmoid(x) equal to silu", " relu worse than max(0, x)^2 "]
        {
            let assertion: Assertion = text.parse().unwrap();
            assert_eq!(assertion.text, text.trim());
        }
        for text in ["swiglu > relu", "swiglu better", "is swiglu better?"] {
            assert!(text.parse::<Assertion>().is_err(), "{text}");
        }
    }
}
