//! What a claim has to show, as data: how it is drawn is the report's business.

use super::Said;
use crate::activation::Function;
use crate::lab::inspect::{Histogram, Inspection};

/// A picture with one sentence on what it means here.
#[derive(Clone, Debug)]
pub struct Figure {
    /// Of its file.
    pub stem: &'static str,
    pub title: Said,
    pub meaning: Said,
    pub picture: Picture,
}

#[derive(Clone, Debug)]
pub enum Picture {
    /// Lines through points, named.
    Lines { x: &'static str, y: &'static str, y_log: bool, series: Vec<Line> },
    /// Functions, each above the arguments that it gets in a model.
    Functions { what: Shown, models: Vec<Arguments> },
    /// The way of one token through an FFN.
    Flow { input: usize, hidden: usize, gated: bool },
}

pub type Line = (String, Vec<(f64, f64)>);

/// What is drawn of a function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// f(x)
    Value,
    /// |f'(x)| over its maximum
    Slope,
}

/// A model's function and the histogram of its arguments, all layers together.
#[derive(Clone, Debug)]
pub struct Arguments {
    pub name: String,
    pub function: Function,
    pub histogram: Histogram,
}

impl Arguments {
    pub fn of(name: &str, inspection: &Inspection) -> Arguments {
        let mut layers = inspection.layers.iter().map(|layer| &layer.hidden.histogram);
        let mut histogram = layers.next().cloned().unwrap_or_default();
        layers.for_each(|layer| histogram.include(layer));
        Arguments { name: name.to_string(), function: inspection.act.function, histogram }
    }
}
