//! The table of arms: its columns once, for every form of it.

use crate::lab::compare::analysis::{Analysis, Arm, Pair, Verdict};
use crate::support::numbers::{
    DASH, duration, fixed, four_digits, grouped, p_value, relative, scaled, scientific, signed,
};
use crate::support::table::{Cell, Table, Value, label, number, words};
use crate::support::text::{Language, Text};

/// An arm, and its comparison with the baseline if there is one.
struct Row<'a> {
    analysis: &'a Analysis,
    arm: &'a Arm,
    pair: Option<&'a Pair>,
}

/// A value of an arm, with its name in CSV.
type Named = (&'static str, fn(&Row) -> Option<f64>);

/// A column of the table of arms.
struct Column {
    title: Text,
    show: fn(&Row) -> Text,
    /// The values behind it. Rows are sorted by the first.
    values: Vec<Named>,
}

fn column(title: Text, show: fn(&Row) -> Text, values: &[Named]) -> Column {
    Column { title, show, values: values.to_vec() }
}

fn or_dash(text: Option<String>) -> Text {
    text.map_or(DASH.into(), Text::from)
}

/// Columns after the name and the verdict, the most important first.
fn columns(analysis: &Analysis) -> Vec<Column> {
    let mut columns = vec![
        column(
            text!("compare.column.loss"),
            |row| fixed(row.arm.loss.mean, 4).into(),
            &[("loss_mean", |row| Some(row.arm.loss.mean))],
        ),
        column(
            text!("compare.column.relative", baseline = analysis.baseline),
            |row| or_dash(relative_difference(row)),
            &[
                ("difference_percent", |row| percent_of_baseline(row, row.pair?.difference)),
                ("difference_percent_low", |row| percent_of_baseline(row, row.pair?.interval?.0)),
                ("difference_percent_high", |row| percent_of_baseline(row, row.pair?.interval?.1)),
            ],
        ),
        column(
            text!("compare.column.seeds"),
            |row| or_dash(Some(row.arm.seeds.len()).filter(|n| *n > 0).map(grouped)),
            &[
                ("seeds", |row| Some(row.arm.seeds.len() as f64)),
                ("diverged", |row| Some(row.arm.diverged.len() as f64)),
            ],
        ),
        column(
            text!("compare.column.p"),
            |row| or_dash(row.pair.and_then(|pair| pair.p).map(p_value)),
            &[("p_holm", |row| row.pair?.p)],
        ),
        column(
            text!("compare.column.seeds_needed"),
            |row| or_dash(row.pair.and_then(Pair::seeds_needed).map(|n| format!("~{n}"))),
            &[("seeds_needed", |row| Some(row.pair?.seeds_needed()? as f64))],
        ),
        column(
            text!("compare.column.std"),
            |row| or_dash(row.arm.loss.std.map(|std| fixed(std, 4))),
            &[("loss_std", |row| row.arm.loss.std)],
        ),
        column(
            text!("compare.column.difference", baseline = analysis.baseline),
            |row| or_dash(row.pair.map(difference_with_interval)),
            &[
                ("difference", |row| Some(row.pair?.difference)),
                ("difference_low", |row| Some(row.pair?.interval?.0)),
                ("difference_high", |row| Some(row.pair?.interval?.1)),
            ],
        ),
        column(
            text!("compare.column.by_text"),
            |row| or_dash(row.pair.and_then(|pair| pair.text_interval).map(range)),
            &[
                ("by_text_low", |row| Some(row.pair?.text_interval?.0)),
                ("by_text_high", |row| Some(row.pair?.text_interval?.1)),
            ],
        ),
        column(
            text!("compare.column.perplexity"),
            |row| four_digits(row.arm.perplexity.mean).into(),
            &[
                ("perplexity_mean", |row| Some(row.arm.perplexity.mean)),
                ("perplexity_std", |row| row.arm.perplexity.std),
            ],
        ),
        column(
            text!("compare.column.bits_per_byte"),
            |row| fixed(row.arm.bits_per_byte, 4).into(),
            &[("bits_per_byte", |row| Some(row.arm.bits_per_byte))],
        ),
    ];
    if analysis.floor.is_some() {
        columns.push(column(
            text!("compare.column.above_floor"),
            |row| or_dash(row.analysis.floor.map(|floor| fixed(row.arm.loss.mean - floor, 4))),
            &[("above_floor", |row| Some(row.arm.loss.mean - row.analysis.floor?))],
        ));
    }
    columns.push(column(
        text!("compare.column.best"),
        |row| fixed(row.arm.best_loss.mean, 4).into(),
        &[
            ("best_loss_mean", |row| Some(row.arm.best_loss.mean)),
            ("best_loss_std", |row| row.arm.best_loss.std),
        ],
    ));
    if analysis.arms.iter().any(|arm| arm.rates.len() > 1) {
        columns.extend(over_rates(analysis));
    }
    columns.extend(cost());
    columns
}

fn over_rates(analysis: &Analysis) -> Vec<Column> {
    let mut columns = Vec::new();
    if let Some(lr) = analysis.fixed_lr {
        columns.push(column(
            text!("compare.column.at_rate", lr = scientific(lr)),
            |row| at_the_fixed_rate(row).map_or(DASH.into(), or_diverged),
            &[("loss_at_fixed_lr", at_the_fixed_rate)],
        ));
    }
    columns.push(column(
        text!("compare.column.at_best_rate"),
        |row| fixed(row.arm.loss.mean, 4).into(),
        &[("loss_at_best_lr", |row| Some(row.arm.loss.mean))],
    ));
    columns.push(column(
        text!("compare.column.range_over_rates"),
        |row| or_diverged(row.arm.sensitivity()),
        &[("loss_range_over_lrs", |row| Some(row.arm.sensitivity()))],
    ));
    columns
}

/// What arms cost.
fn cost() -> Vec<Column> {
    vec![
        column(
            text!("compare.column.speed"),
            |row| speed(row.arm).into(),
            &[
                ("tokens_per_second", |row| Some(row.arm.tokens_per_second.median)),
                ("tokens_per_second_low", |row| Some(row.arm.tokens_per_second.low)),
                ("tokens_per_second_high", |row| Some(row.arm.tokens_per_second.high)),
            ],
        ),
        column(
            text!("compare.column.time_to_baseline"),
            |row| or_dash(row.arm.seconds_to_baseline.map(duration)),
            &[("seconds_to_baseline", |row| row.arm.seconds_to_baseline)],
        ),
        column(
            text!("compare.column.memory"),
            |row| or_dash(row.arm.peak_memory.map(|mb| format!("{} MB", fixed(mb, 0)))),
            &[("peak_memory_mb", |row| row.arm.peak_memory)],
        ),
        column(
            text!("compare.column.flops"),
            |row| positive(row.arm.flops_per_token, scaled),
            &[("flops_per_token", |row| Some(row.arm.flops_per_token))],
        ),
        column(
            text!("compare.column.ffn_rms"),
            |row| four_digits(row.arm.ffn_output_rms).into(),
            &[("ffn_output_rms", |row| Some(row.arm.ffn_output_rms))],
        ),
        column(
            text!("compare.column.parameters"),
            |row| grouped(row.arm.params).into(),
            &[("params", |row| Some(row.arm.params as f64))],
        ),
        column(
            text!("compare.column.ffn_dim"),
            |row| grouped(row.arm.ffn_dim).into(),
            &[("ffn_dim", |row| Some(row.arm.ffn_dim as f64))],
        ),
        column(
            text!("compare.column.lr"),
            |row| positive(row.arm.lr, scientific),
            &[("lr", |row| Some(row.arm.lr))],
        ),
    ]
}

fn positive(value: f64, write: fn(f64) -> String) -> Text {
    if value.is_finite() && value > 0.0 { write(value).trim().into() } else { DASH.into() }
}

fn speed(arm: &Arm) -> String {
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

/// The mean at the rate that all arms are also compared at; infinite if every run at it diverged.
fn at_the_fixed_rate(row: &Row) -> Option<f64> {
    let fixed = row.analysis.fixed_lr?;
    let rate = row.arm.rates.iter().find(|rate| rate.lr == fixed)?;
    rate.loss.map(|loss| loss.mean).or((rate.diverged > 0).then_some(f64::INFINITY))
}

fn or_diverged(value: f64) -> Text {
    if value == f64::INFINITY { text!("compare.verdict.diverged") } else { fixed(value, 4).into() }
}

/// The mean loss that differences are shares of.
fn baseline_loss(analysis: &Analysis) -> Option<f64> {
    analysis.arm(analysis.baseline).map(|arm| arm.loss.mean)
}

fn percent_of_baseline(row: &Row, difference: f64) -> Option<f64> {
    Some(100.0 * difference / baseline_loss(row.analysis)?)
}

fn relative_difference(row: &Row) -> Option<String> {
    let pair = row.pair.filter(|pair| pair.difference.is_finite())?;
    Some(relative(pair.difference, pair.interval, baseline_loss(row.analysis)?))
}

fn difference_with_interval(pair: &Pair) -> String {
    match pair.interval {
        Some(interval) => format!("{} {}", signed(pair.difference, 4), range(interval)),
        None => signed(pair.difference, 4),
    }
}

fn range((low, high): (f64, f64)) -> String {
    format!("[{}, {}]", signed(low, 4), signed(high, 4))
}

/// A verdict in words.
pub fn verdict(verdict: Verdict) -> Text {
    match verdict {
        Verdict::Better => text!("compare.verdict.better"),
        Verdict::Worse => text!("compare.verdict.worse"),
        Verdict::BetterButSmall => text!("compare.verdict.better_but_small"),
        Verdict::WorseButSmall => text!("compare.verdict.worse_but_small"),
        Verdict::Indistinguishable { .. } => text!("compare.verdict.indistinguishable"),
        Verdict::TooFewSeeds => text!("compare.verdict.too_few_seeds"),
        Verdict::Diverged => text!("compare.verdict.diverged"),
    }
}

/// An arm's place in the comparison.
fn standing(row: &Row) -> Text {
    let (done, diverged) = (row.arm.losses.len(), row.arm.diverged.len());
    if done == 0 && diverged > 0 {
        return text!("compare.verdict.diverged");
    }
    let standing = match row.pair.map(|pair| pair.verdict) {
        _ if row.arm.act == row.analysis.baseline => text!("compare.verdict.baseline"),
        Some(Verdict::Diverged) if diverged > 0 => {
            return text!("compare.verdict.some_diverged", diverged = diverged, all = diverged + done);
        }
        Some(Verdict::Diverged) => return text!("compare.verdict.baseline_diverged"),
        Some(own) => verdict(own),
        None => DASH.into(),
    };
    match diverged {
        0 => standing,
        _ => text!("compare.verdict.and_diverged", verdict = standing, diverged = diverged),
    }
}

fn rows(analysis: &Analysis) -> impl Iterator<Item = Row<'_>> {
    analysis.arms.iter().map(move |arm| Row { analysis, arm, pair: analysis.against_baseline(arm.act) })
}

/// The table of arms.
pub fn table(analysis: &Analysis) -> Table {
    let columns = columns(analysis);
    let titles = columns.iter().map(|column| number(column.title.clone()));
    let first = [label(text!("compare.column.activation")), words(text!("compare.column.verdict"))];
    let mut table = Table::new(first.into_iter().chain(titles)).with_caption(text!("compare.arms"));
    table.sorted_by = Some(2);
    table.baseline = analysis.arms.iter().position(|arm| arm.act == analysis.baseline);
    for row in rows(analysis) {
        let word = |text: Text| Cell { value: Some(Value::Word(text.to(Language::En))), text };
        let cells = columns.iter().map(|column| Cell {
            text: (column.show)(&row),
            value: column.values[0].1(&row).filter(|value| !value.is_nan()).map(Value::Number),
        });
        table.add_row([word(row.arm.act.into()), word(standing(&row))].into_iter().chain(cells));
    }
    table
}

/// The table of arms as comma-separated values (RFC 4180, with line feeds), with all digits.
pub fn csv(analysis: &Analysis) -> String {
    let columns = columns(analysis);
    let values = || columns.iter().flat_map(|column| &column.values);
    let names = ["activation", "verdict"].into_iter().chain(values().map(|(name, _)| *name));
    let mut table = names.collect::<Vec<_>>().join(",") + "\n";
    for row in rows(analysis) {
        let quoted = |text: String| match text.contains([',', '"', '\n']) {
            true => format!("\"{}\"", text.replace('"', "\"\"")),
            false => text,
        };
        let value = |(_, get): &Named| {
            get(&row).filter(|value| !value.is_nan()).map_or(String::new(), |value| value.to_string())
        };
        let words = [row.arm.act.name(), standing(&row).to(Language::En)].map(quoted);
        table += &(words.into_iter().chain(values().map(value)).collect::<Vec<_>>().join(",") + "\n");
    }
    table
}
