//! The usual chart: lines in a frame of two axes with what they count written along them.

use super::chart::Drawing;
use super::scale::Scale;

pub const HEIGHT: f64 = 300.0;
pub const LEFT: f64 = 46.0;
pub const RIGHT: f64 = 464.0;
pub const TOP: f64 = 26.0;
pub const BOTTOM: f64 = 256.0;

/// Where values lie from left to right.
pub const ACROSS: (f64, f64) = (LEFT, RIGHT);
/// Where values lie from below to above.
pub const UP: (f64, f64) = (BOTTOM, TOP);

/// An axis: where its values lie, which of them are written, and what they are.
pub struct Axis<'a> {
    pub scale: Scale,
    pub ticks: Vec<(f64, String)>,
    pub label: &'a str,
}

impl<'a> Axis<'a> {
    pub fn new(scale: Scale, label: &'a str) -> Axis<'a> {
        Axis { scale, ticks: scale.ticks(), label }
    }
}

impl Drawing {
    /// Draws the axes and begins the group of what lies between them; `</g>` ends it.
    pub fn begin_frame(&mut self, stem: &str, x: &Axis, y: &Axis) {
        self.text("quiet", (0.0, 12.0), "start", y.label);
        self.text("quiet", ((LEFT + RIGHT) / 2.0, HEIGHT - 6.0), "middle", x.label);
        self.begin_plot(&format!("{stem}-clip"), (&x.scale, &x.ticks), (&y.scale, &y.ticks));
    }
}
