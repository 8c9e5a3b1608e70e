//! Stacked bars: how something is divided into parts.

use super::chart::WIDTH;
use super::svg::{Drawing, Look};
use crate::support::text::{Language, Text};

const BAR: f64 = 26.0;
const LEFT: f64 = 56.0;
const RIGHT: f64 = WIDTH - 16.0;

/// Bars of equal length, each divided into the same parts.
#[derive(Clone, Debug)]
pub struct Stack {
    pub parts: Vec<Text>,
    /// Each bar's name, and the share of each part: 0 to 1.
    pub bars: Vec<(Text, Vec<f64>)>,
}

impl Stack {
    pub fn legend(&self) -> Vec<(usize, Text)> {
        let is_shown = |part: usize| self.bars.iter().any(|(_, shares)| shares[part] > 0.0);
        self.parts.iter().cloned().enumerate().filter(|(part, _)| is_shown(*part)).collect()
    }

    pub fn draw(&self, language: Language) -> (Drawing, f64) {
        let mut drawing = Drawing::default();
        let mut top = 24.0;
        for (name, shares) in &self.bars {
            drawing.text("", (LEFT - 8.0, top + BAR / 2.0 + 4.0), "end", &name.to(language));
            let mut x = LEFT;
            for (part, share) in shares.iter().enumerate() {
                let width = (RIGHT - LEFT) * share;
                drawing.push(format_args!(
                    "<rect class=\"{}\" x=\"{x:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{BAR:.1}\"/>",
                    Look::of(part).fill()
                ));
                // A narrower part has no room for its number.
                if width > 46.0 {
                    let share = format!("{:.1}%", 100.0 * share);
                    drawing.text("", (x + width / 2.0, top + BAR + 16.0), "middle", &share);
                }
                x += width;
            }
            top += 70.0;
        }
        (drawing, top - 18.0)
    }
}
