//! Activations with learned scalars, before and after training.

use crate::activation::{Function, Scalar};
use crate::lab::compare::analysis::{Analysis, Arm};
use crate::report::chart::{Chart, Plot};
use crate::report::panels::{Curve, Panel, Panels};
use crate::report::scale::padded;
use crate::support::numbers::fixed;
use crate::support::text::Text;

const X_RANGE: (f64, f64) = (-3.0, 3.0);

/// A panel for each arm that learns scalars. No chart without any.
pub fn before_and_after(analysis: &Analysis) -> Vec<Chart> {
    let panels: Vec<Panel> = analysis.arms.iter().filter_map(panel).collect();
    if panels.is_empty() {
        return Vec::new();
    }
    let described = analysis.arms.iter().filter(|arm| !arm.scalars.is_empty());
    let described =
        described.map(|arm| text!("compare.learned.arm", act = arm.variant, scalars = scalars(arm)));
    vec![Chart {
        stem: "learned".to_string(),
        title: text!("compare.learned.title"),
        meaning: Text::Sentences(described.clone().collect()),
        note: text!("compare.learned.note"),
        description: Text::Sentences(described.collect()),
        plot: Plot::Panels(Panels(panels)),
    }]
}

fn panel(arm: &Arm) -> Option<Panel> {
    let after = arm.learned();
    let curve = |function: &Function, is_dashed| {
        let x = (0..=240).map(|i| X_RANGE.0 + (X_RANGE.1 - X_RANGE.0) * f64::from(i) / 240.0);
        Curve { name: Text::default(), points: x.map(|x| (x, function.value(x))).collect(), is_dashed }
    };
    let before = (!after.is_empty()).then(|| curve(&arm.variant.act().function(), true))?;
    let curves: Vec<Curve> =
        [before].into_iter().chain(after.iter().map(|layer| curve(layer, false))).collect();
    let y_range = padded(curves.iter().flat_map(|curve| &curve.points).map(|(_, y)| *y))?;
    Some(Panel {
        title: arm.variant.into(),
        subtitle: scalars(arm).into(),
        x_range: X_RANGE,
        y_range,
        curves,
        area: Vec::new(),
    })
}

/// Each scalar with its value before training and its range over layers after it.
fn scalars(arm: &Arm) -> String {
    let layers = arm.learned();
    let one = |(i, scalar): (usize, &Scalar)| {
        let values = layers.iter().map(|layer| layer.scalars[i]);
        let (low, high) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), x| (a.min(x), b.max(x)));
        format!("{} {} → {} .. {}", scalar.name, fixed(scalar.initial, 2), fixed(low, 2), fixed(high, 2))
    };
    let scalars = arm.variant.act().program().scalars.iter().enumerate().map(one);
    scalars.collect::<Vec<_>>().join(", ")
}
