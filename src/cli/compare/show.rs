//! What `compare` prints: the commands of its runs, its plan, its tables, its JSON.

use super::command;
use crate::cli::text::{duration, grouped, scaled, table};
use crate::compare::{Analysis, Arm, Design, Pair, Plan, Results, Verdict};
use anyhow::Result;
use serde_json::{Value, json};

/// The command of each run, a line each.
pub fn commands(design: &Design) -> Result<()> {
    let command = command(&[("--plan", 0), ("--force", 0), ("--json", 0), ("--jobs", 1)]);
    for k in 1..=design.runs().len() {
        say!("{command} --only {k}")?;
    }
    Ok(())
}

pub fn plan(plan: &Plan, design: &Design) {
    let (arms, seeds, runs) = (design.arms.len(), design.seeds.len(), design.runs().len());
    let rates = match design.rates.len() {
        0 => String::new(),
        rates => format!(" x {rates} learning rates"),
    };
    let left = if plan.runs_left < runs { format!(", {} to do", plan.runs_left) } else { String::new() };
    note!(
        "plan    {arms} activations{rates} x {seeds} seeds = {runs} runs of {} steps ({:.2} epochs){left}",
        grouped(plan.steps),
        plan.epochs()
    );
    let each = |value: &dyn Fn(usize) -> String| {
        design
            .arms
            .iter()
            .enumerate()
            .map(|(i, arm)| format!("{} {}", arm.act, value(i)))
            .collect::<Vec<_>>()
            .join(", ")
    };
    note!(
        "time    about {}; milliseconds a step: {}",
        duration(plan.seconds),
        each(&|i| format!("{:.1}", 1e3 * plan.timing.steps[i]))
    );
    note!(
        "output  of the FFNs at the start, root mean square: {}",
        each(&|i| format!("{:.4}", plan.timing.ffn_output_rms[i]))
    );
    if seeds < 3 {
        note!("sees    nothing for certain: verdicts need 3 seeds");
        return;
    }
    note!(
        "sees    differences of {:.2} % of the loss and more, 4 times in 5, if the difference of two arms varies by {:.2} % over seeds{}",
        100.0 * plan.detectable,
        100.0 * plan.assumed_std,
        if plan.measured { ", as it did so far" } else { ", as is usual" }
    );
}

/// Four decimals, or a dash.
fn number(value: f64) -> String {
    optional(Some(value), |value| format!("{value:.4}"))
}

fn optional(value: Option<f64>, show: impl Fn(f64) -> String) -> String {
    value.filter(|value| value.is_finite()).map_or("-".to_string(), show)
}

/// What is said of an arm against the baseline.
fn verdict(analysis: &Analysis, arm: &Arm) -> String {
    if arm.loss.n == 0 && !arm.diverged.is_empty() {
        return "diverged".to_string();
    }
    match against_baseline(analysis, arm) {
        None if arm.act == analysis.baseline => "baseline".to_string(),
        None => "-".to_string(),
        Some(pair) => words(pair.verdict),
    }
}

fn against_baseline<'a>(analysis: &'a Analysis, arm: &Arm) -> Option<&'a Pair> {
    analysis.pairs.iter().find(|pair| pair.act == arm.act && pair.against == analysis.baseline)
}

fn words(verdict: Verdict) -> String {
    match verdict {
        Verdict::Better => "better".to_string(),
        Verdict::Worse => "worse".to_string(),
        Verdict::BetterButSmall => "better, too little to matter".to_string(),
        Verdict::WorseButSmall => "worse, too little to matter".to_string(),
        Verdict::Indistinguishable { seeds_needed: Some(seeds) } => {
            format!("indistinguishable (about {seeds} seeds)")
        }
        Verdict::Indistinguishable { seeds_needed: None } => "indistinguishable".to_string(),
        Verdict::TooFewSeeds => "too few seeds".to_string(),
        Verdict::Diverged => "diverged".to_string(),
    }
}

fn difference(pair: Option<&Pair>) -> String {
    match pair {
        None => "-".to_string(),
        Some(Pair { interval: Some((low, high)), difference, .. }) => {
            format!("{difference:+.4} [{low:+.4}, {high:+.4}]")
        }
        Some(pair) => format!("{:+.4}", pair.difference),
    }
}

/// Quality, cost, the grid of learning rates where there is one, and what it comes to.
pub fn tables(analysis: &Analysis) -> Result<()> {
    let baseline = analysis.baseline;
    let title = format!("loss - {baseline}'s [Holm]");
    let floor = analysis.floor.map(|floor| (floor, "above floor"));
    let mut titles = vec!["act", "final loss", "std", "perplexity", "bits/byte"];
    titles.extend(floor.map(|(_, title)| title));
    titles.extend([title.as_str(), "by text [95 %]", "p", "verdict"]);
    let mut quality = table(&titles);
    for arm in &analysis.arms {
        let pair = against_baseline(analysis, arm);
        let mut row = vec![
            arm.act.name(),
            number(arm.loss.mean),
            optional(arm.loss.std, |std| format!("{std:.4}")),
            optional(Some(arm.perplexity.mean), |mean| format!("{mean:.3}")),
            number(arm.bits_per_byte),
        ];
        row.extend(floor.map(|(floor, _)| number(arm.loss.mean - floor)));
        let by_text = pair.and_then(|pair| pair.text_interval);
        row.extend([
            difference(pair),
            by_text.map_or("-".to_string(), |(low, high)| format!("[{low:+.4}, {high:+.4}]")),
            optional(pair.and_then(|pair| pair.p), p_value),
            verdict(analysis, arm),
        ]);
        quality.add_row(row);
    }
    say!("{quality}\n")?;
    say!("{}\n", cost(analysis))?;
    if analysis.fixed_lr.is_some() {
        say!("{}\n", rates(analysis))?;
    }
    say!("{}", analysis.headline)?;
    for pair in analysis.pairs.iter().filter(|pair| pair.against != baseline) {
        say!("{} against {}: {}, {}.", pair.act, pair.against, difference(Some(pair)), words(pair.verdict))?;
    }
    for warning in &analysis.warnings {
        note!("warning: {warning}");
    }
    Ok(())
}

fn p_value(p: f64) -> String {
    if p < 0.0001 { "<0.0001".to_string() } else { format!("{p:.4}") }
}

fn cost(analysis: &Analysis) -> comfy_table::Table {
    let reach = format!("s to {}'s loss", analysis.baseline);
    let titles =
        ["act", "params", "FFN", "tokens/s", "range", &reach, "MB", "FLOP/token", "FFN rms", "best loss"];
    let mut cost = table(&titles);
    for arm in &analysis.arms {
        let speed = arm.tokens_per_second;
        let whole = |value: f64| grouped(value as usize);
        cost.add_row([
            arm.act.name(),
            grouped(arm.params),
            arm.ffn_dim.to_string(),
            optional(Some(speed.median), whole),
            optional(Some(speed.low), |low| format!("{}-{}", whole(low), whole(speed.high))),
            optional(arm.seconds_to_baseline, |seconds| format!("{seconds:.1}")),
            optional(arm.peak_memory, |megabytes| format!("{megabytes:.0}")),
            optional(Some(arm.flops_per_token), scaled),
            number(arm.ffn_output_rms),
            number(arm.best_loss.mean),
        ]);
    }
    cost
}

/// Each arm's loss over the learning rates.
fn rates(analysis: &Analysis) -> comfy_table::Table {
    let every: Vec<f64> =
        analysis.arms.first().map_or(Vec::new(), |arm| arm.rates.iter().map(|rate| rate.lr).collect());
    let mut titles = vec!["act".to_string()];
    titles.extend(every.iter().map(|lr| match analysis.fixed_lr == Some(*lr) {
        true => format!("lr {lr} (fixed)"),
        false => format!("lr {lr}"),
    }));
    titles.extend(["best lr", "its loss", "sensitivity"].map(String::from));
    let mut table = table(&titles.iter().map(String::as_str).collect::<Vec<_>>());
    for arm in &analysis.arms {
        let mut row = vec![arm.act.name()];
        for rate in &arm.rates {
            let loss = optional(rate.loss.map(|loss| loss.mean), |loss| format!("{loss:.4}"));
            row.push(if rate.diverged > 0 { format!("{loss} ({} diverged)", rate.diverged) } else { loss });
        }
        row.extend([arm.lr.to_string(), number(arm.loss.mean), number(arm.sensitivity())]);
        table.add_row(row);
    }
    table
}

pub fn json(analysis: &Analysis, results: &Results) -> Result<()> {
    let arms: Vec<Value> = analysis.arms.iter().map(|arm| describe(analysis, arm)).collect();
    let diverged: Vec<Value> = results
        .diverged()
        .map(|(run, why)| json!({ "act": run.act, "lr": run.lr, "seed": run.seed, "why": why }))
        .collect();
    say!(
        "{}",
        json!({
            "baseline": analysis.baseline, "headline": analysis.headline, "warnings": analysis.warnings,
            "results": arms, "pairs": analysis.pairs, "diverged": diverged,
        })
    )?;
    Ok(())
}

fn describe(analysis: &Analysis, arm: &Arm) -> Value {
    let pair = against_baseline(analysis, arm);
    json!({
        "act": arm.act,
        "lr": arm.lr,
        "params": arm.params,
        "ffn_dim": arm.ffn_dim,
        "seeds": arm.loss.n,
        "val_loss_mean": arm.loss.mean,
        "val_loss_std": arm.loss.std,
        "best_loss_mean": arm.best_loss.mean,
        "perplexity": arm.perplexity.mean,
        "bits_per_byte": arm.bits_per_byte,
        "above_floor": analysis.floor.map(|floor| arm.loss.mean - floor),
        "delta": pair.map(|pair| pair.difference),
        "ci95": pair.and_then(|pair| pair.interval).map(|(low, high)| [low, high]),
        "text_ci95": pair.and_then(|pair| pair.text_interval).map(|(low, high)| [low, high]),
        "p": pair.and_then(|pair| pair.p),
        "verdict": verdict(analysis, arm),
        "tokens_per_second": arm.tokens_per_second.median,
        "seconds_to_baseline": arm.seconds_to_baseline,
        "peak_rss_mb": arm.peak_memory,
        "flops_per_token": arm.flops_per_token,
        "ffn_output_rms": arm.ffn_output_rms,
        "rates": arm.rates,
        "sensitivity": (arm.rates.len() > 1).then(|| arm.sensitivity()),
    })
}
