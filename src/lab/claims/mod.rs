//! The claims of two lecture notes about activations and FFNs, measured.
//!
//! Each claim has a file, in the order of [`CLAIMS`]. It measures the claim on small models that the [`Lab`] trains, and
//! judges it by named thresholds. Its sentences are messages under `claims` in `data/text`.

mod centring;
mod claim;
mod collapse;
mod depth;
mod expressive;
mod figures;
mod knowledge;
mod lab;
mod memories;
mod output;
mod paired;
mod parameters;
mod path;
mod saturation;
mod sparsity;
mod vanishing;
mod worse;
mod zigzag;

pub use claim::{Claim, Verdict};
pub use figures::{Figure, Inputs, Line, Picture, Plotted};
pub use lab::Lab;

use anyhow::Result;

/// A claim before it's measured.
pub struct Entry {
    pub name: &'static str,
    /// Seconds that training takes on two cores with the default steps, unless an earlier claim trained the models.
    pub training: f64,
    /// Seconds that everything else takes.
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

/// The publications that sources cite.
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
