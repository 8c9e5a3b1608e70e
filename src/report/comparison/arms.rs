//! The table of arms: what people read, and the values behind it for CSV and JSON.

use crate::lab::compare::analysis::{Analysis, Arm, Pair, Verdict};
use crate::support::numbers::{
    DASH, duration, fixed, four_digits, grouped, p_value, relative, scaled, scientific, signed,
};
use crate::support::table::{Cell, Table, label, number, words};
use crate::support::text::Text;
use serde_json::{Value, json};

fn or_dash(text: Option<String>) -> Text {
    text.map_or(DASH.into(), Text::from)
}

fn cell<const N: usize>(
    title: Text,
    text: impl Into<Text>,
    values: [(&'static str, Value); N],
) -> (Text, Cell) {
    (title, Cell::new(text, values))
}

/// The cells of an arm after its name and verdict, each under its title, the most important first.
fn cells(analysis: &Analysis, arm: &Arm) -> Vec<(Text, Cell)> {
    let pair = analysis.against_baseline(arm);
    let baseline_loss = analysis.arm(arm.baseline).map_or(f64::NAN, |arm| arm.loss.mean);
    let percent = |value: f64| 100.0 * value / baseline_loss;
    let (difference, interval) = (pair.map(|pair| pair.difference), pair.and_then(|pair| pair.interval));
    let text_interval = pair.and_then(|pair| pair.text_interval);
    let p = pair.and_then(|pair| pair.p);
    let seeds_needed = pair.and_then(Pair::seeds_needed);
    let known = difference.filter(|difference| difference.is_finite());
    let mut cells = vec![
        cell(
            text!("compare.column.loss"),
            fixed(arm.loss.mean, 4),
            [("val_loss_mean", json!(arm.loss.mean))],
        ),
        cell(
            text!("compare.column.relative", baseline = &analysis.baseline_name),
            or_dash(known.map(|known| relative(known, interval, baseline_loss))),
            [
                ("delta_percent", json!(difference.map(percent))),
                ("ci95_percent", json!(interval.map(|(low, high)| (percent(low), percent(high))))),
            ],
        ),
        cell(
            text!("compare.column.seeds"),
            or_dash(Some(arm.loss.n).filter(|n| *n > 0).map(grouped)),
            [("seeds", json!(arm.loss.n)), ("diverged", json!(arm.diverged.len()))],
        ),
        cell(text!("compare.column.p"), or_dash(p.map(p_value)), [("p", json!(p))]),
        cell(
            text!("compare.column.seeds_needed"),
            or_dash(seeds_needed.map(|n| format!("~{n}"))),
            [("seeds_needed", json!(seeds_needed))],
        ),
        cell(
            text!("compare.column.std"),
            or_dash(arm.loss.std.map(|std| fixed(std, 4))),
            [("val_loss_std", json!(arm.loss.std))],
        ),
        cell(
            text!("compare.column.difference", baseline = &analysis.baseline_name),
            or_dash(difference.map(|difference| with_range(difference, interval))),
            [("delta", json!(difference)), ("ci95", json!(interval))],
        ),
        cell(
            text!("compare.column.by_text"),
            or_dash(text_interval.map(range)),
            [("text_ci95", json!(text_interval))],
        ),
        cell(
            text!("compare.column.perplexity"),
            four_digits(arm.perplexity.mean),
            [("perplexity", json!(arm.perplexity.mean)), ("perplexity_std", json!(arm.perplexity.std))],
        ),
        cell(
            text!("compare.column.bits_per_byte"),
            fixed(arm.bits_per_byte, 4),
            [("bits_per_byte", json!(arm.bits_per_byte))],
        ),
    ];
    if let Some(above) = analysis.floor.map(|floor| arm.loss.mean - floor) {
        let title = text!("compare.column.above_floor");
        cells.push((title, Cell::new(fixed(above, 4), [("above_floor", json!(above))])));
    }
    cells.push(cell(
        text!("compare.column.best"),
        fixed(arm.best_loss.mean, 4),
        [("best_loss_mean", json!(arm.best_loss.mean)), ("best_loss_std", json!(arm.best_loss.std))],
    ));
    if let Some(lr) = analysis.fixed_lr {
        let loss = at_rate(arm, lr);
        cells.push(cell(
            text!("compare.column.at_rate", lr = scientific(lr)),
            loss.map_or(DASH.into(), or_diverged),
            [("loss_at_fixed_lr", json!(loss))],
        ));
        let range = arm.sensitivity();
        cells.push(cell(
            text!("compare.column.range_over_rates"),
            or_diverged(range),
            [("sensitivity", json!(range)), ("rates", json!(arm.rates))],
        ));
    }
    cells.extend(cost(arm));
    cells
}

/// What an arm costs.
fn cost(arm: &Arm) -> [(Text, Cell); 8] {
    let (speed, memory) = (arm.tokens_per_second, arm.peak_memory);
    [
        cell(
            text!("compare.column.speed"),
            speed_range(arm),
            [
                ("tokens_per_second", json!(speed.median)),
                ("tokens_per_second_range", json!((speed.low, speed.high))),
            ],
        ),
        cell(
            text!("compare.column.time_to_baseline"),
            or_dash(arm.seconds_to_baseline.map(duration)),
            [("seconds_to_baseline", json!(arm.seconds_to_baseline))],
        ),
        cell(
            text!("compare.column.memory"),
            or_dash(memory.map(|mb| format!("{} MB", fixed(mb, 0)))),
            [("peak_rss_mb", json!(memory))],
        ),
        cell(
            text!("compare.column.flops"),
            positive(arm.flops_per_token, scaled),
            [("flops_per_token", json!(arm.flops_per_token))],
        ),
        cell(
            text!("compare.column.ffn_rms"),
            four_digits(arm.ffn_output_rms),
            [("ffn_output_rms", json!(arm.ffn_output_rms))],
        ),
        cell(text!("compare.column.parameters"), grouped(arm.params), [("params", json!(arm.params))]),
        cell(text!("compare.column.ffn_dim"), grouped(arm.ffn_dim), [("ffn_dim", json!(arm.ffn_dim))]),
        cell(text!("compare.column.lr"), positive(arm.lr, scientific), [("lr", json!(arm.lr))]),
    ]
}

fn positive(value: f64, write: fn(f64) -> String) -> Text {
    if value.is_finite() && value > 0.0 { write(value).trim().into() } else { DASH.into() }
}

fn speed_range(arm: &Arm) -> String {
    let spread = arm.tokens_per_second;
    if !spread.median.is_finite() || arm.seeds.is_empty() && spread.median == 0.0 {
        return DASH.to_string();
    }
    let whole = |value: f64| grouped(value.max(0.0).round() as usize);
    match whole(spread.median) {
        median if spread.low == spread.high => median,
        median => format!("{median} ({}\u{2013}{})", whole(spread.low), whole(spread.high)),
    }
}

/// The mean loss at a rate of the grid; infinite if every run at it diverged.
fn at_rate(arm: &Arm, lr: f64) -> Option<f64> {
    let rate = arm.rates.iter().find(|rate| rate.lr == lr)?;
    rate.loss.map(|loss| loss.mean).or((rate.diverged > 0).then_some(f64::INFINITY))
}

fn or_diverged(value: f64) -> Text {
    if value == f64::INFINITY { text!("compare.verdict.diverged") } else { fixed(value, 4).into() }
}

fn with_range(difference: f64, interval: Option<(f64, f64)>) -> String {
    let range = interval.map_or(String::new(), |interval| format!(" {}", range(interval)));
    signed(difference, 4) + &range
}

fn range((low, high): (f64, f64)) -> String {
    format!("[{}, {}]", signed(low, 4), signed(high, 4))
}

/// A verdict in words.
pub fn verdict(verdict: Verdict) -> Text {
    let name = verdict.name();
    Text::message(format!("compare.verdict.{name}"))
}

/// An arm's place in the comparison, and in one word for programs.
fn standing(analysis: &Analysis, arm: &Arm) -> (Text, Option<&'static str>) {
    let (done, diverged) = (arm.losses.len(), arm.diverged.len());
    let pair = analysis.against_baseline(arm).map(|pair| pair.verdict);
    let (text, word) = match pair {
        _ if done == 0 && diverged > 0 => return (text!("compare.verdict.diverged"), Some("diverged")),
        _ if arm.variant == arm.baseline => (text!("compare.verdict.baseline"), Some("baseline")),
        Some(Verdict::Diverged) if diverged > 0 => {
            let text = text!("compare.verdict.some_diverged", diverged = diverged, all = diverged + done);
            return (text, Some("diverged"));
        }
        Some(Verdict::Diverged) => (text!("compare.verdict.baseline_diverged"), Some("diverged")),
        Some(own) => (verdict(own), Some(own.name())),
        None => (DASH.into(), None),
    };
    match diverged {
        0 => (text, word),
        _ => (text!("compare.verdict.and_diverged", verdict = text, diverged = diverged), word),
    }
}

/// The table of arms.
pub fn table(analysis: &Analysis) -> Table {
    let rows: Vec<Vec<(Text, Cell)>> = analysis.arms.iter().map(|arm| cells(analysis, arm)).collect();
    let titles = rows.iter().take(1).flatten().map(|(title, _)| number(title.clone()));
    let of_acts = analysis.arms.iter().all(|arm| arm.variant == arm.variant.act().into());
    let arms = if of_acts { text!("compare.column.activation") } else { text!("compare.column.arm") };
    let first = [label(arms), words(text!("compare.column.verdict"))];
    let mut table = Table::new(first.into_iter().chain(titles)).with_caption(text!("compare.arms"));
    table.sorted_by = Some(2);
    table.baseline = analysis.arms.iter().position(|arm| arm.variant == analysis.baseline);
    for (arm, cells) in analysis.arms.iter().zip(rows) {
        let (standing, word) = standing(analysis, arm);
        let first = [
            Cell::new(arm.variant, [("act", json!(arm.variant))]),
            Cell::new(standing, [("verdict", json!(word))]),
        ];
        table.add_row(first.into_iter().chain(cells.into_iter().map(|(_, cell)| cell)));
    }
    table
}
