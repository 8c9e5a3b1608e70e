//! A model's parameters by part, and a token's way through an FFN.

use super::phrases::percent;
use crate::lab::inspect::{PartSize, Shapes};
use crate::report::old::chart::{Drawing, Look};
use crate::report::old::language::Language;
use crate::report::old::picture::{Chart, WIDTH};
use crate::report::old::shell::{scrolled, table as html_table};
use crate::report::old::words::fixed;
use crate::support::output::{grouped, scaled};

pub fn charts(shapes: &Shapes, language: Language) -> Vec<Chart> {
    vec![parts(shapes, language), path(shapes, language)]
}

/// What the claim of two thirds says here.
pub fn share(shapes: &Shapes, language: Language) -> String {
    let sizes = &shapes.parameters;
    let (all, blocks) = (percent(sizes.ffn_share), percent(sizes.ffn_share_of_blocks));
    let near = |share: f64| (share - 2.0 / 3.0).abs() < 0.02;
    match (near(sizes.ffn_share), near(sizes.ffn_share_of_blocks)) {
        (true, true) => match language {
            Language::En => format!(
                "The FFNs hold {all} of all parameters and {blocks} of the blocks\u{2019}: two thirds of both."
            ),
            Language::Ja => format!(
                "FFN は全パラメータの {all}、ブロック内の {blocks} を持つ。どちらも 3 分の 2 である。"
            ),
        },
        (false, true) => {
            let outside = percent(1.0 - sizes.in_blocks as f64 / sizes.total as f64);
            match language {
                Language::En => format!(
                    "The FFNs hold two thirds of the blocks ({blocks}), but {all} of all parameters: {outside} lie outside the blocks."
                ),
                Language::Ja => format!(
                    "FFN はブロック内では 3 分の 2（{blocks}）を持つが、全パラメータでは {all} である。{outside} はブロックの外にある。"
                ),
            }
        }
        _ => match language {
            Language::En => format!(
                "The FFNs hold {all} of all parameters and {blocks} of the blocks\u{2019}, where the usual rule says two thirds."
            ),
            Language::Ja => format!(
                "FFN は全パラメータの {all}、ブロック内の {blocks} を持つ。よく言われる 3 分の 2 とは異なる。"
            ),
        },
    }
}

/// Two bars: all parameters, and those inside the blocks.
fn parts(shapes: &Shapes, language: Language) -> Chart {
    const BAR: f64 = 26.0;
    const LEFT: f64 = 56.0;
    const RIGHT: f64 = 464.0;
    let parts = &shapes.parameters.parts;
    let mut drawing = Drawing::default();
    for (row, name) in ["all", "blocks"].into_iter().enumerate() {
        let share = |part: &PartSize| if row == 0 { part.of_all } else { part.of_blocks };
        let top = 24.0 + 70.0 * row as f64;
        drawing.text("", (LEFT - 8.0, top + BAR / 2.0 + 4.0), "end", name);
        let mut x = LEFT;
        for (i, part) in parts.iter().enumerate() {
            let width = (RIGHT - LEFT) * share(part);
            drawing.push(format_args!(
                "<rect class=\"{}\" x=\"{x:.1}\" y=\"{top:.1}\" width=\"{width:.1}\" height=\"{BAR:.1}\"/>",
                Look::of(i).fill()
            ));
            // Narrower parts have no room for a number.
            if width > 46.0 {
                drawing.text("", (x + width / 2.0, top + BAR + 16.0), "middle", &percent(share(part)));
            }
            x += width;
        }
    }
    let all: Vec<String> = parts
        .iter()
        .map(|part| format!("{} {} ({})", part.part, grouped(part.parameters), percent(part.of_all)))
        .collect();
    Chart {
        stem: "parameters".to_string(),
        title: language.pick("Parameters by part", "パラメータの内訳").to_string(),
        note: language
            .pick(
                "Above: all parameters. Below: those inside the blocks.",
                "上: 全パラメータ。下: ブロック内のもの。",
            )
            .to_string(),
        meaning: share(shapes, language),
        description: language.pick("Parameters: ", "パラメータ: ").to_string() + &all.join(", "),
        size: (WIDTH, 146.0),
        drawing,
        legend: parts
            .iter()
            .enumerate()
            .filter(|(_, part)| part.parameters > 0)
            .map(|(i, part)| (i, part.part.to_string()))
            .collect(),
        ..Chart::default()
    }
}

/// Values that stand side by side, drawn as a bar as high as there are many.
struct Bar {
    name: String,
    values: usize,
    /// Of its middle.
    x: f64,
    y: f64,
}

const MIDDLE: f64 = 116.0;
const HIGHEST: f64 = 150.0;
const THICK: f64 = 16.0;

/// A token's way: as wide as it is at each step.
fn path(shapes: &Shapes, language: Language) -> Chart {
    let config = &shapes.config;
    let f = config.act.function.facts().name;
    let (dim, hidden) = (config.dim, config.ffn_dim);
    // Two lanes where there is a gate.
    let lanes: f64 = if config.act.gated { 2.0 } else { 1.0 };
    let unit = HIGHEST / lanes / dim.max(hidden) as f64;
    let columns = if config.act.gated { 5.0 } else { 4.0 };
    let bar = |name: &str, values: usize, column: f64, lane: f64| Bar {
        name: name.to_string(),
        values,
        x: 44.0 + (WIDTH - 88.0) * column / (columns - 1.0),
        y: MIDDLE + lane * HIGHEST * 0.35,
    };
    let (bars, ways) = if config.act.gated {
        let bars = vec![
            bar("x", dim, 0.0, 0.0),
            bar("g", hidden, 1.0, -1.0),
            bar("u", hidden, 1.0, 1.0),
            bar(&format!("{f}(g)"), hidden, 2.0, -1.0),
            bar("h", hidden, 3.0, 0.0),
            bar("y", dim, 4.0, 0.0),
        ];
        (bars, vec![(0, 1), (0, 2), (1, 3), (3, 4), (2, 4), (4, 5)])
    } else {
        let bars = vec![
            bar("x", dim, 0.0, 0.0),
            bar("u", hidden, 1.0, 0.0),
            bar(&format!("{f}(u)"), hidden, 2.0, 0.0),
            bar("y", dim, 3.0, 0.0),
        ];
        (bars, vec![(0, 1), (1, 2), (2, 3)])
    };
    let mut drawing = Drawing::default();
    for (from, to) in ways {
        let (a, b): (&Bar, &Bar) = (&bars[from], &bars[to]);
        let side = |bar: &Bar, x: f64, sign: f64| (x, bar.y + sign * half(bar, unit));
        let (left, right) = (a.x + THICK / 2.0, b.x - THICK / 2.0);
        drawing.band(
            Look::of(0),
            false,
            &[side(a, left, -1.0), side(b, right, -1.0)],
            &[side(a, left, 1.0), side(b, right, 1.0)],
        );
    }
    for bar in &bars {
        let height = 2.0 * half(bar, unit);
        drawing.push(format_args!(
            "<rect class=\"{}\" x=\"{:.1}\" y=\"{:.1}\" width=\"{THICK}\" height=\"{height:.1}\"/>",
            Look::of(0).fill(),
            bar.x - THICK / 2.0,
            bar.y - height / 2.0
        ));
        drawing.text("title", (bar.x, bar.y - height / 2.0 - 7.0), "middle", &bar.name);
    }
    // What happens between the columns, and the sizes there.
    let bottom = MIDDLE + HIGHEST / 2.0 + 34.0;
    let column = |i: f64| 44.0 + (WIDTH - 88.0) * i / (columns - 1.0);
    let sizes = [(0.0, dim), (1.0, hidden), (columns - 1.0, dim)];
    for (i, size) in sizes {
        drawing.text("quiet", (column(i), bottom), "middle", &grouped(size));
    }
    let mut between = vec![(0.5, "expand"), (1.5, "activate"), (columns - 1.5, "compress")];
    if config.act.gated {
        between.push((2.5, "multiply"));
    }
    for (i, step) in between {
        drawing.text("", (column(i), bottom + 20.0), "middle", step);
    }
    let times = fixed(shapes.expansion(), 2);
    let weights = grouped(config.act.ffn_matrices() * dim * hidden);
    let meaning = match language {
        Language::En => format!(
            "Each of the {} FFNs expands {} values to {} ({times} times as many), applies {f} to each, and compresses them to {} again, with {weights} weights.",
            config.layers,
            grouped(dim),
            grouped(hidden),
            grouped(dim)
        ),
        Language::Ja => format!(
            "{} 個の FFN はそれぞれ {} 個の値を {} 個（{times} 倍）に広げ、各々に {f} を施し、再び {} 個に縮める。重みは {weights} 個。",
            config.layers,
            grouped(dim),
            grouped(hidden),
            grouped(dim)
        ),
    };
    Chart {
        stem: "ffn-path".to_string(),
        title: language.pick("A token\u{2019}s way through one FFN", "1 つの FFN を通るトークン").to_string(),
        note: language
            .pick("Bars are as high as there are values.", "棒の高さは値の個数に比例する。")
            .to_string(),
        description: meaning.clone(),
        meaning,
        size: (WIDTH, bottom + 30.0),
        drawing,
        ..Chart::default()
    }
}

/// Half the height of a bar, which is never too low to be seen.
fn half(bar: &Bar, unit: f64) -> f64 {
    (bar.values as f64 * unit / 2.0).max(2.0)
}

/// What the model is and costs.
pub fn table(shapes: &Shapes, language: Language) -> String {
    let said = |english: &str, japanese: &str| language.pick(english, japanese).to_string();
    let bytes = |bytes: usize| format!("{}B", scaled(bytes as f64));
    let flops = |flops: f64| format!("{}FLOP", scaled(flops));
    let rows = vec![
        vec![said("parameters", "パラメータ"), grouped(shapes.parameters.total)],
        vec![said("weights, f32", "重み（f32）"), bytes(shapes.bytes.weights)],
        vec![said("AdamW\u{2019}s moments, f32", "AdamW のモーメント（f32）"), bytes(shapes.bytes.optimizer)],
        vec![said("one token, forward", "1 トークンの順伝播"), flops(shapes.flops_per_token.forward)],
        vec![said("one token, training", "1 トークンの学習"), flops(shapes.flops_per_token.training)],
    ];
    let titles = [said("what", "項目"), said("how much", "量")];
    scrolled(language.pick("What the model costs", "モデルの費用"), &html_table(&titles, &rows, 1))
}
