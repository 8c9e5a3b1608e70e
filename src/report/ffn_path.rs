//! A token's path through one FFN: bars as high as there are values at each step.

use super::svg::{Drawing, Look, WIDTH};
use crate::support::numbers::grouped;
use crate::support::text::Language;

/// The widths of an FFN and the name of its activation.
#[derive(Clone, Copy, Debug)]
pub struct FfnPath {
    pub input: usize,
    pub hidden: usize,
    pub gated: bool,
    pub act: &'static str,
}

const MARGIN: f64 = 44.0;
const MIDDLE: f64 = 100.0;
const HIGHEST: f64 = 150.0;
const THICK: f64 = 16.0;

impl FfnPath {
    pub fn draw(&self, language: Language) -> (Drawing, f64) {
        let FfnPath { input, hidden, gated, act } = *self;
        let (up, units, expand, activate) = match gated {
            true => {
                let (expand, activate) = (text!("chart.ffn_path.expand_twice"), text!("chart.ffn_path.gate"));
                ("g, u", format!("{act}(g) \u{b7} u"), expand, activate)
            }
            false => {
                ("u", format!("{act}(u)"), text!("chart.ffn_path.expand"), text!("chart.ffn_path.activate"))
            }
        };
        let matrix = |inputs, outputs| format!("{} \u{d7} {}", grouped(inputs), grouped(outputs));
        let steps = [
            (expand, matrix(input, hidden)),
            (activate, String::new()),
            (text!("chart.ffn_path.compress"), matrix(hidden, input)),
        ];
        let bars = [("x", input), (up, hidden), (&*units, hidden), ("y", input)];
        let x = |place: f64| MARGIN + (WIDTH - 2.0 * MARGIN) * place / steps.len() as f64;
        // Half of a bar's height, never too low to be seen.
        let half = |values: usize| (HIGHEST * values as f64 / input.max(hidden) as f64 / 2.0).max(2.0);
        let bottom = MIDDLE + HIGHEST / 2.0 + 20.0;
        let mut drawing = Drawing::default();
        for (i, (step, matrix)) in steps.iter().enumerate() {
            let place = i as f64;
            let edge = |sign: f64| {
                let start = (x(place) + THICK / 2.0, MIDDLE + sign * half(bars[i].1));
                [start, (x(place + 1.0) - THICK / 2.0, MIDDLE + sign * half(bars[i + 1].1))]
            };
            drawing.band(Look::of(0), false, &edge(-1.0), &edge(1.0));
            drawing.text("", (x(place + 0.5), bottom + 20.0), "middle", &step.to(language));
            drawing.text("quiet", (x(place + 0.5), bottom + 36.0), "middle", matrix);
        }
        for (i, (name, values)) in bars.into_iter().enumerate() {
            let (x, half) = (x(i as f64), half(values));
            drawing.push(format_args!(
                "<rect class=\"{}\" x=\"{:.1}\" y=\"{:.1}\" width=\"{THICK}\" height=\"{:.1}\"/>",
                Look::of(0).fill(),
                x - THICK / 2.0,
                MIDDLE - half,
                2.0 * half
            ));
            drawing.text("title", (x, MIDDLE - half - 7.0), "middle", name);
            drawing.text("quiet", (x, bottom), "middle", &grouped(values));
        }
        (drawing, bottom + 46.0)
    }
}
