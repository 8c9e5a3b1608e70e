//! Promises of verdicts: simulated comparisons through the real evaluation.

use super::analysis::{Analysis, Interaction, Pair, Verdict};
use super::comparison::Comparison;
use super::design::{ArmDesign, Design, Matching, Run};
use super::evaluate::evaluate;
use super::results::{Line, Results};
use super::statistics::detectable_among;
use super::variant::Variant;
use crate::activation::Activation;
use crate::settings::Settings;
use crate::support::random::{self, Stream};
use crate::support::text::Text;
use crate::train::Outcome;
use std::path::Path;

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
        let claims =
            (0..1000).filter(|_| simulate(&comparison, effects, &mut rng).pairs.iter().any(is_false)).count();
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
    assert!(headline.starts_with("The lead of swiglu over relu is 1"), "{headline}");
    assert!(headline.contains("% with dim 32 and ") && headline.contains("it changes by -"), "{headline}");
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
        let times =
            (0..1000).filter(|_| found(&simulate(&comparison, [0.0, 0.0, 0.0, effect], &mut rng))).count();
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
    assert!(clear.starts_with("swiglu beats relu by ") && clear.contains("at this learning rate"), "{clear}");
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
