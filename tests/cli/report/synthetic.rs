//! Comparisons that nobody ran.

use std::collections::BTreeMap;
use tinygpt::activation::Activation;
use tinygpt::lab::compare::Summary;
use tinygpt::lab::compare::analysis::{Analysis, Arm, Curve, Pair, Rate, Spread, Verdict};

pub const HOSTILE_NAME: &str = "<script>alert(1)</script>";
pub const HOSTILE_SAMPLE: &str = "Once </pre></script><img src=x onerror=\"alert(2)\"> \u{1b}[31mred\u{1b}[0m & <b onclick='alert(3)'>bold</b>\n\ttabbed";

/// Noise, the same every time: about uniform between -1 and 1.
fn noise(i: usize) -> f64 {
    let hashed = (i as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 40;
    hashed as f64 / f64::from(1 << 23) - 1.0
}

fn summary(values: &[f64]) -> Summary {
    let n = values.len();
    let mean = values.iter().sum::<f64>() / n as f64;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    Summary { n, mean, std: (n > 1).then(|| (squares / (n - 1) as f64).sqrt()) }
}

fn act(name: &str) -> Activation {
    name.parse().unwrap()
}

/// The arm that ends at `target`, or nowhere where that is no number.
fn arm(i: usize, name: &str, target: f64, seeds: usize, rates: &[f64]) -> Arm {
    let diverged = !target.is_finite();
    let all: Vec<u64> = (0..seeds as u64).collect();
    let losses: Vec<f64> = if diverged {
        Vec::new()
    } else {
        (0..seeds).map(|seed| target + 0.004 * noise(1000 + seed) + 0.002 * noise(31 * i + seed)).collect()
    };
    let steps: Vec<f64> = (0..=60).map(f64::from).collect();
    let at = |step: f64| {
        target
            + 0.002 * noise(i * 97 + step as usize)
            + 2.6 * (-step / 3.0).exp()
            + 0.35 * (-step / 22.0).exp()
    };
    let mean: Vec<f64> = if diverged { Vec::new() } else { steps.iter().map(|step| at(*step)).collect() };
    let width = |step: f64| 0.006 + 0.05 * (-step / 9.0).exp();
    let curve = Curve {
        is_validation: true,
        tokens: mean.iter().zip(&steps).map(|(_, step)| step * 81_920.0).collect(),
        seconds: mean.iter().zip(&steps).map(|(_, step)| step * (3.0 + 0.12 * i as f64)).collect(),
        low: mean.iter().zip(&steps).map(|(loss, step)| loss - width(*step)).collect(),
        high: mean.iter().zip(&steps).map(|(loss, step)| loss + width(*step)).collect(),
        mean,
    };
    let best = if rates.len() > 1 { rates[(i + 1) % (rates.len() - 1)] } else { rates[0] };
    let at_rate = |lr: f64| target + 0.05 * (lr / best).log10().powi(2) * if lr > best { 3.0 } else { 1.0 };
    Arm {
        variant: act(name).into(),
        baseline: act("relu").into(),
        lr: best,
        params: 10_795_776 - 4096 * i,
        ffn_dim: if act(name).is_gated() { 1024 } else { 1536 },
        flops_per_token: 6.1e7 + 1e5 * i as f64,
        ffn_output_rms: 0.0123 * (1.0 + i as f64),
        seeds: if diverged { Vec::new() } else { all.clone() },
        loss: summary(&losses),
        best_loss: summary(&losses.iter().map(|loss| loss - 0.001).collect::<Vec<_>>()),
        perplexity: summary(&losses.iter().map(|loss| loss.exp()).collect::<Vec<_>>()),
        bits_per_byte: target / std::f64::consts::LN_2,
        tokens_per_second: Spread { median: 9876.0 + 431.0 * i as f64, low: 9500.0, high: 13_000.0 },
        seconds_to_baseline: (!diverged && target <= 1.5).then_some(100.0 + 7.0 * i as f64),
        peak_memory: Some(412.0 + i as f64),
        diverged: if diverged { all } else { Vec::new() },
        rates: rates
            .iter()
            .map(|&lr| Rate {
                lr,
                loss: (!diverged && (i != 1 || lr < 2e-3)).then(|| summary(&[at_rate(lr)])),
                diverged: if diverged { seeds } else { 0 },
            })
            .collect(),
        sample: if diverged {
            String::new()
        } else {
            "Once upon a time there was a little fox who liked the rain. One day the fox said: \"I want to \
             see where the rain goes.\" So it walked and walked, and the owl went with it.\n\nThey came to the \
             sea. \"Here it is,\" said the owl."
                .to_string()
        },
        scalars: BTreeMap::new(),
        losses,
        curve,
    }
}

/// Arms of these names, the first the best, each worse than the one before by `gap`; those called out in
/// `diverged` came to nothing.
pub fn analysis(names: &[&str], diverged: &[&str], gap: f64, seeds: usize, rates: &[f64]) -> Analysis {
    let mut arms: Vec<Arm> = names
        .iter()
        .enumerate()
        .map(|(i, name)| {
            let target = if diverged.contains(name) { f64::NAN } else { 1.462 + gap * i as f64 };
            arm(i, name, target, seeds, rates)
        })
        .collect();
    arms.sort_by_key(|arm| arm.losses.is_empty());
    let baseline = arms.iter().find(|arm| arm.variant == act("relu").into()).unwrap_or(&arms[0]).clone();
    let pairs = if seeds == 0 { Vec::new() } else { pairs(&arms, &baseline) };
    let runs = names.len() * seeds.max(1) * rates.len();
    let headline = if arms[0].losses.is_empty() {
        "Every run diverged.".to_string()
    } else {
        format!(
            "{} has the lowest loss: {:.4}, the mean of {seeds} seeds.",
            arms[0].variant, arms[0].loss.mean
        )
    };
    for arm in &mut arms {
        arm.baseline = baseline.variant;
    }
    Analysis {
        data: "tales.txt".to_string(),
        baseline: baseline.variant,
        baseline_name: baseline.variant.to_string(),
        interactions: Vec::new(),
        headline: headline.into(),
        warnings: Vec::new(),
        arms,
        pairs,
        fixed_lr: (rates.len() > 1).then(|| rates[0]),
        matters: 0.005,
        floor: None,
        done: runs,
        planned: runs,
    }
}

fn pairs(arms: &[Arm], baseline: &Arm) -> Vec<Pair> {
    let others = arms.iter().filter(|arm| arm.variant != baseline.variant);
    others.map(|arm| pair(arm, baseline)).collect()
}

fn pair(arm: &Arm, other: &Arm) -> Pair {
    let n = arm.losses.len().min(other.losses.len());
    let difference = arm.loss.mean - other.loss.mean;
    let half = 0.006 + 0.05 * difference.abs();
    let apart = difference.abs() > half;
    let matters = difference.abs() > 0.005 * other.loss.mean;
    let verdict = match (n, apart, matters, difference < 0.0) {
        (0, ..) => Verdict::Diverged,
        (1 | 2, ..) => Verdict::TooFewSeeds,
        (_, false, true, _) => Verdict::Undecided { seeds_needed: Some(12) },
        (_, false, false, _) => Verdict::Equal,
        (_, _, true, true) => Verdict::Better,
        (_, _, true, false) => Verdict::Worse,
        (_, _, false, true) => Verdict::EqualSlightlyBetter,
        (_, _, false, false) => Verdict::EqualSlightlyWorse,
    };
    let around = |half: f64| (difference - half, difference + half);
    Pair {
        variant: arm.variant,
        against: other.variant,
        n,
        difference,
        std: (n > 1).then_some(half),
        interval: (n > 1).then(|| around(half)),
        p: (n > 1).then_some(if apart { 0.0004 } else { 0.21 }),
        text_interval: (n > 0).then(|| around(0.6 * half)),
        verdict,
    }
}

/// A grid with an arm that diverged, and strings that would do harm if they were not escaped.
pub fn hostile() -> Analysis {
    let mut analysis = analysis(
        &["swiglu", "gelu", "relu", "glu:leaky_relu", "sigmoid"],
        &["sigmoid"],
        0.013,
        3,
        &[3e-4, 1e-3, 3e-3],
    );
    analysis.data = HOSTILE_NAME.to_string();
    analysis.headline = format!("swiglu {HOSTILE_NAME}").into();
    analysis.warnings = vec![format!("{HOSTILE_SAMPLE}: {HOSTILE_NAME}").into()];
    analysis.arms[1].sample = HOSTILE_SAMPLE.to_string();
    // Sorted as text, this would come first.
    analysis.arms[2].params = 999;
    analysis.floor = Some(1.4);
    analysis
}
