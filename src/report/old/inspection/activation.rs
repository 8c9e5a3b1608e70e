//! Where the pre-activations lie under the activation's curve.

use super::phrases::percent;
use crate::lab::inspect::{Histogram, Inspection, Layer};
use crate::report::old::language::Language;
use crate::report::old::panels::{Curve, Panel, lay_out};
use crate::report::old::picture::{Chart, WIDTH};
use crate::report::old::scale::padded;
use crate::report::old::words::fixed;

/// More panels than this are no overview.
const MOST_PANELS: usize = 12;
const COLUMNS: usize = 2;
const HEIGHT: f64 = 170.0;
/// Share of the values that may lie beyond either end of the chart.
const TAIL: f64 = 0.005;

/// Each layer's histogram of x under f(x) and f'(x).
pub fn arguments(survey: &Inspection, language: Language) -> Chart {
    let layers = spread(&survey.layers);
    let function = survey.shapes.act.function;
    let (low, high) = layers
        .iter()
        .map(|layer| middle(&layer.hidden.histogram))
        .fold((-2.0, 2.0), |(low, high): (f64, f64), (a, b)| (low.min(a), high.max(b)));
    let points = |f: &dyn Fn(f64) -> f64| -> Vec<(f64, f64)> {
        (0..=240).map(|i| low + (high - low) * f64::from(i) / 240.0).map(|x| (x, f(x))).collect()
    };
    let value = points(&|x| function.value(x));
    let slope = points(&|x| function.derivative(x));
    let y_range = padded(value.iter().chain(&slope).map(|(_, y)| *y)).unwrap_or((-1.0, 1.0));
    let panels: Vec<Panel> = layers
        .iter()
        .map(|layer| Panel {
            title: format!("layer {}", layer.layer),
            subtitle: format!(
                "mean {}, std {}",
                fixed(layer.hidden.argument.mean, 2),
                fixed(layer.hidden.argument.std, 2)
            ),
            x_range: (low, high),
            y_range,
            curves: vec![Curve::new("f(x)", value.clone()), Curve::dashed("f'(x)", slope.clone())],
            area: outline(&layer.hidden.histogram),
        })
        .collect();
    let shown = if layers.len() < survey.layers.len() {
        language.pick(" Not every layer is shown.", "一部の層だけを示す。")
    } else {
        ""
    };
    let how = match language {
        Language::En => format!(
            "x is the argument of f = {}. Solid: f(x). Dashed: f\u{2019}(x). Area: how often x lies there, each as high as its panel.{shown}",
            function.facts().name
        ),
        Language::Ja => format!(
            "x は f = {} の引数。実線: f(x)。破線: f\u{2019}(x)。面: x がそこにある頻度（各図で高さをそろえた）。{shown}",
            function.facts().name
        ),
    };
    let moments: Vec<String> = layers
        .iter()
        .map(|layer| {
            format!(
                "{} {} \u{b1} {}",
                layer.layer,
                fixed(layer.hidden.argument.mean, 2),
                fixed(layer.hidden.argument.std, 2)
            )
        })
        .collect();
    Chart {
        stem: "pre-activations".to_string(),
        title: language
            .pick("Where the arguments lie under the curve", "引数が曲線のどこにあるか")
            .to_string(),
        note: how,
        meaning: saturation(survey, language),
        description: language
            .pick("Arguments by layer, mean and standard deviation: ", "層ごとの引数の平均と標準偏差: ")
            .to_string()
            + &moments.join(", "),
        size: (WIDTH, HEIGHT * panels.len().div_ceil(COLUMNS) as f64),
        drawing: lay_out("pre-activations", &panels, COLUMNS, (WIDTH / COLUMNS as f64, HEIGHT)),
        ..Chart::default()
    }
}

fn saturation(survey: &Inspection, language: Language) -> String {
    let most =
        survey.layers.iter().max_by(|a, b| a.summary.saturated_share.total_cmp(&b.summary.saturated_share));
    let Some(most) = most else { return String::new() };
    let name = survey.shapes.act.function.facts().name;
    let (share, layer) = (percent(most.summary.saturated_share), most.layer);
    let (negative, positive) =
        (percent(most.hidden.saturated_negative), percent(most.hidden.saturated_positive));
    if most.summary.saturated_share == 0.0 {
        return match language {
            Language::En => format!("No argument lies where {name} is flat."),
            Language::Ja => format!("{name} が平らなところにある引数はない。"),
        };
    }
    match language {
        Language::En => format!(
            "{name} is flat (derivative below 1% of its maximum) for at most {share} of the arguments, in layer {layer}: {negative} at x \u{2264} 0 and {positive} above."
        ),
        Language::Ja => format!(
            "{name} が平ら（微分が最大値の 1% 未満）なところにある引数は最も多い第 {layer} 層で {share}（x \u{2264} 0 に {negative}、正の側に {positive}）。"
        ),
    }
}

/// All layers, or some of them as far apart as possible.
fn spread(layers: &[Layer]) -> Vec<&Layer> {
    let count = layers.len().min(MOST_PANELS);
    if count < 2 {
        return layers.iter().collect();
    }
    (0..count).map(|i| &layers[i * (layers.len() - 1) / (count - 1)]).collect()
}

fn edge(histogram: &Histogram, bin: usize) -> f64 {
    histogram.low + (histogram.high - histogram.low) * bin as f64 / histogram.counts.len() as f64
}

/// Between which values all but the tails lie.
fn middle(histogram: &Histogram) -> (f64, f64) {
    let all = histogram.counts.iter().sum::<u64>() + histogram.below + histogram.above;
    let rare = (TAIL * all as f64) as u64;
    let beyond = |counts: &mut dyn Iterator<Item = &u64>, outside: u64| {
        let mut sum = outside;
        counts
            .take_while(|count| {
                sum += **count;
                sum <= rare
            })
            .count()
    };
    let first = beyond(&mut histogram.counts.iter(), histogram.below);
    let last = beyond(&mut histogram.counts.iter().rev(), histogram.above);
    let bins = histogram.counts.len();
    (edge(histogram, first.min(bins - 1)), edge(histogram, bins - last.min(bins - 1)))
}

/// The steps of a histogram, as shares of its highest.
pub fn outline(histogram: &Histogram) -> Vec<(f64, f64)> {
    let highest = histogram.counts.iter().copied().max().unwrap_or(0).max(1) as f64;
    let step = |(bin, count): (usize, &u64)| {
        let share = *count as f64 / highest;
        [(edge(histogram, bin), share), (edge(histogram, bin + 1), share)]
    };
    histogram.counts.iter().enumerate().flat_map(step).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_leaves_out_tails_and_keeps_what_is_frequent() {
        let mut counts = vec![0; 64];
        (counts[30], counts[31], counts[33], counts[60]) = (500, 400, 98, 2);
        let histogram = Histogram { low: -8.0, high: 8.0, counts, below: 0, above: 0 };
        assert_eq!(middle(&histogram), (-0.5, 0.5));
        let outside = Histogram { below: 600, above: 600, ..histogram };
        assert_eq!(middle(&outside), (-8.0, 8.0));
    }
}
