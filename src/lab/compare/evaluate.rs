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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::activation::Activation;
    use crate::lab::compare::statistics::detectable_among;
    use crate::lab::compare::{ArmDesign, Matching};
    use crate::settings::Settings;
    use crate::support::random::{self, Stream};

    fn english(text: &Text) -> String {
        text.to(crate::support::text::Language::En)
    }

    const ARMS: [&str; 4] = ["relu", "gelu", "silu", "swiglu"];

    fn comparison(seeds: u64) -> Comparison {
        let acts: Vec<Activation> = ARMS.iter().map(|name| name.parse().unwrap()).collect();
        Comparison {
            design: Design {
                keys: vec!["act".to_string()],
                baseline: acts[0].into(),
                arms: acts.into_iter().map(ArmDesign::new).collect(),
                seeds: (0..seeds).collect(),
                rates: Vec::new(),
                all_pairs: false,
                matters: 0.0,
                matching: Matching::Params,
                match_init: false,
            },
            settings: Settings { lr: Some(1e-3), ..Settings::default() },
            text: String::new(),
            command: String::new(),
            budget: None,
        }
    }

    fn outcome(val_loss: f64) -> Outcome {
        serde_json::from_value(serde_json::json!({
            "act": "", "params": 1, "ffn_params": 1, "ffn_dim": 1, "steps": 1, "tokens": 1, "seconds": 1.0,
            "tokens_per_second": 1.0, "train_loss": 1.0, "val_loss": val_loss, "best_loss": val_loss,
            "bits_per_byte": 1.0, "floor": null, "ffn_output_rms": 1.0, "flops_per_token": 1.0, "checkpoint": "",
        }))
        .unwrap()
    }

    /// Losses around 2: a seed's own part, which all arms share, an arm's effect, and noise of 0.01.
    fn simulate(comparison: &Comparison, effects: [f64; 4], rng: &mut Stream) -> Analysis {
        let mut normal = |std| f64::from(random::normal(rng, 1, std)[0]);
        let shared: Vec<f64> = comparison.design.seeds.iter().map(|_| normal(0.05)).collect();
        let mut lines = Vec::new();
        for run in comparison.design.runs() {
            let arm = comparison.design.arms.iter().position(|arm| arm.variant == run.variant).unwrap();
            let loss = 2.0 + shared[run.seed as usize] + effects[arm] + normal(0.01);
            lines.push(Line { outcome: Some(outcome(loss)), ..Line::of(&run) });
        }
        evaluate(Path::new("/nowhere"), comparison, &Results::holding(lines)).unwrap()
    }

    fn is_claim(pair: &Pair) -> bool {
        !matches!(pair.verdict, Verdict::Undecided { .. } | Verdict::TooFewSeeds)
    }

    /// A comparison of every pair, in which relative differences below `matters` count as none.
    fn of_all_pairs(seeds: u64, matters: f64) -> Comparison {
        let comparison = comparison(seeds);
        Comparison { design: Design { all_pairs: true, matters, ..comparison.design.clone() }, ..comparison }
    }

    #[test]
    fn identical_arms_differ_in_at_most_5_percent_of_comparisons() {
        for (seeds, all) in [3, 5, 8].into_iter().flat_map(|seeds| [(seeds, false), (seeds, true)]) {
            let comparison = if all { of_all_pairs(seeds, 0.0) } else { comparison(seeds) };
            assert_eq!(comparison.design.contrasts().len(), if all { 6 } else { 3 });
            let mut rng = random::stream(seeds, "identical arms");
            let claims = (0..5000)
                .filter(|_| simulate(&comparison, [0.0; 4], &mut rng).pairs.iter().any(is_claim))
                .count();
            println!("{claims} of 5,000 with {seeds} seeds, all pairs: {all}");
            assert!(claims <= 250, "{claims} of 5,000 with {seeds} seeds, all pairs: {all}");
        }
    }

    /// The other arms are all 1% worse than relu, which is what matters.
    #[test]
    fn arms_that_differ_by_what_matters_are_equal_in_at_most_5_percent_of_comparisons() {
        for seeds in [3, 5, 8, 20] {
            let (comparison, mut rng) = (of_all_pairs(seeds, 0.01), random::stream(seeds, "at the margin"));
            let relu = comparison.design.baseline;
            let is_false = |pair: &Pair| pair.against == relu && pair.verdict.is_equal();
            let effects = [0.0, 0.02, 0.02, 0.02];
            let claims = (0..1000)
                .filter(|_| simulate(&comparison, effects, &mut rng).pairs.iter().any(is_false))
                .count();
            assert!(claims <= 50, "{claims} of 1,000 with {seeds} seeds");
        }
    }

    /// Two standard deviations of a difference matter: the seeds that an undecided pair names find it equal.
    #[test]
    fn identical_arms_are_found_equal_with_enough_seeds() {
        let mut rng = random::stream(5, "equal arms");
        let equal = |seeds, rng: &mut Stream| {
            let comparison = of_all_pairs(seeds, 0.02 * 2f64.sqrt() / 2.0);
            let times = (0..200).map(|_| simulate(&comparison, [0.0; 4], rng));
            times.filter(|analysis| analysis.pairs.iter().all(|pair| pair.verdict.is_equal())).count()
        };
        let (few, enough) = (equal(4, &mut rng), equal(12, &mut rng));
        assert!(few < 100 && enough > 190, "{few} and {enough} of 200");
        let undecided = simulate(&of_all_pairs(4, 0.01), [0.0; 4], &mut rng);
        assert!(undecided.pairs.iter().any(|pair| pair.seeds_needed().is_some_and(|n| (5..60).contains(&n))));
    }

    /// relu and swiglu at two widths: the arms are relu, swiglu, relu, swiglu.
    fn at_two_widths(seeds: u64) -> Comparison {
        let comparison = comparison(seeds);
        let variant = |name: &str, dim| {
            Variant::new(name.parse().unwrap(), Settings { dim: Some(dim), ..Settings::default() })
        };
        let arms = [32, 64].into_iter().flat_map(|dim| [variant("relu", dim), variant("swiglu", dim)]);
        let design = Design {
            arms: arms.map(ArmDesign::new).collect(),
            keys: vec!["act".to_string(), "dim".to_string()],
            baseline: variant("relu", 32),
            ..comparison.design.clone()
        };
        Comparison { design, ..comparison }
    }

    #[test]
    fn a_lead_that_changes_with_the_condition_is_found() {
        let mut rng = random::stream(7, "a changing lead");
        let analysis = simulate(&at_two_widths(8), [0.0, -0.2, 0.5, 0.5], &mut rng);
        let [change] = analysis.interactions.as_slice() else { panic!("{:?}", analysis.interactions) };
        assert_eq!((change.name.as_str(), change.against.as_str()), ("swiglu", "relu"));
        assert!((change.leads[0] - 0.1).abs() < 0.01 && change.leads[1].abs() < 0.01, "{change:?}");
        let (low, high) = change.interval.unwrap();
        assert!(low < -0.1 && -0.1 < high && high < 0.0, "{change:?}");
        let headline = english(&analysis.headline);
        assert!(headline.starts_with("swiglu leads relu by 1"), "{headline}");
        assert!(
            headline.contains("% with dim 32 and by ") && headline.contains("the lead changes by -"),
            "{headline}"
        );
        // Each arm has the baseline of its own width.
        for arm in &analysis.arms {
            assert_eq!(arm.baseline.value("dim"), arm.variant.value("dim"));
        }
    }

    #[test]
    fn differences_and_changes_of_identical_arms_are_claimed_in_at_most_5_percent_of_comparisons() {
        for seeds in [3, 5, 8] {
            let (comparison, mut rng) = (at_two_widths(seeds), random::stream(seeds, "identical conditions"));
            let is_change =
                |change: &Interaction| change.interval.is_some_and(|(low, high)| low > 0.0 || high < 0.0);
            let is_false = |analysis: &Analysis| {
                analysis.pairs.iter().any(is_claim) || analysis.interactions.iter().any(is_change)
            };
            let claims = (0..5000).filter(|_| is_false(&simulate(&comparison, [0.0; 4], &mut rng))).count();
            assert!(claims <= 250, "{claims} of 5,000 with {seeds} seeds");
        }
    }

    /// Differences of two arms have a standard deviation of sqrt(2) 0.01. Binomial noise of 1,000 comparisons
    /// is 1.3%.
    #[test]
    fn the_detectable_difference_is_found_in_80_percent_of_comparisons() {
        for seeds in [4, 5, 8, 20] {
            let (comparison, mut rng) = (comparison(seeds), random::stream(seeds, "a difference"));
            let effect = 0.01 * 2f64.sqrt() * detectable_among(seeds as usize, comparison.design.tests());
            let found = |analysis: &Analysis| {
                analysis
                    .pairs
                    .iter()
                    .any(|pair| pair.variant.label() == "swiglu" && pair.verdict == Verdict::Worse)
            };
            let times = (0..1000)
                .filter(|_| found(&simulate(&comparison, [0.0, 0.0, 0.0, effect], &mut rng)))
                .count();
            assert!((760..=880).contains(&times), "{times} of 1,000 with {seeds} seeds");
        }
    }

    #[test]
    fn verdicts_need_three_seeds() {
        let analysis = simulate(&comparison(2), [0.0, 1.0, 2.0, -1.0], &mut random::stream(1, "two seeds"));
        assert!(analysis.pairs.iter().all(|pair| pair.verdict == Verdict::TooFewSeeds));
        assert!(
            english(&analysis.headline).starts_with("Verdicts need at least 3 seeds; this comparison has 2."),
            "{:?}",
            analysis.headline
        );
    }

    #[test]
    fn the_headline_matches_the_pairwise_verdicts() {
        let mut rng = random::stream(3, "headlines");
        let clear = english(&simulate(&comparison(8), [0.0, 0.3, 0.2, -0.2], &mut rng).headline);
        assert!(
            clear.starts_with("swiglu beats relu by ") && clear.contains("at this learning rate"),
            "{clear}"
        );
        let even = english(&simulate(&comparison(8), [0.0, 0.3, 0.2, 0.0], &mut rng).headline);
        assert!(even.contains("are undecided with 8 seeds") && even.contains("would need"), "{even}");
        let small = Comparison { design: Design { matters: 0.2, ..comparison(8).design }, ..comparison(8) };
        let small = english(&simulate(&small, [0.0, 0.3, 0.2, -0.2], &mut rng).headline);
        assert!(small.contains("differ by less than 20%") && small.contains("excludes 0"), "{small}");
        // The runner-up is named only if its pair is one of the design's.
        let runner_up = english(&simulate(&comparison(8), [0.0, -0.1, 0.2, -0.2], &mut rng).headline);
        assert!(!runner_up.contains("gelu"), "{runner_up}");
        let all = english(&simulate(&of_all_pairs(8, 0.0), [0.0, -0.1, 0.2, -0.2], &mut rng).headline);
        assert!(all.contains("swiglu beats gelu by"), "{all}");
        // The baseline wins.
        let relu = english(&simulate(&comparison(8), [0.0, 0.3, 0.2, 0.5], &mut rng).headline);
        assert!(relu.starts_with("relu beats silu by"), "{relu}");
    }

    #[test]
    fn diverged_arms_stay_in_the_table_without_a_verdict() {
        let comparison = comparison(3);
        let line = |run: Run| {
            let diverged = (run.variant.label() == "gelu" && run.seed == 1).then(|| "at step 3".to_string());
            Line { outcome: diverged.is_none().then(|| outcome(2.0)), diverged, ..Line::of(&run) }
        };
        let results = Results::holding(comparison.design.runs().into_iter().map(line).collect());
        let analysis = evaluate(Path::new("/nowhere"), &comparison, &results).unwrap();
        let gelu = analysis.arms.iter().find(|arm| arm.variant.label() == "gelu").unwrap();
        assert_eq!((gelu.diverged.as_slice(), gelu.loss.n), ([1].as_slice(), 2));
        let pair = analysis.pairs.iter().find(|pair| pair.variant.label() == "gelu").unwrap();
        assert_eq!(pair.verdict, Verdict::Diverged);
        assert!(analysis.warnings.iter().any(|warning| english(warning).contains("gelu diverged")));
    }

    #[test]
    fn each_arm_is_compared_at_its_best_learning_rate() {
        let mut comparison = comparison(3);
        comparison.design.rates = vec![1e-4, 1e-3, 1e-2];
        let mut lines = Vec::new();
        for run in comparison.design.runs() {
            // relu is best in the middle, the others at the highest rate, and silu diverges there.
            let lr = run.lr.unwrap();
            let loss = if run.variant.label() == "relu" { 2.0 + (lr.log10() + 3.0).abs() } else { 2.0 - lr };
            let diverged = (run.variant.label() == "silu" && lr == 1e-2).then(|| "at step 3".to_string());
            let outcome = diverged.is_none().then(|| outcome(loss));
            lines.push(Line { outcome, diverged, ..Line::of(&run) });
        }
        let analysis = evaluate(Path::new("/nowhere"), &comparison, &Results::holding(lines)).unwrap();
        let arm = |name: &str| analysis.arms.iter().find(|arm| arm.variant.label() == name).unwrap();
        assert_eq!((arm("relu").lr, arm("gelu").lr, arm("silu").lr), (1e-3, 1e-2, 1e-3));
        assert_eq!(analysis.fixed_lr, Some(1e-3));
        assert!((arm("relu").sensitivity() - 1.0).abs() < 1e-9);
        assert_eq!(arm("silu").sensitivity(), f64::INFINITY);
        let edge = analysis.warnings.iter().map(english).find(|warning| warning.contains("edge")).unwrap();
        assert!(edge.contains("gelu") && edge.contains("swiglu") && !edge.contains("relu,"), "{edge}");
    }
}
