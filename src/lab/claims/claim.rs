//! A claim that was measured, and who made it.

use super::figures::Figure;
use super::said::Said;
use serde::Serialize;

/// What became of a claim.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// All of it was seen.
    Held,
    /// None of it was.
    Failed,
    /// Part of it was, or it was seen under one condition and not under another.
    Depends,
}

impl Verdict {
    /// Of a claim in parts.
    pub fn of(parts: &[bool]) -> Verdict {
        match (parts.iter().all(|part| *part), parts.iter().any(|part| *part)) {
            (true, _) => Verdict::Held,
            (_, true) => Verdict::Depends,
            _ => Verdict::Failed,
        }
    }

    pub fn said(self) -> Said {
        match self {
            Verdict::Held => Said::new("held", "成り立つ"),
            Verdict::Failed => Said::new("failed", "成り立たない"),
            Verdict::Depends => Said::new("depends", "場合による"),
        }
    }
}

/// A claim, measured.
#[derive(Clone, Debug, Serialize)]
pub struct Claim {
    /// What `--only` calls it.
    pub name: &'static str,
    pub claim: Said,
    /// Who says so, and who found what it is held against.
    pub source: Said,
    /// What was measured, and the rule it was judged by.
    pub method: Said,
    pub verdict: Verdict,
    /// What was seen, with the number that says so.
    pub answer: Said,
    pub tables: Vec<Table>,
    #[serde(skip)]
    pub figures: Vec<Figure>,
}

/// Numbers behind an answer.
#[derive(Clone, Debug, Serialize)]
pub struct Table {
    pub caption: Said,
    pub head: Vec<Said>,
    pub rows: Vec<Vec<Said>>,
    /// Words, not numbers, beyond the first column.
    #[serde(skip)]
    pub words: bool,
}

/// The note on sigmoid, with what was published besides.
pub fn sigmoid_note(besides: &str) -> Said {
    note_and("Why GPTs do not use sigmoid", "なぜGPTはシグモイドを使わないのか", besides)
}

/// The note on the FFN.
pub fn ffn_note(besides: &str) -> Said {
    note_and("The FFN, a transformer's knowledge memory", "FFNはトランスフォーマーの知識記憶", besides)
}

fn note_and(en: &str, ja: &str, besides: &str) -> Said {
    let (colon, besides) = if besides.is_empty() { ("", "") } else { ("; ", besides) };
    Said::new(
        format!("lecture note \u{201c}{en}\u{201d}{colon}{besides}"),
        format!("講義ノート「{ja}」{colon}{besides}"),
    )
}
