//! What `compare` prints: its plan, its tables, its JSON.

use crate::cli::print::{Table, Wide, label, number};
use crate::lab::compare::{Analysis, Design, LEAST_SEEDS, Plan, Results};
use crate::report::comparison::table;
use crate::support::numbers::{duration, grouped, setting};
use crate::support::record;
use crate::support::table::typed;
use crate::support::text::{Language, Text};
use anyhow::Result;
use serde_json::json;

pub fn plan(plan: &Plan, design: &Design) {
    let (arms, seeds, runs) = (design.arms.len(), design.seeds.len(), design.runs().len());
    let rates = match design.rates.len() {
        0 => String::new(),
        rates => format!(" x {rates} learning rates"),
    };
    let what = if design.keys == ["act"] { "activations" } else { "arms" };
    let left =
        if plan.runs_left < runs { format!(", {} of them left", plan.runs_left) } else { String::new() };
    note!(
        "plan    {arms} {what}{rates} x {seeds} seeds = {runs} runs of {} steps ({:.2} epochs){left}",
        grouped(plan.steps),
        plan.epochs()
    );
    let each = |value: &dyn Fn(usize) -> String| {
        design
            .arms
            .iter()
            .enumerate()
            .map(|(i, arm)| format!("{} {}", arm.variant, value(i)))
            .collect::<Vec<_>>()
            .join(", ")
    };
    note!("tests   {}", tested(design));
    note!("time    about {}", duration(plan.seconds));
    if plan.timing.speedup > 1.0 {
        note!(
            "jobs    {} at once, one thread each: {:.2} times as fast as one by one with all threads",
            plan.jobs,
            plan.timing.speedup
        );
    }
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

/// What is tested.
fn tested(design: &Design) -> String {
    let baseline = design.baseline_name();
    let pairs = match design.contrasts().len() {
        0 => "none".to_string(),
        1 => format!("1 pair, with {baseline}"),
        pairs if design.all_pairs => format!("all {pairs} pairs"),
        pairs => format!("{pairs} pairs with {baseline}"),
    };
    match (design.interactions().len(), design.keys.get(1)) {
        (changes @ 1.., Some(key)) => format!("{pairs}, and how differences change with {key} ({changes})"),
        _ => pairs,
    }
}

/// The table of arms, the grid of learning rates if there is one, and the verdict.
pub fn tables(analysis: &Analysis, wide: &Wide) -> Result<()> {
    wide.print(&table(analysis))?;
    say!()?;
    if analysis.fixed_lr.is_some() {
        wide.print(&rates(analysis))?;
        say!()?;
    }
    prose!("{}", typed(&analysis.headline.to(Language::En)))?;
    for warning in &analysis.warnings {
        note!("warning: {}", warning.to(Language::En));
    }
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
        table.add_row([arm.variant.to_string(), setting(arm.lr)].into_iter().chain(losses));
    }
    table
}

/// Prints the comparison as JSON.
pub fn json(analysis: &Analysis, results: &Results) -> Result<()> {
    let english = |text: &Text| text.to(Language::En);
    let diverged = results
        .diverged()
        .map(|(run, why)| json!({ "act": run.variant, "lr": run.lr, "seed": run.seed, "why": why }));
    let record = json!({
        "baseline": analysis.baseline,
        "headline": english(&analysis.headline),
        "warnings": analysis.warnings.iter().map(english).collect::<Vec<_>>(),
        "results": table(analysis).records(),
        "pairs": analysis.pairs,
        "interactions": analysis.interactions,
        "diverged": diverged.collect::<Vec<_>>(),
    });
    say!("{}", record::line(&record)?)?;
    Ok(())
}
