//! Charts over the layers of a trained model.

use super::phrases::{extremes, factor, percent};
use crate::lab::inspect::Inspection;
use crate::report::old::chart::{Drawing, Look};
use crate::report::old::frame::{ACROSS, Axis, HEIGHT, UP};
use crate::report::old::language::Language;
use crate::report::old::picture::{Chart, WIDTH};
use crate::report::old::scale::{Scale, padded, step};
use crate::support::output::grouped;

/// A line over the layers; where a layer has no value, none.
pub type Series = (String, Vec<Option<f64>>);

/// A frame with a line for each series, and its legend where there are several.
pub fn over_layers(stem: &str, y: &Axis, series: &[Series]) -> Chart {
    let layers = series.iter().map(|(_, values)| values.len()).max().unwrap_or(0);
    // Each layer stands in the middle of its share of the axis.
    let x = Scale::linear((0.0, layers.max(1) as f64), ACROSS);
    let place = |layer: usize| layer as f64 + 0.5;
    let every = step(layers.max(1) as f64, 8.0).max(1.0) as usize;
    let ticks = (0..layers).step_by(every).map(|layer| (place(layer), layer.to_string())).collect();
    let mut drawing = Drawing::default();
    drawing.begin_frame(stem, &Axis { scale: x, ticks, label: "layer" }, y);
    for (i, (_, values)) in series.iter().enumerate().rev() {
        let shown = values.iter().enumerate().filter_map(|(layer, value)| Some((layer, (*value)?)));
        let points: Vec<(f64, f64)> =
            shown.map(|(layer, value)| (x.at(place(layer)), y.scale.at(value))).collect();
        drawing.line(Look::of(i), &points);
        for point in points.into_iter().filter(|(_, y)| y.is_finite()) {
            drawing.dot(Look::of(i), "", point, 3.0);
        }
    }
    drawing.push("</g>");
    let legend = series.iter().enumerate().map(|(i, (name, _))| (i, name.clone()));
    let described = series.iter().map(|(name, values)| {
        let values = values.iter().map(|value| value.map_or("-".to_string(), factor));
        format!("{name}: {}", values.collect::<Vec<_>>().join(", "))
    });
    Chart {
        stem: stem.to_string(),
        description: format!("By layer, {}: {}", y.label, described.collect::<Vec<_>>().join("; ")),
        size: (WIDTH, HEIGHT),
        drawing,
        legend: if series.len() > 1 { legend.collect() } else { Vec::new() },
        ..Chart::default()
    }
}

/// The axis of values that are all positive and differ by factors.
pub fn log_axis(label: &str, values: impl IntoIterator<Item = f64>) -> Axis<'_> {
    let positive = values.into_iter().filter(|value| *value > 0.0).map(f64::ln);
    let (low, high) = padded(positive).unwrap_or((-1.0, 1.0));
    // At least a factor of ten, so that noise does not look like a slope.
    let room = (10f64.ln() - (high - low)).max(0.0) / 2.0;
    let scale = Scale::log(((low - room).exp(), (high + room).exp()), UP);
    let mut axis = Axis::new(scale, label);
    // Numbers of the usual size as they are usually written.
    if scale.low > 1e-3 && scale.high < 1e4 {
        axis.ticks.iter_mut().for_each(|(tick, written)| *written = tick.to_string());
    }
    axis
}

pub fn charts(survey: &Inspection, language: Language) -> Vec<Chart> {
    vec![linear(survey, language), loudness(survey, language), gradients(survey, language)]
}

fn values(survey: &Inspection, of: impl Fn(&crate::lab::inspect::Layer) -> Option<f64>) -> Vec<Option<f64>> {
    survey.layers.iter().map(of).collect()
}

pub fn headline(survey: &Inspection, language: Language) -> String {
    let act = survey.shapes.act;
    let units: usize = survey.layers.iter().map(|layer| layer.hidden.units).sum();
    let dead: usize = survey.layers.iter().map(|layer| layer.summary.dead_units).sum();
    let linear = extremes(values(survey, |layer| layer.summary.linear_r2));
    let blocks = percent(survey.shapes.parameters.ffn_share_of_blocks);
    let units = grouped(units);
    match (language, linear) {
        (Language::En, Some(((_, least), (_, most)))) => format!(
            "{act}: one linear map would explain {} to {} of an FFN\u{2019}s output; {} of {units} units are dead; the FFNs are {blocks} of the blocks.",
            percent(least),
            percent(most),
            grouped(dead)
        ),
        (Language::En, None) => {
            format!(
                "{act}: {} of {units} units are dead; the FFNs are {blocks} of the blocks.",
                grouped(dead)
            )
        }
        (Language::Ja, Some(((_, least), (_, most)))) => format!(
            "{act}: FFN の出力の {}〜{} は 1 つの線形写像で説明できる。{units} ユニット中 {} が死んでいる。ブロックの {blocks} が FFN である。",
            percent(least),
            percent(most),
            grouped(dead)
        ),
        (Language::Ja, None) => {
            format!(
                "{act}: {units} ユニット中 {} が死んでいる。ブロックの {blocks} が FFN である。",
                grouped(dead)
            )
        }
    }
}

fn linear(survey: &Inspection, language: Language) -> Chart {
    let found = values(survey, |layer| layer.summary.linear_r2);
    let meaning = match extremes(found.clone()) {
        None => language
            .pick(
                "The text is too short to fit a linear map to.",
                "線形写像を当てはめるにはテキストが短すぎる。",
            )
            .to_string(),
        Some(((_, least), _)) if least > 0.999 => language
            .pick(
                "Every FFN here is one linear map: without its activation nothing would change.",
                "ここの FFN はどれも 1 つの線形写像と同じで、活性化関数がなくても変わらない。",
            )
            .to_string(),
        Some(((bent, least), (straight, most))) => match language {
            Language::En => format!(
                "The least linear FFN is that of layer {bent}, of whose output a linear map explains {}; the most linear that of layer {straight}, with {}.",
                percent(least),
                percent(most)
            ),
            Language::Ja => format!(
                "最も線形から遠い FFN は第 {bent} 層（線形写像で説明できるのは出力の {}）、最も線形に近いのは第 {straight} 層（{}）。",
                percent(least),
                percent(most)
            ),
        },
    };
    // A map that does worse than the mean is below 0.
    let low = found.iter().flatten().copied().fold(0.0, f64::min);
    let chart = over_layers(
        "linear-r2",
        &Axis::new(Scale::linear((low, 1.02), UP), "R\u{b2} of the best linear map"),
        &[("R\u{b2}".to_string(), found)],
    );
    Chart {
        title: language.pick("How linear each FFN is", "各 FFN はどれだけ線形か").to_string(),
        note: language
            .pick(
                "1: the FFN is one matrix. 0: a linear map explains nothing.",
                "1: FFN は 1 つの行列に等しい。0: 線形写像では何も説明できない。",
            )
            .to_string(),
        meaning,
        ..chart
    }
}

/// How much of the function's flat parts and of its zeros the model uses.
pub fn shares(survey: &Inspection, language: Language) -> Chart {
    let percentages =
        |of: fn(&crate::lab::inspect::Layer) -> f64| values(survey, |layer| Some(100.0 * of(layer)));
    let series = [
        ("saturated, x \u{2264} 0".to_string(), percentages(|layer| layer.hidden.saturated_negative)),
        ("saturated, x > 0".to_string(), percentages(|layer| layer.hidden.saturated_positive)),
        ("f(x) = 0".to_string(), percentages(|layer| layer.summary.zero_share)),
        (
            "dead units".to_string(),
            percentages(|layer| layer.summary.dead_units as f64 / layer.hidden.units as f64),
        ),
    ];
    let most = series.iter().flat_map(|(_, values)| values.iter().flatten()).copied().fold(1.0, f64::max);
    let dead: usize = survey.layers.iter().map(|layer| layer.summary.dead_units).sum();
    let zeros = extremes(values(survey, |layer| Some(layer.summary.zero_share)));
    let meaning = match (zeros, language) {
        (Some((_, (layer, most))), Language::En) if most > 0.0 => format!(
            "At most {} of the hidden values are exactly 0 (layer {layer}); {} units are never anything else.",
            percent(most),
            grouped(dead)
        ),
        (Some((_, (layer, most))), Language::Ja) if most > 0.0 => format!(
            "隠れ値のうちちょうど 0 なのは最大で {}（第 {layer} 層）。常に 0 のユニットは {} 個。",
            percent(most),
            grouped(dead)
        ),
        (_, Language::En) => "No hidden value is exactly 0, and no unit is dead.".to_string(),
        (_, Language::Ja) => "ちょうど 0 の隠れ値はなく、死んだユニットもない。".to_string(),
    };
    let chart =
        over_layers("shares", &Axis::new(Scale::linear((0.0, (1.05 * most).min(102.0)), UP), "%"), &series);
    Chart {
        title: language.pick("Saturated, zero and dead", "飽和・ゼロ・死んだユニット").to_string(),
        note: language
            .pick(
                "Saturated: |f\u{2019}(x)| below 1% of its maximum. Dead: 0 at every token that was read. Where lines coincide, the first of the legend is on top.",
                "飽和: |f\u{2019}(x)| が最大値の 1% 未満。死んだユニット: 読んだすべてのトークンで 0。線が重なる所では凡例の先のものが上になる。",
            )
            .to_string(),
        meaning,
        ..chart
    }
}

fn loudness(survey: &Inspection, language: Language) -> Chart {
    let series = [
        ("FFN output".to_string(), values(survey, |layer| Some(layer.output.rms))),
        ("residual stream".to_string(), values(survey, |layer| Some(layer.output.residual_rms))),
    ];
    let y =
        log_axis("root mean square", series.iter().flat_map(|(_, values)| values.iter().flatten().copied()));
    let meaning = match (extremes(values(survey, |layer| Some(layer.output.relative))), language) {
        (Some(((quiet, least), (loud, most))), Language::En) => format!(
            "The FFN adds most in layer {loud}, {} times the residual stream that it is added to, and least in layer {quiet}, {} times.",
            factor(most),
            factor(least)
        ),
        (Some(((quiet, least), (loud, most))), Language::Ja) => format!(
            "FFN が最も大きく加えるのは第 {loud} 層（残差ストリームの {} 倍）、最も小さいのは第 {quiet} 層（{} 倍）。",
            factor(most),
            factor(least)
        ),
        (None, _) => String::new(),
    };
    Chart {
        title: language
            .pick("What the FFN adds to the residual stream", "FFN が残差ストリームに加える大きさ")
            .to_string(),
        note: language
            .pick("Root mean squares; the axis is logarithmic.", "二乗平均平方根。縦軸は対数。")
            .to_string(),
        meaning,
        ..over_layers("ffn-output", &y, &series)
    }
}

fn gradients(survey: &Inspection, language: Language) -> Chart {
    let norms: Vec<f64> = survey.layers.iter().map(|layer| layer.summary.grad_norm).collect();
    let ratio = norms.first().zip(norms.last()).map_or(f64::NAN, |(first, last)| first / last);
    let meaning = match language {
        Language::En => {
            format!("The first layer\u{2019}s gradient is {} times the last\u{2019}s.", factor(ratio))
        }
        Language::Ja => format!("最初の層の勾配は最後の層の {} 倍である。", factor(ratio)),
    };
    let y = log_axis("norm of the gradient", norms.iter().copied());
    let series = [("norm".to_string(), norms.into_iter().map(|norm| (norm > 0.0).then_some(norm)).collect())];
    let note = match language {
        Language::En => format!(
            "Of the mean loss of the first {} tokens, with respect to the matrix that gives f its argument; the axis is logarithmic.",
            grouped(survey.gradient_tokens)
        ),
        Language::Ja => format!(
            "最初の {} トークンの平均損失を、f の引数を作る行列で微分したもののノルム。縦軸は対数。",
            grouped(survey.gradient_tokens)
        ),
    };
    Chart {
        title: language.pick("What each layer would learn from", "各層に届く勾配").to_string(),
        note,
        meaning,
        ..over_layers("gradient-norm", &y, &series)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_axis_holds_all_that_is_positive_and_at_least_a_factor_of_ten() {
        let wide = log_axis("norm", [1e-12, 0.0, 3.0]);
        assert!(wide.scale.holds(1e-12) && wide.scale.holds(3.0));
        let flat = log_axis("norm", [2.0, 2.1]);
        assert!(flat.scale.high / flat.scale.low > 9.99 && flat.scale.holds(2.0));
        let written: Vec<String> = flat.ticks.into_iter().map(|(_, written)| written).collect();
        assert_eq!(written, ["1", "2", "5"]);
        assert!(log_axis("norm", [f64::NAN, 0.0]).scale.holds(1.0));
    }

    #[test]
    fn one_layer_is_drawn_and_a_missing_value_is_not() {
        let chart = |values: Vec<Option<f64>>| {
            let axis = Axis::new(Scale::linear((0.0, 1.0), UP), "label");
            over_layers("stem", &axis, &[("one".to_string(), values)])
        };
        assert_eq!(chart(vec![Some(0.5)]).drawing.0.matches("<circle").count(), 1);
        let gap = chart(vec![Some(0.5), None, Some(1.0)]);
        assert_eq!(gap.drawing.0.matches("<circle").count(), 2);
        assert_eq!(gap.description, "By layer, label: one: 0.50, -, 1.00");
    }
}
