//! What `compare` prints: the commands of its runs, its plan, its tables, its JSON.

use crate::activation::Activation;
use crate::cli::table::{Table, Wide, label, number, text};
use crate::cli::text::{arguments_without, command_of};
use crate::lab::compare::analysis::Rate;
use crate::lab::compare::{Analysis, Arm, Design, LEAST_SEEDS, Pair, Plan, Results, Verdict};
use crate::report::{Cells, cells};
use crate::support::output::{duration, grouped, setting};
use crate::support::record;
use anyhow::Result;
use serde::Serialize;

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

/// What `--json` prints.
#[derive(Serialize)]
struct ComparisonRecord<'a> {
    baseline: Activation,
    headline: &'a str,
    warnings: &'a [String],
    results: Vec<ArmRecord<'a>>,
    pairs: &'a [Pair],
    diverged: Vec<DivergedRecord<'a>>,
}

#[derive(Serialize)]
struct DivergedRecord<'a> {
    act: Activation,
    lr: Option<f64>,
    seed: u64,
    why: &'a str,
}

#[derive(Serialize)]
struct ArmRecord<'a> {
    act: Activation,
    lr: f64,
    params: usize,
    ffn_dim: usize,
    seeds: usize,
    val_loss_mean: f64,
    val_loss_std: Option<f64>,
    best_loss_mean: f64,
    perplexity: f64,
    bits_per_byte: f64,
    above_floor: Option<f64>,
    /// The mean difference from the baseline, and what is known of it.
    delta: Option<f64>,
    ci95: Option<(f64, f64)>,
    text_ci95: Option<(f64, f64)>,
    p: Option<f64>,
    verdict: Option<&'static str>,
    seeds_needed: Option<u64>,
    tokens_per_second: f64,
    seconds_to_baseline: Option<f64>,
    peak_rss_mb: Option<f64>,
    flops_per_token: f64,
    ffn_output_rms: f64,
    rates: &'a [Rate],
    /// What the choice of the learning rate is worth, in a grid.
    sensitivity: Option<f64>,
}

pub fn json(analysis: &Analysis, results: &Results) -> Result<()> {
    let diverged = results.diverged();
    let record = ComparisonRecord {
        baseline: analysis.baseline,
        headline: &analysis.headline,
        warnings: &analysis.warnings,
        results: analysis.arms.iter().map(|arm| arm_record(analysis, arm)).collect(),
        pairs: &analysis.pairs,
        diverged: diverged
            .map(|(run, why)| DivergedRecord { act: run.act, lr: run.lr, seed: run.seed, why })
            .collect(),
    };
    say!("{}", record::line(&record)?)?;
    Ok(())
}

fn arm_record<'a>(analysis: &Analysis, arm: &'a Arm) -> ArmRecord<'a> {
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
    ArmRecord {
        act: arm.act,
        lr: arm.lr,
        params: arm.params,
        ffn_dim: arm.ffn_dim,
        seeds: arm.loss.n,
        val_loss_mean: arm.loss.mean,
        val_loss_std: arm.loss.std,
        best_loss_mean: arm.best_loss.mean,
        perplexity: arm.perplexity.mean,
        bits_per_byte: arm.bits_per_byte,
        above_floor: analysis.floor.map(|floor| arm.loss.mean - floor),
        delta: pair.map(|pair| pair.difference),
        ci95: pair.and_then(|pair| pair.interval),
        text_ci95: pair.and_then(|pair| pair.text_interval),
        p: pair.and_then(|pair| pair.p),
        verdict,
        seeds_needed,
        tokens_per_second: arm.tokens_per_second.median,
        seconds_to_baseline: arm.seconds_to_baseline,
        peak_rss_mb: arm.peak_memory,
        flops_per_token: arm.flops_per_token,
        ffn_output_rms: arm.ffn_output_rms,
        rates: &arm.rates,
        sensitivity: (arm.rates.len() > 1).then(|| arm.sensitivity()),
    }
}
