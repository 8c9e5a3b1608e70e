//! From finished runs to what they say together.

use super::analysis::{Analysis, Arm, Interaction, Pair, Rate, Spread, Verdict};
use super::comparison::Comparison;
use super::curves::{curve, seconds_to};
use super::design::{ArmDesign, Design, Run};
use super::headline::{headline, mixed, warnings};
use super::results::{Line, Results};
use super::statistics::{LEAST_SEEDS, Tested, bootstrap, holm, seeds_needed, summarize};
use super::variant::Variant;
use crate::support::text::Text;
use crate::support::waiting::waiting;
use crate::train::Outcome;
use anyhow::Result;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// Evaluates the runs of a comparison that are done.
///
/// # Errors
/// If the metrics of a run can't be read.
pub fn evaluate(path: &Path, comparison: &Comparison, results: &Results) -> Result<Analysis> {
    let _waiting = waiting("evaluating the runs");
    let design = &comparison.design;
    let runs = design.runs();
    let arms = design.arms.iter().map(|arm| evaluate_arm(path, comparison, arm, results));
    let mut arms: Vec<(Arm, Vec<&Line>)> = arms.collect::<Result<_>>()?;
    // NaN, of arms without an outcome, comes last.
    arms.sort_by(|(a, _), (b, _)| a.loss.mean.total_cmp(&b.loss.mean));
    let targets: Vec<(Variant, f64)> = arms.iter().map(|(arm, _)| (arm.variant, arm.loss.mean)).collect();
    for (arm, _) in &mut arms {
        let target = targets.iter().find(|(variant, _)| *variant == arm.baseline);
        arm.seconds_to_baseline = target.and_then(|(_, loss)| seconds_to(&arm.curve, *loss));
    }
    let (pairs, interactions) = evaluate_pairs(design, &arms);
    let first = arms.iter().flat_map(|(_, lines)| lines).find_map(|line| line.outcome.as_ref());
    let mut analysis = Analysis {
        data: comparison.settings.data.clone().unwrap_or_default(),
        baseline: design.baseline,
        baseline_name: design.baseline_name(),
        headline: Text::default(),
        warnings: Vec::new(),
        pairs,
        interactions,
        matters: design.matters,
        floor: first.and_then(|outcome| outcome.floor),
        fixed_lr: fixed_rate(comparison, &arms),
        done: runs.iter().filter(|run| results.find(run).is_some()).count(),
        planned: runs.len(),
        arms: arms.into_iter().map(|(arm, _)| arm).collect(),
    };
    analysis.headline = headline(&analysis);
    analysis.warnings = warnings(&analysis);
    analysis.warnings.extend(mixed(&results.instruction_sets()));
    Ok(analysis)
}

/// The rate of the column in which all arms have the same: the settings' where the grid has it, else the
/// baseline's best; none without a grid.
fn fixed_rate(comparison: &Comparison, arms: &[(Arm, Vec<&Line>)]) -> Option<f64> {
    let rates = &comparison.design.rates;
    let said = comparison.settings.lr.filter(|lr| rates.contains(lr));
    let of_baseline = arms.iter().find(|(arm, _)| arm.variant == comparison.design.baseline);
    said.or_else(|| of_baseline.map(|(arm, _)| arm.lr)).filter(|_| !rates.is_empty())
}

/// An arm at its best learning rate, and the lines of its runs there.
fn evaluate_arm<'a>(
    path: &Path,
    comparison: &Comparison,
    arm: &ArmDesign,
    results: &'a Results,
) -> Result<(Arm, Vec<&'a Line>)> {
    let design = &comparison.design;
    let run = |lr: Option<f64>, seed: u64| Run {
        variant: arm.variant,
        lr,
        seed,
        ffn_dim: arm.ffn_dim,
        ffn_init_scale: arm.ffn_init_scale,
    };
    let lines = |lr: Option<f64>| -> Vec<&'a Line> {
        design.seeds.iter().filter_map(|&seed| results.find(&run(lr, seed))).collect()
    };
    let said = arm.variant.settings().lr.or(comparison.settings.lr).unwrap_or(f64::NAN);
    let rates: Vec<Rate> = design
        .rates_or_none()
        .into_iter()
        .map(|lr| {
            let losses = of(&lines(lr), |outcome| outcome.val_loss);
            let diverged = lines(lr).iter().filter(|line| line.diverged.is_some()).count();
            let loss = (!losses.is_empty()).then(|| summarize(&losses));
            Rate { lr: lr.unwrap_or(said), loss, diverged }
        })
        .collect();
    // A rate at which runs diverge is no choice, unless there is no other.
    let mean = |rate: &Rate| rate.loss.map_or(f64::NAN, |loss| loss.mean);
    let better =
        |a: &&Rate, b: &&Rate| (a.diverged > 0).cmp(&(b.diverged > 0)).then(mean(a).total_cmp(&mean(b)));
    let lr = rates.iter().min_by(better).map_or(said, |rate| rate.lr);
    let chosen = Some(lr).filter(|_| !design.rates.is_empty());
    let lines = lines(chosen);
    let finished: Vec<&Line> = lines.iter().copied().filter(|line| line.outcome.is_some()).collect();
    let begun = || design.seeds.iter().map(|&seed| path.join(run(chosen, seed).name()));
    let paths: Vec<PathBuf> = match finished.as_slice() {
        // A sweep that is still running shows what there is.
        [] => begun().filter(|run| run.exists()).collect(),
        finished => finished.iter().map(|line| path.join(line.run.name())).collect(),
    };
    let outcome = finished.first().and_then(|line| line.outcome.as_ref());
    let losses = of(&finished, |outcome| outcome.val_loss);
    let mean = |value: fn(&Outcome) -> f64| summarize(&of(&finished, value)).mean;
    let arm = Arm {
        variant: arm.variant,
        baseline: design.baseline_of(arm.variant),
        lr,
        params: outcome.map_or(0, |outcome| outcome.params),
        ffn_dim: outcome.map_or(0, |outcome| outcome.ffn_dim),
        flops_per_token: outcome.map_or(f64::NAN, |outcome| outcome.flops_per_token),
        ffn_output_rms: mean(|outcome| outcome.ffn_output_rms),
        seeds: finished.iter().map(|line| line.run.seed).collect(),
        loss: summarize(&losses),
        losses,
        best_loss: summarize(&of(&finished, |outcome| outcome.best_loss)),
        perplexity: summarize(&of(&finished, |outcome| outcome.val_loss.exp())),
        bits_per_byte: mean(|outcome| outcome.bits_per_byte.unwrap_or(f64::NAN)),
        tokens_per_second: spread(of(&finished, |outcome| outcome.tokens_per_second)),
        seconds_to_baseline: None,
        peak_memory: finished
            .iter()
            .filter_map(|line| line.peak_memory)
            .max()
            .map(|bytes| bytes as f64 / 1e6),
        diverged: lines.iter().filter(|line| line.diverged.is_some()).map(|line| line.run.seed).collect(),
        rates,
        sample: finished.first().map(|line| line.sample.clone()).unwrap_or_default(),
        scalars: mean_scalars(&finished),
        curve: curve(&paths)?,
    };
    Ok((arm, lines))
}

/// The mean of each learned scalar.
fn mean_scalars(lines: &[&Line]) -> BTreeMap<String, f64> {
    let mut means = BTreeMap::new();
    for (name, value) in lines.iter().flat_map(|line| &line.scalars) {
        *means.entry(name.clone()).or_insert(0.0) += f64::from(*value) / lines.len() as f64;
    }
    means
}

fn of(lines: &[&Line], value: fn(&Outcome) -> f64) -> Vec<f64> {
    lines.iter().filter_map(|line| line.outcome.as_ref()).map(value).collect()
}

fn spread(mut values: Vec<f64>) -> Spread {
    values.sort_by(f64::total_cmp);
    let at = |i: usize| values.get(i).copied().unwrap_or(f64::NAN);
    Spread { median: at(values.len() / 2), low: at(0), high: at(values.len().saturating_sub(1)) }
}

/// The pairs of the design, in the order of their arms, and its interactions: tested together.
fn evaluate_pairs(design: &Design, arms: &[(Arm, Vec<&Line>)]) -> (Vec<Pair>, Vec<Interaction>) {
    let place = |variant| arms.iter().position(|(arm, _)| arm.variant == variant);
    let contrasts = design.contrasts().into_iter();
    let mut places: Vec<(usize, usize)> = contrasts.filter_map(|(a, b)| place(a).zip(place(b))).collect();
    places.sort_by_key(|&(a, b)| (arms[a].0.baseline != arms[b].0.variant, a, b));
    let matched: Vec<Vec<(&Line, &Line)>> =
        places.iter().map(|&(a, b)| by_seed(&arms[a].1, &arms[b].1)).collect();
    let differences = matched.iter().map(|pairs| pairs.iter().map(|(a, b)| loss(a) - loss(b)).collect());
    let interactions = design.interactions();
    let changes = interactions.iter().map(|pairs| changes(pairs, arms));
    let mut tests = holm(&differences.chain(changes).collect::<Vec<Vec<f64>>>()).into_iter();
    let pair = |(a, b): (usize, usize), lines: &[(&Line, &Line)], tested: Tested| {
        let (arm, against) = (&arms[a].0, &arms[b].0);
        let diverged = !arm.diverged.is_empty() || !against.diverged.is_empty();
        Pair {
            variant: arm.variant,
            against: against.variant,
            n: tested.summary.n,
            difference: tested.summary.mean,
            std: tested.summary.std,
            interval: tested.interval,
            p: tested.p,
            text_interval: bootstrap(&piece_differences(lines)),
            verdict: match diverged {
                true => Verdict::Diverged,
                false => verdict(&tested, against.loss.mean, design.matters),
            },
        }
    };
    let together = places.into_iter().zip(&matched).zip(tests.by_ref());
    let pairs = together.map(|((places, lines), tested)| pair(places, lines, tested)).collect();
    let interaction = |([first, second], tested): (&[(Variant, Variant); 2], Tested)| {
        let said = |variant: Variant| variant.said(&design.keys[0]);
        let mean = |pair| mean(&leads(pair, arms).into_iter().map(|(_, lead)| lead).collect::<Vec<_>>());
        Interaction {
            name: said(first.0),
            against: said(first.1),
            conditions: [first, second].map(|pair| design.condition(pair.0).unwrap_or_default()),
            leads: [first, second].map(|&pair| mean(pair)),
            n: tested.summary.n,
            difference: tested.summary.mean,
            interval: tested.interval,
            p: tested.p,
        }
    };
    (pairs, interactions.iter().zip(tests).map(interaction).collect())
}

fn loss(line: &Line) -> f64 {
    line.outcome.as_ref().map_or(f64::NAN, |outcome| outcome.val_loss)
}

fn mean(values: &[f64]) -> f64 {
    summarize(values).mean
}

/// By how much the first arm's loss is lower than the second's, as a share of the second's mean, by seed.
fn leads((arm, against): (Variant, Variant), arms: &[(Arm, Vec<&Line>)]) -> Vec<(u64, f64)> {
    let find = |variant| arms.iter().find(|(arm, _)| arm.variant == variant);
    let (Some(arm), Some(against)) = (find(arm), find(against)) else { return Vec::new() };
    let lead = |(a, b): (&Line, &Line)| (a.run.seed, (loss(b) - loss(a)) / against.0.loss.mean);
    by_seed(&arm.1, &against.1).into_iter().map(lead).collect()
}

/// The lead under the second condition minus that under the first, by seed.
fn changes(pairs: &[(Variant, Variant); 2], arms: &[(Arm, Vec<&Line>)]) -> Vec<f64> {
    let [first, second] = pairs.map(|pair| leads(pair, arms));
    let partner = |seed: u64| first.iter().find(|(other, _)| *other == seed);
    second.iter().filter_map(|&(seed, lead)| Some(lead - partner(seed)?.1)).collect()
}

/// The runs of two arms that ended, by their seed.
fn by_seed<'a>(a: &[&'a Line], b: &[&'a Line]) -> Vec<(&'a Line, &'a Line)> {
    let ended = |line: &&&'a Line| line.outcome.is_some();
    let partner = |line: &'a Line| b.iter().filter(ended).find(|other| other.run.seed == line.run.seed);
    a.iter().filter(ended).filter_map(|&line| Some((line, *partner(line)?))).collect()
}

/// For each piece of the validation text the difference of losses, mean over seeds, and its tokens.
fn piece_differences(pairs: &[(&Line, &Line)]) -> Vec<(f64, f64)> {
    let Some((first, _)) = pairs.first() else { return Vec::new() };
    let mut pieces: Vec<(f64, f64)> = first.piece_tokens.iter().map(|&tokens| (0.0, tokens as f64)).collect();
    for (a, b) in pairs {
        if a.piece_tokens != first.piece_tokens || b.piece_tokens != first.piece_tokens {
            return Vec::new();
        }
        for (piece, (a, b)) in pieces.iter_mut().zip(a.piece_nats.iter().zip(&b.piece_nats)) {
            piece.0 += (a - b) / pairs.len() as f64;
        }
    }
    pieces
}

/// What may be said of a difference to an arm whose mean loss is `loss`.
pub fn verdict(tested: &Tested, loss: f64, matters: f64) -> Verdict {
    if tested.summary.n < LEAST_SEEDS {
        return Verdict::TooFewSeeds;
    }
    let margin = matters * loss;
    let lower = tested.summary.mean < 0.0;
    match (tested.is_equal(margin), tested.is_different()) {
        (true, false) => Verdict::Equal,
        (true, true) if lower => Verdict::EqualSlightlyBetter,
        (true, true) => Verdict::EqualSlightlyWorse,
        (false, true) if lower => Verdict::Better,
        (false, true) => Verdict::Worse,
        (false, false) => Verdict::Undecided { seeds_needed: seeds_needed(tested, margin) },
    }
}
