//! The figures of claims as data. The report draws them.

use crate::activation::{Activation, Function};
use crate::lab::inspect::{Histogram, Inspection};
use crate::support::text::Text;

#[derive(Clone, Debug)]
pub struct Figure {
    /// The name of its file without the ending.
    pub stem: &'static str,
    pub title: Text,
    /// A sentence made of the numbers that it shows.
    pub meaning: Text,
    pub picture: Picture,
}

#[derive(Clone, Debug)]
pub enum Picture {
    /// Lines through points.
    Lines { x: Text, y: Text, is_log: bool, series: Vec<Line> },
    /// Functions, each above the histogram of its inputs in a model.
    Functions { plotted: Plotted, models: Vec<Inputs> },
    /// The widths of one token on its way through an FFN.
    Path { input: usize, hidden: usize, act: Activation },
}

/// A name and its points.
pub type Line = (String, Vec<(f64, f64)>);

/// What a figure plots of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plotted {
    /// f(x)
    Value,
    /// |f'(x)| divided by its maximum.
    Slope,
}

/// A function and the histogram of its inputs, over all layers of a model.
#[derive(Clone, Debug)]
pub struct Inputs {
    pub name: String,
    pub function: Function,
    pub histogram: Histogram,
}

impl Inputs {
    pub fn of(name: &str, inspection: &Inspection) -> Inputs {
        let mut layers = inspection.layers.iter().map(|layer| &layer.hidden.histogram);
        let mut histogram = layers.next().cloned().unwrap_or_default();
        layers.for_each(|layer| histogram.include(layer));
        Inputs { name: name.to_string(), function: inspection.act.function(), histogram }
    }
}
