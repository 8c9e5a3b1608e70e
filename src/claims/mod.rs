//! What two lecture notes say about activations and FFNs, claim by claim, each measured here.
//!
//! One file per claim, in the order of [`CLAIMS`]: it says what is claimed and by whom, measures it on small
//! models that the [`Lab`] trains, and judges by a rule that stands beside the answer.

mod centring;
mod collapse;
mod depth;
mod expressive;
mod figures;
mod knowledge;
mod lab;
mod memories;
mod numbers;
mod output;
mod paired;
mod parameters;
mod path;
mod said;
mod saturation;
mod sparsity;
mod vanishing;
mod worse;
mod zigzag;

pub use figures::{Arguments, Figure, Line, Picture, Shown};
pub use lab::Lab;
pub use said::Said;

use anyhow::Result;
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
    fn of(parts: &[bool]) -> Verdict {
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

/// A claim before it is measured: its name and how it is.
pub struct Entry {
    pub name: &'static str,
    /// Seconds that training takes on two cores with the usual steps, unless an earlier claim trained its models.
    pub training: f64,
    /// And everything else. Together they tell how much of a walk is left.
    pub rest: f64,
    pub measure: fn(&mut Lab) -> Result<Claim>,
}

/// All claims, in the order of the two notes.
pub const CLAIMS: &[Entry] = &[
    Entry { name: "saturation", training: 13.0, rest: 9.0, measure: saturation::measure },
    Entry { name: "vanishing", training: 0.0, rest: 17.0, measure: vanishing::measure },
    Entry { name: "depth", training: 25.0, rest: 3.0, measure: depth::measure },
    Entry { name: "centring", training: 3.0, rest: 2.0, measure: centring::measure },
    Entry { name: "zigzag", training: 0.0, rest: 11.0, measure: zigzag::measure },
    Entry { name: "worse", training: 22.0, rest: 2.0, measure: worse::measure },
    Entry { name: "output", training: 0.0, rest: 40.0, measure: output::measure },
    Entry { name: "parameters", training: 0.0, rest: 0.1, measure: parameters::measure },
    Entry { name: "path", training: 2.0, rest: 0.2, measure: path::measure },
    Entry { name: "collapse", training: 0.0, rest: 1.0, measure: collapse::measure },
    Entry { name: "memories", training: 0.0, rest: 0.1, measure: memories::measure },
    Entry { name: "knowledge", training: 29.0, rest: 4.0, measure: knowledge::measure },
    Entry { name: "sparsity", training: 0.0, rest: 0.3, measure: sparsity::measure },
    Entry { name: "expressive", training: 5.0, rest: 1.0, measure: expressive::measure },
];

/// What the claims' sources cite.
pub const SOURCES: &[&str] = &[
    "Allen-Zhu & Li 2024: Physics of Language Models: Part 3.3, Knowledge Capacity Scaling Laws. arXiv:2404.05405",
    "Brown et al. 2020: Language Models are Few-Shot Learners. arXiv:2005.14165",
    "Geva et al. 2021: Transformer Feed-Forward Layers Are Key-Value Memories. arXiv:2012.14913",
    "Glorot & Bengio 2010: Understanding the difficulty of training deep feedforward neural networks. AISTATS",
    "Glorot et al. 2011: Deep Sparse Rectifier Neural Networks. AISTATS",
    "He et al. 2015: Delving Deep into Rectifiers: Surpassing Human-Level Performance on ImageNet Classification. arXiv:1502.01852",
    "Hendrycks & Gimpel 2016: Gaussian Error Linear Units (GELUs). arXiv:1606.08415",
    "LeCun et al. 1998: Efficient BackProp. In: Neural Networks: Tricks of the Trade",
    "Lu et al. 2019: Dying ReLU and Initialization: Theory and Numerical Examples. arXiv:1903.06733",
    "Narang et al. 2021: Do Transformer Modifications Transfer Across Implementations and Applications? arXiv:2102.11972",
    "Radford et al. 2019: Language Models are Unsupervised Multitask Learners. OpenAI",
    "Ramachandran et al. 2017: Searching for Activation Functions. arXiv:1710.05941",
    "Shazeer 2020: GLU Variants Improve Transformer. arXiv:2002.05202",
    "Vaswani et al. 2017: Attention Is All You Need. arXiv:1706.03762",
];

/// The note on sigmoid, with what was published besides.
fn sigmoid_note(besides: &str) -> Said {
    note_and("Why GPTs do not use sigmoid", "なぜGPTはシグモイドを使わないのか", besides)
}

/// The note on the FFN.
fn ffn_note(besides: &str) -> Said {
    note_and("The FFN, a transformer's knowledge memory", "FFNはトランスフォーマーの知識記憶", besides)
}

fn note_and(en: &str, ja: &str, besides: &str) -> Said {
    let (colon, besides) = if besides.is_empty() { ("", "") } else { ("; ", besides) };
    Said::new(
        format!("lecture note \u{201c}{en}\u{201d}{colon}{besides}"),
        format!("講義ノート「{ja}」{colon}{besides}"),
    )
}
