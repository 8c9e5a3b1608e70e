//! Fresh models: which gradients reach the first layer, by activation and depth.

use super::layers::{Series, log_axis, over_layers};
use super::phrases::{explained, factor};
use crate::lab::inspect::{FreshModels, InitialGradients, Setting};
use crate::report::old::chart::{Drawing, Look};
use crate::report::old::frame::{ACROSS, Axis, HEIGHT};
use crate::report::old::language::Language;
use crate::report::old::picture::{Chart, WIDTH};
use crate::report::old::scale::Scale;
use crate::report::old::shell::{scrolled, table as html_table};
use crate::report::old::words::fixed;

/// The first norm over the last by depth, then the norms by layer of each depth.
pub fn charts(fresh: &FreshModels, language: Language) -> Vec<Chart> {
    let mut charts = Vec::new();
    let depths = depths(fresh);
    if depths.len() > 1 {
        charts.push(ratios(fresh, &depths, language));
    }
    charts.extend(depths.iter().map(|depth| norms(fresh, *depth, language)));
    charts
}

pub fn headline(fresh: &FreshModels, language: Language) -> String {
    let Some(depth) = depths(fresh).last().copied() else { return String::new() };
    deepest(fresh, depth, language)
}

fn depths(fresh: &FreshModels) -> Vec<usize> {
    let mut depths: Vec<usize> = fresh.gradients.iter().map(|found| found.layers).collect();
    depths.sort_unstable();
    depths.dedup();
    depths
}

fn of_depth(fresh: &FreshModels, depth: usize) -> impl Iterator<Item = &InitialGradients> {
    fresh.gradients.iter().filter(move |found| found.layers == depth)
}

/// Which activation keeps most and which least of the gradient at this depth.
fn deepest(fresh: &FreshModels, depth: usize, language: Language) -> String {
    let ratio = |found: &InitialGradients| found.first_over_last;
    let known = || of_depth(fresh, depth).filter(|found| ratio(found).is_finite());
    let least = known().min_by(|a, b| ratio(a).total_cmp(&ratio(b)));
    let most = known().max_by(|a, b| ratio(a).total_cmp(&ratio(b)));
    let (Some(least), Some(most)) = (least, most) else {
        return match language {
            Language::En => format!("With {depth} layers all values left the range of f64."),
            Language::Ja => format!("{depth} 層では、どの値も f64 の範囲を出た。"),
        };
    };
    let around = match fresh.setting {
        Setting::Model => language.pick("in whole models", "モデル全体"),
        Setting::Stack => language.pick("in FFNs alone", "FFN のみ"),
    };
    let (low, high) = (factor(ratio(least)), factor(ratio(most)));
    match language {
        Language::En if least.act == most.act => {
            format!(
                "With {depth} layers, {around}, the first layer\u{2019}s gradient is {low} times the last\u{2019}s ({}).",
                least.act
            )
        }
        Language::En => format!(
            "With {depth} layers, {around}, the first layer\u{2019}s gradient is between {low} times the last\u{2019}s ({}) and {high} times ({}).",
            least.act, most.act
        ),
        Language::Ja if least.act == most.act => {
            format!("{depth} 層（{around}）では、最初の層の勾配は最後の層の {low} 倍（{}）。", least.act)
        }
        Language::Ja => format!(
            "{depth} 層（{around}）では、最初の層の勾配は最後の層の {low} 倍（{}）から {high} 倍（{}）。",
            least.act, most.act
        ),
    }
}

fn index(fresh: &FreshModels, found: &InitialGradients) -> usize {
    fresh.standard_normal.iter().position(|normal| normal.act == found.act).unwrap_or(0)
}

fn ratios(fresh: &FreshModels, depths: &[usize], language: Language) -> Chart {
    let (shallow, deep) = (depths[0] as f64, depths[depths.len() - 1] as f64);
    let room = (deep / shallow).powf(0.05);
    let x = Scale::log((shallow / room, deep * room), ACROSS);
    let finite = |found: &&InitialGradients| found.first_over_last.is_finite();
    let label = "first layer\u{2019}s norm over the last\u{2019}s";
    let y = log_axis(
        label,
        fresh.gradients.iter().filter(finite).map(|found| found.first_over_last).chain([1.0]),
    );
    let ticks = depths.iter().map(|depth| (*depth as f64, depth.to_string())).collect();
    let mut drawing = Drawing::default();
    let stem = "gradient-ratio";
    drawing.begin_frame(stem, &Axis { scale: x, ticks, label: "layers" }, &y);
    drawing.segment("floor", (x.start, y.scale.at(1.0)), (x.end, y.scale.at(1.0)));
    for (i, normal) in fresh.standard_normal.iter().enumerate().rev() {
        let own =
            fresh.gradients.iter().filter(|found| found.act == normal.act && found.first_over_last > 0.0);
        let points: Vec<(f64, f64)> = own
            .filter(finite)
            .map(|found| (x.at(found.layers as f64), y.scale.at(found.first_over_last)))
            .collect();
        drawing.line(Look::of(i), &points);
        points.into_iter().for_each(|point| drawing.dot(Look::of(i), "", point, 3.5));
    }
    drawing.push("</g>");
    let said = fresh
        .gradients
        .iter()
        .map(|found| format!("{} {}: {}", found.act, found.layers, factor(found.first_over_last)));
    Chart {
        stem: stem.to_string(),
        title: language
            .pick("What reaches the first layer, by depth", "深さと、最初の層に届く勾配")
            .to_string(),
        note: language
            .pick(
                "Dotted: as much as in the last layer. The axes are logarithmic.",
                "点線: 最後の層と同じ大きさ。両軸とも対数。",
            )
            .to_string(),
        meaning: headline(fresh, language),
        description: said.collect::<Vec<_>>().join("; "),
        size: (WIDTH, HEIGHT),
        drawing,
        legend: fresh.standard_normal.iter().enumerate().map(|(i, normal)| (i, normal.act.name())).collect(),
        ..Chart::default()
    }
}

fn norms(fresh: &FreshModels, depth: usize, language: Language) -> Chart {
    let mut found: Vec<&InitialGradients> = of_depth(fresh, depth).collect();
    // In the order of the activations, so that each has its colour in every chart.
    found.sort_by_key(|found| index(fresh, found));
    let usable = |norm: &f64| (norm.is_finite() && *norm > 0.0).then_some(*norm);
    let series: Vec<Series> =
        found.iter().map(|found| (found.act.name(), found.norms.iter().map(usable).collect())).collect();
    let y = log_axis(
        "norm of the gradient",
        series.iter().flat_map(|(_, values)| values.iter().flatten().copied()),
    );
    let lost = found.iter().any(|found| found.norms.iter().any(|norm| usable(norm).is_none()));
    let title = match language {
        Language::En => format!("Gradient by layer, {depth} deep"),
        Language::Ja => format!("層ごとの勾配（{depth} 層）"),
    };
    let mut note = language
        .pick("Norm of the loss\u{2019}s gradient with respect to the matrix that gives f its argument; the axis is logarithmic.", "f の引数を作る行列に関する損失の勾配のノルム。縦軸は対数。")
        .to_string();
    if lost {
        note += language.pick(" Left out: what left the range of f64.", "f64 の範囲を出た値は省いた。");
    }
    Chart {
        title,
        note,
        meaning: deepest(fresh, depth, language),
        // One series alone has a name, too.
        legend: series.iter().enumerate().map(|(i, (name, _))| (i, name.clone())).collect(),
        ..over_layers(&format!("gradient-norm-{depth}"), &y, &series)
    }
}

/// What the functions make of standard normal arguments.
pub fn table(fresh: &FreshModels, language: Language) -> String {
    let said = |english: &str, japanese: &str| language.pick(english, japanese).to_string();
    let titles = [
        said("activation", "活性化関数"),
        said("mean f(z)", "f(z) の平均"),
        said("std f(z)", "f(z) の標準偏差"),
    ];
    let rows: Vec<Vec<String>> = fresh
        .standard_normal
        .iter()
        .map(|normal| vec![normal.act.name(), fixed(normal.moments.mean, 2), fixed(normal.moments.std, 2)])
        .collect();
    // Two decimals are what is shown: what rounds to 0 is 0.
    let centred: Vec<String> = fresh
        .standard_normal
        .iter()
        .filter(|normal| normal.moments.mean.abs() < 0.005)
        .map(|normal| normal.act.name())
        .collect();
    let sentence = match (language, centred.is_empty()) {
        (Language::En, true) => {
            "None of these functions is centred on 0 where its arguments are.".to_string()
        }
        (Language::En, false) => format!(
            "Where the arguments are centred on 0, the outputs of {} are, and of no other.",
            centred.join(", ")
        ),
        (Language::Ja, true) => "引数の平均が 0 でも、出力の平均が 0 になる関数はここにない。".to_string(),
        (Language::Ja, false) => {
            format!("引数の平均が 0 のとき、出力の平均も 0 なのは {} だけである。", centred.join("、"))
        }
    };
    let name =
        language.pick("Moments on standard normal arguments", "標準正規分布の引数に対する平均と標準偏差");
    explained(
        &sentence,
        &scrolled(name, &html_table(&titles, &rows, 1)),
        language.pick("z: standard normal.", "z: 標準正規分布。"),
    )
}
