//! What `compare` prints: the commands of its runs, its plan, its tables, its JSON.

use crate::cli::table::{Table, Wide, label, number, text};
use crate::cli::text::{arguments_without, command_of};
use crate::compare::{Analysis, Arm, Design, LEAST_SEEDS, Pair, Plan, Results, Verdict};
use crate::output::{duration, grouped, setting};
use crate::report::{Cells, cells};
use anyhow::Result;
use serde_json::{Value, json};

/// The command of each run, a line each.
pub fn commands(design: &Design) -> Result<()> {
    let command = command_of(arguments_without(&[
        ("--plan", 0),
        ("--force", 0),
        ("--json", 0),
        ("--jobs", 1),
        ("--plot", 1),
    ]));
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
    let left =
        if plan.runs_left < runs { format!(", {} of them left", plan.runs_left) } else { String::new() };
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
    note!("time    about {}", duration(plan.seconds));
    note!("speed   milliseconds per step: {}", each(&|i| format!("{:.1}", 1e3 * plan.timing.steps[i])));
    note!(
        "start   root mean square of the FFN outputs: {}",
        each(&|i| format!("{:.4}", plan.timing.ffn_output_rms[i]))
    );
    if seeds < LEAST_SEEDS {
        note!("power   verdicts need at least {LEAST_SEEDS} seeds");
        return;
    }
    note!(
        "power   detects differences of {:.2}% of the loss with a chance of 80%, if paired differences have a standard deviation of {:.2}% ({})",
        100.0 * plan.detectable,
        100.0 * plan.assumed_std,
        if plan.measured { "measured so far" } else { "a typical value" }
    );
}

/// The outcome, with --wide also the cost; the grid of learning rates where there is one; the verdict.
pub fn tables(analysis: &Analysis, wide: &Wide) -> Result<()> {
    let [outcome, cost] = cells(analysis);
    print(outcome, wide)?;
    if wide.is_set() {
        print(cost, wide)?;
    }
    if analysis.fixed_lr.is_some() {
        rates(analysis).print(wide)?;
        say!()?;
    }
    prose!("{}", analysis.headline)?;
    for warning in &analysis.warnings {
        note!("warning: {warning}");
    }
    Ok(())
}

fn print((titles, rows): Cells, wide: &Wide) -> Result<()> {
    let column = |title: String| match title.as_str() {
        "activation" => label(title),
        "verdict" => text(title),
        _ => number(title),
    };
    let mut table = Table::new(titles.into_iter().map(column));
    rows.into_iter().for_each(|row| table.add_row(row));
    table.print(wide)?;
    say!()?;
    Ok(())
}

/// Each arm's loss over the learning rates, and its best rate.
fn rates(analysis: &Analysis) -> Table {
    let rates = analysis.arms.iter().take(1).flat_map(|arm| &arm.rates);
    let rates = rates.map(|rate| number(format!("lr {}", setting(rate.lr))));
    let mut table = Table::new([label("activation"), number("best lr")].into_iter().chain(rates));
    for arm in &analysis.arms {
        let losses = arm.rates.iter().map(|rate| match rate.loss {
            Some(loss) if rate.diverged > 0 => format!("{:.4} ({} diverged)", loss.mean, rate.diverged),
            Some(loss) => format!("{:.4}", loss.mean),
            None if rate.diverged > 0 => "diverged".to_string(),
            None => "-".to_string(),
        });
        table.add_row([arm.act.name(), setting(arm.lr)].into_iter().chain(losses));
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
    let is = |pair: &&Pair| pair.act == arm.act && pair.against == analysis.baseline;
    let pair = analysis.pairs.iter().find(is);
    let verdict = match pair {
        _ if arm.loss.n == 0 && !arm.diverged.is_empty() => Some("diverged"),
        _ if arm.act == analysis.baseline => Some("baseline"),
        pair => pair.map(|pair| pair.verdict.name()),
    };
    let seeds_needed = match pair.map(|pair| pair.verdict) {
        Some(Verdict::Indistinguishable { seeds_needed }) => seeds_needed,
        _ => None,
    };
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
        "verdict": verdict,
        "seeds_needed": seeds_needed,
        "tokens_per_second": arm.tokens_per_second.median,
        "seconds_to_baseline": arm.seconds_to_baseline,
        "peak_rss_mb": arm.peak_memory,
        "flops_per_token": arm.flops_per_token,
        "ffn_output_rms": arm.ffn_output_rms,
        "rates": arm.rates,
        "sensitivity": (arm.rates.len() > 1).then(|| arm.sensitivity()),
    })
}
