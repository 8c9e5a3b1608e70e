//! The table of arms: its columns once, for HTML, Markdown and CSV.

use super::chart::escape;
use super::scale::scientific;
use super::words::{DASH, against_baseline, fixed, four_digits, p_value, relative, signed, standing};
use crate::lab::compare::analysis::{Analysis, Arm, Pair, Verdict};
use crate::support::output::{duration, grouped, scaled};
use std::fmt::Write;

/// An arm with what is said of it elsewhere.
struct Row<'a> {
    analysis: &'a Analysis,
    arm: &'a Arm,
    pair: Option<&'a Pair>,
}

/// One value, for sorting and for machines.
enum Value {
    Text(String),
    Number(f64),
}

type Get = fn(&Row) -> Option<Value>;

struct Column {
    title: String,
    /// What is shown.
    show: fn(&Row) -> String,
    /// What it stands for, each with its name in CSV. Rows are sorted by the first.
    values: Vec<(&'static str, Get)>,
}

fn column(title: &str, show: fn(&Row) -> String, values: &[(&'static str, Get)]) -> Column {
    Column { title: title.to_string(), show, values: values.to_vec() }
}

fn number(value: f64) -> Option<Value> {
    (!value.is_nan()).then_some(Value::Number(value))
}

fn or_dash(text: Option<String>) -> String {
    text.unwrap_or_else(|| DASH.to_string())
}

/// The mean at the rate that all arms are also compared at; infinite where every run of it diverged.
fn at_the_fixed_rate(row: &Row) -> Option<f64> {
    let fixed = row.analysis.fixed_lr?;
    let rate = row.arm.rates.iter().find(|rate| rate.lr == fixed)?;
    match rate.loss {
        Some(loss) => Some(loss.mean),
        None => (rate.diverged > 0).then_some(f64::INFINITY),
    }
}

fn or_diverged(value: f64) -> String {
    if value == f64::INFINITY { "diverged".to_string() } else { fixed(value, 4) }
}

fn columns(analysis: &Analysis) -> Vec<Column> {
    let mut columns = outcome(analysis);
    columns.extend(cost());
    columns
}

fn outcome(analysis: &Analysis) -> Vec<Column> {
    let percent = format!("vs {} [95% CI]", analysis.baseline);
    let difference = format!("loss \u{2212} {}\u{2019}s", analysis.baseline);
    let mut columns = vec![
        column(
            "activation",
            |row| row.arm.act.name(),
            &[("activation", |row| Some(Value::Text(row.arm.act.name())))],
        ),
        column(
            "verdict",
            |row| standing(row.analysis, row.arm),
            &[("verdict", |row| Some(Value::Text(standing(row.analysis, row.arm))))],
        ),
        column(
            "final loss",
            |row| fixed(row.arm.loss.mean, 4),
            &[("loss_mean", |row| number(row.arm.loss.mean))],
        ),
        column(
            &percent,
            |row| or_dash(relative_difference(row)),
            &[
                ("difference_percent", |row| percent_of_baseline(row, row.pair?.difference)),
                ("difference_percent_low", |row| percent_of_baseline(row, row.pair?.interval?.0)),
                ("difference_percent_high", |row| percent_of_baseline(row, row.pair?.interval?.1)),
            ],
        ),
        column(
            "seeds",
            |row| or_dash(Some(row.arm.seeds.len()).filter(|n| *n > 0).map(grouped)),
            &[
                ("seeds", |row| number(row.arm.seeds.len() as f64)),
                ("diverged", |row| number(row.arm.diverged.len() as f64)),
            ],
        ),
        column(
            "p (Holm)",
            |row| or_dash(row.pair.and_then(|pair| pair.p).map(p_value)),
            &[("p_holm", |row| number(row.pair?.p?))],
        ),
        column(
            "seeds needed",
            |row| or_dash(seeds_needed(row).map(|n| format!("~{n}"))),
            &[("seeds_needed", |row| number(seeds_needed(row)? as f64))],
        ),
        column(
            "std",
            |row| or_dash(row.arm.loss.std.map(|std| fixed(std, 4))),
            &[("loss_std", |row| number(row.arm.loss.std?))],
        ),
        column(
            &difference,
            |row| or_dash(row.pair.map(difference_with_interval)),
            &[
                ("difference", |row| number(row.pair?.difference)),
                ("difference_low", |row| number(row.pair?.interval?.0)),
                ("difference_high", |row| number(row.pair?.interval?.1)),
            ],
        ),
        column(
            "by text [95% CI]",
            |row| or_dash(row.pair.and_then(|pair| pair.text_interval).map(range)),
            &[
                ("by_text_low", |row| number(row.pair?.text_interval?.0)),
                ("by_text_high", |row| number(row.pair?.text_interval?.1)),
            ],
        ),
        column(
            "perplexity",
            |row| four_digits(row.arm.perplexity.mean),
            &[
                ("perplexity_mean", |row| number(row.arm.perplexity.mean)),
                ("perplexity_std", |row| number(row.arm.perplexity.std?)),
            ],
        ),
        column(
            "bits/byte",
            |row| {
                or_dash(Some(row.arm.bits_per_byte).filter(|bits| !bits.is_nan()).map(|bits| fixed(bits, 4)))
            },
            &[("bits_per_byte", |row| number(row.arm.bits_per_byte))],
        ),
    ];
    if analysis.floor.is_some() {
        columns.push(column(
            "above floor",
            |row| or_dash(row.analysis.floor.map(|floor| fixed(row.arm.loss.mean - floor, 4))),
            &[("above_floor", |row| number(row.arm.loss.mean - row.analysis.floor?))],
        ));
    }
    columns.push(column(
        "best evaluation",
        |row| fixed(row.arm.best_loss.mean, 4),
        &[
            ("best_loss_mean", |row| number(row.arm.best_loss.mean)),
            ("best_loss_std", |row| number(row.arm.best_loss.std?)),
        ],
    ));
    if analysis.arms.iter().any(|arm| arm.rates.len() > 1) {
        columns.extend(over_rates(analysis));
    }
    columns
}

fn over_rates(analysis: &Analysis) -> Vec<Column> {
    let mut columns = Vec::new();
    if let Some(lr) = analysis.fixed_lr {
        let title = format!("loss at rate {}", scientific(lr));
        columns.push(column(
            &title,
            |row| or_dash(at_the_fixed_rate(row).map(or_diverged)),
            &[("loss_at_fixed_lr", |row| number(at_the_fixed_rate(row)?))],
        ));
    }
    columns.push(column(
        "loss at best rate",
        |row| fixed(row.arm.loss.mean, 4),
        &[("loss_at_best_lr", |row| number(row.arm.loss.mean))],
    ));
    columns.push(column(
        "range over rates",
        |row| or_diverged(row.arm.sensitivity()),
        &[("loss_range_over_lrs", |row| number(row.arm.sensitivity()))],
    ));
    columns
}

fn cost() -> Vec<Column> {
    vec![
        column(
            "tokens/s",
            |row| speed(row.arm),
            &[
                ("tokens_per_second", |row| number(row.arm.tokens_per_second.median)),
                ("tokens_per_second_low", |row| number(row.arm.tokens_per_second.low)),
                ("tokens_per_second_high", |row| number(row.arm.tokens_per_second.high)),
            ],
        ),
        column(
            "time to baseline\u{2019}s loss",
            |row| or_dash(row.arm.seconds_to_baseline.map(duration)),
            &[("seconds_to_baseline", |row| number(row.arm.seconds_to_baseline?))],
        ),
        column(
            "peak memory",
            |row| or_dash(row.arm.peak_memory.map(|mb| format!("{} MB", fixed(mb, 0)))),
            &[("peak_memory_mb", |row| number(row.arm.peak_memory?))],
        ),
        column(
            "FLOPs/token",
            |row| positive(row.arm.flops_per_token, scaled),
            &[("flops_per_token", |row| number(row.arm.flops_per_token))],
        ),
        column(
            "FFN RMS at start",
            |row| four_digits(row.arm.ffn_output_rms),
            &[("ffn_output_rms", |row| number(row.arm.ffn_output_rms))],
        ),
        column(
            "parameters",
            |row| grouped(row.arm.params),
            &[("params", |row| number(row.arm.params as f64))],
        ),
        column(
            "FFN width",
            |row| grouped(row.arm.ffn_dim),
            &[("ffn_dim", |row| number(row.arm.ffn_dim as f64))],
        ),
        column("learning rate", |row| positive(row.arm.lr, scientific), &[("lr", |row| number(row.arm.lr))]),
    ]
}

fn positive(value: f64, write: fn(f64) -> String) -> String {
    if value.is_finite() && value > 0.0 { write(value).trim().to_string() } else { DASH.to_string() }
}

fn speed(arm: &Arm) -> String {
    let spread = arm.tokens_per_second;
    if !spread.median.is_finite() || arm.seeds.is_empty() && spread.median == 0.0 {
        return DASH.to_string();
    }
    let whole = |value: f64| grouped(value.max(0.0).round() as usize);
    let median = whole(spread.median);
    if spread.low == spread.high {
        return median;
    }
    format!("{median} ({}\u{2013}{})", whole(spread.low), whole(spread.high))
}

/// The mean loss that differences are shares of.
fn baseline_loss(analysis: &Analysis) -> Option<f64> {
    analysis.arms.iter().find(|arm| arm.act == analysis.baseline).map(|arm| arm.loss.mean)
}

fn percent_of_baseline(row: &Row, difference: f64) -> Option<Value> {
    number(100.0 * difference / baseline_loss(row.analysis)?)
}

fn relative_difference(row: &Row) -> Option<String> {
    let pair = row.pair.filter(|pair| pair.difference.is_finite())?;
    Some(relative(pair.difference, pair.interval, baseline_loss(row.analysis)?))
}

fn seeds_needed(row: &Row) -> Option<u64> {
    match row.pair?.verdict {
        Verdict::Indistinguishable { seeds_needed } => seeds_needed,
        _ => None,
    }
}

fn difference_with_interval(pair: &Pair) -> String {
    match pair.interval {
        Some(interval) => format!("{} {}", signed(pair.difference), range(interval)),
        None => signed(pair.difference),
    }
}

fn range((low, high): (f64, f64)) -> String {
    format!("[{}, {}]", signed(low), signed(high))
}

fn rows(analysis: &Analysis) -> impl Iterator<Item = Row<'_>> {
    analysis.arms.iter().map(move |arm| Row { analysis, arm, pair: against_baseline(analysis, arm) })
}

/// A table's titles and rows, as they are read.
pub type Cells = (Vec<String>, Vec<Vec<String>>);

/// How good the arms are and what they cost, in two tables: for a terminal, where one would be too wide.
pub fn cells(analysis: &Analysis) -> [Cells; 2] {
    let shown = |columns: Vec<Column>| {
        let titles = columns.iter().map(|column| typed(&column.title)).collect();
        let line = |row: Row| columns.iter().map(|column| typed(&(column.show)(&row))).collect();
        (titles, rows(analysis).map(line).collect())
    };
    let mut cost = cost();
    cost.insert(0, outcome(analysis).swap_remove(0));
    [shown(outcome(analysis)), shown(cost)]
}

/// The table of arms as Markdown.
pub fn markdown(analysis: &Analysis) -> String {
    let columns = columns(analysis);
    let line = |cells: Vec<String>| format!("| {} |\n", cells.join(" | "));
    let mut table = line(columns.iter().map(|column| markdown_text(&column.title)).collect());
    let rule = |i| if i < 2 { ":--" } else { "--:" };
    table += &line((0..columns.len()).map(|i| rule(i).to_string()).collect());
    for row in rows(analysis) {
        table += &line(columns.iter().map(|column| markdown_text(&(column.show)(&row))).collect());
    }
    table
}

/// As it would be typed.
fn typed(text: &str) -> String {
    text.replace(['\u{2212}', '\u{2013}'], "-").replace('\u{2019}', "'")
}

/// An underscore in a name is no emphasis, a bar ends no cell.
fn markdown_text(text: &str) -> String {
    typed(text).replace('_', "\\_").replace('|', "\\|").replace('~', "\\~")
}

/// The table of arms as comma-separated values (RFC 4180, but lines end in a line feed), with all digits.
pub fn csv(analysis: &Analysis) -> String {
    let columns = columns(analysis);
    let values = || columns.iter().flat_map(|column| &column.values);
    let mut table = values().map(|(name, _)| *name).collect::<Vec<_>>().join(",") + "\n";
    for row in rows(analysis) {
        let cells: Vec<String> = values().map(|(_, get)| csv_cell(get(&row))).collect();
        table += &(cells.join(",") + "\n");
    }
    table
}

fn csv_cell(value: Option<Value>) -> String {
    match value {
        None => String::new(),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Text(text)) if text.contains([',', '"', '\n']) => {
            format!("\"{}\"", text.replace('"', "\"\""))
        }
        Some(Value::Text(text)) => text,
    }
}

/// The table of arms as HTML, with what a script needs to sort it.
pub fn html(analysis: &Analysis) -> String {
    let columns = columns(analysis);
    let mut table = String::from("<table id=\"arms\">\n<thead><tr>");
    for (i, column) in columns.iter().enumerate() {
        // As the arms come: by final loss.
        let sorted = if i == 2 { " aria-sort=\"ascending\"" } else { "" };
        let class = if i < 2 { " class=\"word\"" } else { "" };
        // A rate such as 3e-4 stays on one line.
        let title = escape(&column.title).replace("e-", "e\u{2011}");
        // Writing to a String cannot fail.
        let _ = write!(table, "<th scope=\"col\"{class}{sorted}>{title}</th>");
    }
    table += "</tr></thead>\n<tbody>\n";
    for row in rows(analysis) {
        table += if row.arm.act == analysis.baseline { "<tr class=\"baseline\">" } else { "<tr>" };
        for (i, column) in columns.iter().enumerate() {
            let text = escape(&(column.show)(&row));
            let _ = match column.values.first().and_then(|(_, get)| get(&row)) {
                _ if i == 0 => write!(table, "<th scope=\"row\" data-value=\"{text}\">{text}</th>"),
                Some(Value::Text(word)) => {
                    write!(table, "<td class=\"word\" data-value=\"{}\">{text}</td>", escape(&word))
                }
                // JavaScript's word for what Rust calls inf.
                Some(Value::Number(f64::INFINITY)) => {
                    write!(table, "<td data-value=\"Infinity\">{text}</td>")
                }
                Some(Value::Number(number)) => write!(table, "<td data-value=\"{number}\">{text}</td>"),
                None => write!(table, "<td>{text}</td>"),
            };
        }
        table += "</tr>\n";
    }
    table + "</tbody>\n</table>"
}
