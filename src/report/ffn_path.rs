//! A token's path through one FFN: bars as high as there are values at each step.

use super::chart::{Chart, Plot, WIDTH};
use super::svg::{Drawing, Look};
use crate::activation::Activation;
use crate::support::output::grouped;
use crate::support::text::{Language, Text};

/// The widths of an FFN and its activation.
#[derive(Clone, Copy, Debug)]
pub struct FfnPath {
    pub input: usize,
    pub hidden: usize,
    pub act: Activation,
}

/// Values side by side, drawn as a bar around (x, y).
struct Bar {
    name: String,
    values: usize,
    x: f64,
    y: f64,
    height: f64,
}

const MARGIN: f64 = 44.0;
const MIDDLE: f64 = 116.0;
const HIGHEST: f64 = 150.0;
const THICK: f64 = 16.0;

/// The chart of an FFN with `input` inputs and outputs and `hidden` units.
pub fn ffn_path(input: usize, hidden: usize, act: Activation) -> Chart {
    Chart {
        stem: "ffn-path".to_string(),
        title: text!("chart.ffn_path.title"),
        note: text!("chart.ffn_path.note"),
        description: text!("chart.ffn_path.description", input = input, hidden = hidden),
        plot: Plot::FfnPath(FfnPath { input, hidden, act }),
        ..Chart::default()
    }
}

impl FfnPath {
    pub fn draw(&self, language: Language) -> (Drawing, f64) {
        let FfnPath { input, hidden, act } = *self;
        let f = act.function.facts().name;
        let matrix =
            |inputs: usize, outputs: usize| format!("{} \u{d7} {}", grouped(inputs), grouped(outputs));
        let expand = (text!("chart.ffn_path.expand"), matrix(input, hidden));
        let activate = (text!("chart.ffn_path.activate"), String::new());
        let multiply = (text!("chart.ffn_path.multiply"), String::new());
        let compress = (text!("chart.ffn_path.compress"), matrix(hidden, input));
        // Bars as (name, values, column, lane), the pairs of bars that are connected, and the steps between columns.
        let (bars, ways, steps): (Vec<(String, usize, usize, f64)>, &[(usize, usize)], Vec<(Text, String)>) =
            if act.gated {
                let bars = vec![
                    ("x".into(), input, 0, 0.0),
                    ("g".into(), hidden, 1, -1.0),
                    ("u".into(), hidden, 1, 1.0),
                    (format!("{f}(g)"), hidden, 2, -1.0),
                    ("h".into(), hidden, 3, 0.0),
                    ("y".into(), input, 4, 0.0),
                ];
                let ways = &[(0, 1), (0, 2), (1, 3), (3, 4), (2, 4), (4, 5)];
                (bars, ways, vec![expand, activate, multiply, compress])
            } else {
                let bars = vec![
                    ("x".into(), input, 0, 0.0),
                    ("u".into(), hidden, 1, 0.0),
                    (format!("{f}(u)"), hidden, 2, 0.0),
                    ("y".into(), input, 3, 0.0),
                ];
                (bars, &[(0, 1), (1, 2), (2, 3)], vec![expand, activate, compress])
            };
        let column = |column: f64| MARGIN + (WIDTH - 2.0 * MARGIN) * column / steps.len() as f64;
        let lanes = if act.gated { 2.0 } else { 1.0 };
        let bar = |(name, values, place, lane): (String, usize, usize, f64)| Bar {
            name,
            values,
            x: column(place as f64),
            y: MIDDLE + lane * HIGHEST * 0.35,
            // Never too low to be seen.
            height: (HIGHEST / lanes * values as f64 / input.max(hidden) as f64).max(4.0),
        };
        let bars: Vec<Bar> = bars.into_iter().map(bar).collect();
        let mut drawing = Drawing::default();
        for &(from, to) in ways {
            let side = |bar: &Bar, x: f64, sign: f64| (bar.x + x, bar.y + sign * bar.height / 2.0);
            let edge =
                |sign: f64| [side(&bars[from], THICK / 2.0, sign), side(&bars[to], -THICK / 2.0, sign)];
            drawing.band(Look::of(0), false, &edge(-1.0), &edge(1.0));
        }
        let bottom = MIDDLE + HIGHEST / 2.0 + 34.0;
        for Bar { name, values, x, y, height } in &bars {
            let (left, top) = (x - THICK / 2.0, y - height / 2.0);
            drawing.push(format_args!(
                "<rect class=\"{}\" x=\"{left:.1}\" y=\"{top:.1}\" width=\"{THICK}\" height=\"{height:.1}\"/>",
                Look::of(0).fill(),
            ));
            drawing.text("title", (*x, top - 7.0), "middle", name);
            // The lower lane has the same number.
            if *y <= MIDDLE {
                drawing.text("quiet", (*x, bottom), "middle", &grouped(*values));
            }
        }
        for (i, (step, matrix)) in steps.iter().enumerate() {
            let x = column(i as f64 + 0.5);
            drawing.text("", (x, bottom + 20.0), "middle", &step.to(language));
            drawing.text("quiet", (x, bottom + 36.0), "middle", matrix);
        }
        (drawing, bottom + 46.0)
    }
}
