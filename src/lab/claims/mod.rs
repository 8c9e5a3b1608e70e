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

pub use claim::{Claim, Measured, Verdict};
pub use figures::{Figure, Inputs, Line, Picture, Plotted};
pub use lab::Lab;

use crate::support::text::Text;
use anyhow::Result;

/// A claim before it's measured.
pub struct Entry {
    pub name: &'static str,
    measure: fn(&mut Lab) -> Result<Measured>,
}

impl Entry {
    pub fn measure(&self, lab: &mut Lab) -> Result<Claim> {
        let name = self.name;
        Ok(Claim {
            name,
            claim: Text::message(format!("claims.{name}.claim")),
            source: Text::message(format!("claims.{name}.source")),
            measured: (self.measure)(lab)?,
        })
    }
}

/// All claims, in the order of the two notes.
pub const CLAIMS: &[Entry] = &[
    Entry { name: "saturation", measure: saturation::measure },
    Entry { name: "vanishing", measure: vanishing::measure },
    Entry { name: "depth", measure: depth::measure },
    Entry { name: "centring", measure: centring::measure },
    Entry { name: "zigzag", measure: zigzag::measure },
    Entry { name: "worse", measure: worse::measure },
    Entry { name: "output", measure: output::measure },
    Entry { name: "parameters", measure: parameters::measure },
    Entry { name: "path", measure: path::measure },
    Entry { name: "collapse", measure: collapse::measure },
    Entry { name: "memories", measure: memories::measure },
    Entry { name: "knowledge", measure: knowledge::measure },
    Entry { name: "sparsity", measure: sparsity::measure },
    Entry { name: "expressive", measure: expressive::measure },
];

/// The claims that measure functions one by one, and so any others beside their own.
pub const ABOUT_FUNCTIONS: [&str; 4] = ["saturation", "vanishing", "centring", "sparsity"];

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::support::text::Language;

    #[test]
    fn every_claim_has_its_sentence_and_its_source_in_every_language() {
        for (name, language) in CLAIMS.iter().flat_map(|entry| Language::ALL.map(|own| (entry.name, own))) {
            for part in ["claim", "source"] {
                let key = format!("claims.{name}.{part}");
                assert_ne!(Text::message(key.clone()).to(language), key);
            }
        }
    }
}
