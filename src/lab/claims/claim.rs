//! A claim that was measured.

use super::figures::Figure;
use crate::support::table::Table;
use crate::support::text::Text;
use serde::Serialize;

/// What became of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Every part of it was seen.
    Held,
    /// No part was.
    Failed,
    /// Some parts were, or it was seen under one condition and not under another.
    Depends,
}

impl Verdict {
    /// The verdict on a claim with several parts.
    pub fn of(parts: &[bool]) -> Verdict {
        match (parts.iter().all(|part| *part), parts.iter().any(|part| *part)) {
            (true, _) => Verdict::Held,
            (_, true) => Verdict::Depends,
            _ => Verdict::Failed,
        }
    }

    /// In one word, for programs.
    pub fn name(self) -> &'static str {
        match self {
            Verdict::Held => "held",
            Verdict::Failed => "failed",
            Verdict::Depends => "depends",
        }
    }

    pub fn text(self) -> Text {
        let name = self.name();
        Text::message(format!("claims.verdict.{name}"))
    }
}

/// A claim, measured.
#[derive(Clone, Debug, Serialize)]
pub struct Claim {
    /// The name for `--only`.
    pub name: &'static str,
    pub claim: Text,
    /// Who makes the claim, and the publications that it's compared with.
    pub source: Text,
    #[serde(flatten)]
    pub measured: Measured,
}

/// What the measurement of a claim found.
#[derive(Clone, Debug, Serialize)]
pub struct Measured {
    /// What was measured, and the rule for the verdict.
    pub method: Text,
    pub verdict: Verdict,
    /// What was seen, with the numbers that decided.
    pub answer: Text,
    pub tables: Vec<Table>,
    #[serde(skip)]
    pub figures: Vec<Figure>,
}
