//! Lines in a frame of two axes.

use super::chart::WIDTH;
use super::scale::{Scale, padded};
use super::svg::{Drawing, Look};
use crate::support::text::{Language, Text};

const HEIGHT: f64 = 300.0;
const LEFT: f64 = 46.0;
const RIGHT: f64 = WIDTH - 16.0;
const TOP: f64 = 26.0;
const BOTTOM: f64 = 256.0;

/// Where values lie from left to right, in units of the drawing.
pub const ACROSS: (f64, f64) = (LEFT, RIGHT);
/// Where values lie from bottom to top.
pub const UP: (f64, f64) = (BOTTOM, TOP);

/// An axis: where its values lie, which of them are written, and what they are.
#[derive(Clone, Debug)]
pub struct Axis {
    pub label: Text,
    pub scale: Scale,
    pub ticks: Vec<(f64, String)>,
}

impl Axis {
    /// An axis with the ticks of its scale.
    pub fn new(label: impl Into<Text>, scale: Scale) -> Axis {
        Axis { label: label.into(), ticks: scale.ticks(), scale }
    }

    /// A linear y axis around values, with a little room.
    pub fn linear(label: impl Into<Text>, values: impl IntoIterator<Item = f64>) -> Axis {
        Axis::new(label, Scale::linear(padded(values).unwrap_or((0.0, 1.0)), UP))
    }

    /// A logarithmic y axis for values that differ by factors. Values that aren't positive are ignored.
    pub fn log(label: impl Into<Text>, values: impl IntoIterator<Item = f64>) -> Axis {
        let positive = values.into_iter().filter(|value| *value > 0.0).map(f64::ln);
        let (low, high) = padded(positive).unwrap_or((-1.0, 1.0));
        // At least a factor of ten, so that noise doesn't look like a slope.
        let room = (10f64.ln() - (high - low)).max(0.0) / 2.0;
        let scale = Scale::log(((low - room).exp(), (high + room).exp()), UP);
        let mut axis = Axis::new(label, scale);
        if scale.low > 1e-3 && scale.high < 1e4 {
            axis.ticks.iter_mut().for_each(|(tick, written)| *written = tick.to_string());
        }
        axis
    }

    /// An x axis of `count` layers, each in the middle of its share of the width: layer i lies at i + 0.5.
    pub fn layers(count: usize) -> Axis {
        let count = count.max(1);
        let every = super::scale::step(count as f64, 8.0).max(1.0) as usize;
        let ticks = (0..count).step_by(every).map(|layer| (layer as f64 + 0.5, layer.to_string()));
        Axis {
            label: text!("chart.layer"),
            scale: Scale::linear((0.0, count as f64), ACROSS),
            ticks: ticks.collect(),
        }
    }
}

/// A line through points, in the units of the axes.
#[derive(Clone, Debug, Default)]
pub struct Series {
    /// The number of its look: see [`Look::of`].
    pub look: usize,
    pub name: Text,
    /// Points that aren't finite, or not positive on a logarithmic axis, aren't drawn.
    pub points: Vec<(f64, f64)>,
    /// The lower and upper edge of an area around the line.
    pub band: Option<[Vec<(f64, f64)>; 2]>,
    /// The radius of the markers of its points, 0 for none.
    pub marker: f64,
    /// The x of a point with a larger marker.
    pub emphasized: Option<f64>,
}

/// Lines in a frame.
#[derive(Clone, Debug)]
pub struct Lines {
    pub x: Axis,
    pub y: Axis,
    /// The first series is drawn on top of the others.
    pub series: Vec<Series>,
    /// A dotted horizontal line, with its label.
    pub reference: Option<(f64, Text)>,
    /// The unit of x by which a page lets its reader pick values off the lines: `tokens` or `seconds`.
    pub reading: Option<&'static str>,
}

/// With more bands than this, each is drawn faintly.
const CROWD: usize = 8;

impl Lines {
    pub fn new(x: Axis, y: Axis, series: Vec<Series>) -> Lines {
        Lines { x, y, series, reference: None, reading: None }
    }

    /// A line over layers for each name with its values. A layer without a value has no point.
    pub fn over_layers(y: Axis, values: impl IntoIterator<Item = (Text, Vec<Option<f64>>)>) -> Lines {
        let point = |(layer, value): (usize, Option<f64>)| Some((layer as f64 + 0.5, value?));
        let mut layers = 0;
        let series = values.into_iter().enumerate().map(|(look, (name, values))| {
            layers = layers.max(values.len());
            let points = values.into_iter().enumerate().filter_map(point).collect();
            Series { look, name, points, marker: 3.0, ..Series::default() }
        });
        let series = series.collect();
        Lines::new(Axis::layers(layers), y, series)
    }

    /// One name needs no legend if the y axis says it all.
    pub fn legend(&self) -> Vec<(usize, Text)> {
        let named = self.series.iter().filter(|series| !series.name.is_empty());
        named.map(|series| (series.look, series.name.clone())).collect()
    }

    pub fn draw(&self, stem: &str, language: Language) -> (Drawing, f64) {
        let (x, y) = (&self.x.scale, &self.y.scale);
        let mut drawing = Drawing::default();
        drawing.text("quiet", (0.0, 12.0), "start", &self.y.label.to(language));
        let middle = f64::midpoint(LEFT, RIGHT);
        drawing.text("quiet", (middle, HEIGHT - 6.0), "middle", &self.x.label.to(language));
        drawing.begin_plot(&format!("{stem}-clip"), (x, &self.x.ticks), (y, &self.y.ticks));
        if let Some((value, label)) = &self.reference {
            drawing.segment("floor", (LEFT, y.at(*value)), (RIGHT, y.at(*value)));
            drawing.text("quiet", (RIGHT, y.at(*value) - 4.0), "end", &label.to(language));
        }
        let places = |points: &[(f64, f64)]| -> Vec<(f64, f64)> {
            let places = points.iter().map(|&(a, b)| (x.at(a), y.at(b)));
            places.filter(|(a, b)| a.is_finite() && b.is_finite()).collect()
        };
        let is_crowded = self.series.iter().filter(|series| series.band.is_some()).count() > CROWD;
        for series in self.series.iter().rev() {
            let look = Look::of(series.look);
            drawing.push(format_args!("<g data-arm=\"{}\">", series.look));
            if let Some([low, high]) = &series.band {
                drawing.band(look, is_crowded, &places(low), &places(high));
            }
            drawing.line(look, &places(&series.points));
            for &point in series.points.iter().filter(|_| series.marker > 0.0) {
                let radius = if series.emphasized == Some(point.0) { 5.5 } else { series.marker };
                places(&[point]).into_iter().for_each(|place| drawing.dot(look, "", place, radius));
            }
            drawing.push("</g>");
        }
        drawing.push("</g>");
        (drawing, HEIGHT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_axis_holds_every_positive_value_and_at_least_a_factor_of_ten() {
        let wide = Axis::log("norm", [1e-12, 0.0, 3.0]);
        assert!(wide.scale.holds(1e-12) && wide.scale.holds(3.0));
        let flat = Axis::log("norm", [2.0, 2.1]);
        assert!(flat.scale.high / flat.scale.low > 9.99 && flat.scale.holds(2.0));
        let written: Vec<String> = flat.ticks.into_iter().map(|(_, written)| written).collect();
        assert_eq!(written, ["1", "2", "5"]);
        assert!(Axis::log("norm", [f64::NAN, 0.0]).scale.holds(1.0));
    }

    #[test]
    fn layer_charts_draw_a_single_layer_and_skip_missing_values() {
        let circles = |values: Vec<Option<f64>>| {
            let y = Axis::new("label", Scale::linear((0.0, 1.0), UP));
            let lines = Lines::over_layers(y, [("one".into(), values)]);
            lines.draw("stem", Language::En).0.0.matches("<circle").count()
        };
        assert_eq!(circles(vec![Some(0.5)]), 1);
        assert_eq!(circles(vec![Some(0.5), None, Some(1.0)]), 2);
    }
}
