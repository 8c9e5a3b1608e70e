//! Means, paired differences, and what may be concluded from several of them at once.

use crate::support::random;
use serde::Serialize;
use statrs::distribution::{ContinuousCDF, StudentsT};

/// The share of comparisons without any difference in which one is claimed all the same.
const ALPHA: f64 = 0.05;
/// The chance to find a difference of the size that a plan names is 80%: this quantile of the normal distribution.
const POWER_QUANTILE: f64 = 0.841_621;
/// Seeds beyond which nobody will go.
const MOST_SEEDS: u64 = 1000;
/// Seeds below which nothing is claimed.
pub const LEAST_SEEDS: usize = 3;
/// Samples that a bootstrap draws.
const DRAWS: usize = 2000;

/// A mean and its sample standard deviation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Summary {
    pub n: usize,
    /// Not a number where there is no value.
    pub mean: f64,
    /// With n - 1 in the denominator; none below two values.
    pub std: Option<f64>,
}

impl Summary {
    /// Student's 95% interval of the mean; none below two values.
    pub fn interval95(&self) -> Option<(f64, f64)> {
        let half = half_width(self, ALPHA)?;
        half.is_finite().then_some((self.mean - half, self.mean + half))
    }
}

pub fn summarize(values: &[f64]) -> Summary {
    let n = values.len();
    let mean = values.iter().sum::<f64>() / n as f64;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    Summary { n, mean, std: (n > 1).then(|| (squares / (n - 1) as f64).sqrt()) }
}

/// Paired differences tested together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tested {
    /// Of the differences.
    pub summary: Summary,
    /// Holm's adjusted p-value; none below two pairs.
    pub p: Option<f64>,
    /// Where the true difference lies: it excludes 0 exactly where Holm's procedure rejects 0.
    pub interval: Option<(f64, f64)>,
    /// The error rate that the procedure left for this difference, that of its interval.
    pub alpha: f64,
    /// How far from 0 the true difference is at most; see [`Tested::is_equal`].
    pub reach: Option<f64>,
}

impl Tested {
    /// Whether there is a difference.
    pub fn is_different(&self) -> bool {
        self.interval.is_some_and(|(low, high)| low > 0.0 || high < 0.0)
    }

    /// Whether the difference is smaller than `margin`: two one-sided tests (Schuirmann 1987), corrected for their
    /// number by Bonferroni's procedure. The chance to call any of the differences that are not smaller equal is at
    /// most 5%. Holm's intervals narrow as differences from 0 are found, which says nothing about equality; up to two
    /// pairs, both are the same.
    pub fn is_equal(&self, margin: f64) -> bool {
        self.reach.is_some_and(|reach| reach < margin)
    }
}

/// Two-sided t-tests of paired differences against 0, corrected for their number by the step-down procedure of Holm 1979: the chance
/// to call any of the differences that are 0 different is at most 5%.
pub fn holm(families: &[Vec<f64>]) -> Vec<Tested> {
    let summaries: Vec<Summary> = families.iter().map(|differences| summarize(differences)).collect();
    let p_values: Vec<Option<f64>> = summaries.iter().map(p_value).collect();
    let steps = step_down(&p_values.iter().copied().flatten().collect::<Vec<f64>>());
    let mut steps = steps.into_iter();
    let mut tested = Vec::new();
    for (summary, p) in summaries.into_iter().zip(p_values) {
        let step = p.and_then(|_| steps.next());
        let among = families.len() as f64;
        let alpha = step.map_or(ALPHA / among, |step| step.alpha);
        let reach = step.map(|_| {
            let (low, high) = interval(&summary, alpha.min(2.0 * ALPHA / among));
            (-low).max(high)
        });
        tested.push(Tested {
            summary,
            p: step.map(|step| step.p),
            interval: step.map(|step| interval(&summary, step.alpha)),
            alpha,
            reach,
        });
    }
    tested
}

/// What Holm's procedure makes of a p-value.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Step {
    /// The adjusted p-value.
    p: f64,
    /// What the p-value was held against, or that of the first that failed before it.
    alpha: f64,
}

/// Holm's step-down procedure (Holm 1979): the k-th smallest of m p-values is held against 5% / (m - k + 1),
/// and after the first that is not below, none is rejected any more.
///
/// An interval of confidence 1 - alpha at each one's step, and at the failed step for those after it, excludes
/// 0 exactly where 0 is rejected, so that intervals and verdicts never contradict each other.
fn step_down(p_values: &[f64]) -> Vec<Step> {
    let mut order: Vec<usize> = (0..p_values.len()).collect();
    order.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));
    let mut steps = vec![Step { p: 1.0, alpha: ALPHA }; p_values.len()];
    let (mut adjusted, mut failed) = (0.0f64, None);
    for (rank, i) in order.into_iter().enumerate() {
        let left = (p_values.len() - rank) as f64;
        let alpha = failed.unwrap_or(ALPHA / left);
        adjusted = adjusted.max(left * p_values[i]).min(1.0);
        if p_values[i] > alpha {
            failed = Some(alpha);
        }
        steps[i] = Step { p: adjusted, alpha };
    }
    steps
}

/// The p-value of "the mean is 0"; none below two values.
fn p_value(summary: &Summary) -> Option<f64> {
    let std = summary.std?;
    let error = std / (summary.n as f64).sqrt();
    if error == 0.0 {
        return Some(if summary.mean == 0.0 { 1.0 } else { 0.0 });
    }
    Some(2.0 * students_t(summary.n)?.sf((summary.mean / error).abs()))
}

/// Where the mean's true value lies with confidence 1 - alpha.
fn interval(summary: &Summary, alpha: f64) -> (f64, f64) {
    let half = half_width(summary, alpha).unwrap_or(f64::INFINITY);
    (summary.mean - half, summary.mean + half)
}

fn half_width(summary: &Summary, alpha: f64) -> Option<f64> {
    let quantile = students_t(summary.n)?.inverse_cdf(1.0 - alpha / 2.0);
    Some(quantile * summary.std? / (summary.n as f64).sqrt())
}

/// Student's distribution for the mean of n values.
fn students_t(n: usize) -> Option<StudentsT> {
    StudentsT::new(0.0, 1.0, n.checked_sub(1)? as f64).ok()
}

/// The smallest difference that n seeds detect with a power of 80%, in standard deviations of a paired
/// difference, at error rate alpha: noncentral t with the approximation of Johnson & Welch 1940. Infinite below two
/// seeds.
pub fn detectable(n: usize, alpha: f64) -> f64 {
    match students_t(n) {
        Some(t) if n > 1 => {
            let (freedom, critical) = ((n - 1) as f64, t.inverse_cdf(1.0 - alpha / 2.0));
            let spread = (1.0 + critical * critical / (2.0 * freedom)).sqrt();
            (critical * (1.0 - 0.25 / freedom) + POWER_QUANTILE * spread) / (n as f64).sqrt()
        }
        _ => f64::INFINITY,
    }
}

/// [`detectable`] for the most stringent of `pairs` tests under Holm's correction.
pub fn detectable_among(n: usize, pairs: usize) -> f64 {
    detectable(n, ALPHA / pairs.max(1) as f64)
}

/// Seeds that would show with a power of 80% that a difference of this size isn't 0, or that it is smaller than
/// `margin`, whichever takes fewer. At most 1,000.
pub fn seeds_needed(tested: &Tested, margin: f64) -> Option<u64> {
    let size = tested.summary.mean.abs();
    let effect = size.max(margin - size) / tested.summary.std?;
    // The more seeds, the less is needed: halve the range until one is left.
    let (mut low, mut high) = (LEAST_SEEDS as u64, MOST_SEEDS + 1);
    while low < high {
        let middle = (low + high) / 2;
        if detectable(middle as usize, tested.alpha) <= effect { high = middle } else { low = middle + 1 }
    }
    (low <= MOST_SEEDS).then_some(low)
}

/// Where the difference of two arms' mean losses lies with 95% confidence as far as the choice of text
/// goes: a bootstrap over its pieces (Efron 1979), by percentiles. `pieces` has for each the difference
/// of the summed losses and its number of tokens; none below ten pieces.
pub fn bootstrap(pieces: &[(f64, f64)]) -> Option<(f64, f64)> {
    const LEAST: usize = 10;
    if pieces.len() < LEAST {
        return None;
    }
    let mut rng = random::stream(0, "bootstrap of the validation text");
    let mut draw = || {
        let (mut nats, mut tokens) = (0.0, 0.0);
        for _ in pieces {
            let (piece_nats, piece_tokens) = pieces[random::below(&mut rng, pieces.len() as u64) as usize];
            nats += piece_nats;
            tokens += piece_tokens;
        }
        nats / tokens
    };
    let mut means: Vec<f64> = (0..DRAWS).map(|_| draw()).collect();
    means.sort_by(f64::total_cmp);
    let at = |share: f64| means[(share * (DRAWS - 1) as f64).round() as usize];
    Some((at(0.025), at(0.975)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Student 1908's sleep data, as R's `t.test(extra ~ group, data = sleep, paired = TRUE)` prints it: mean
    /// of the differences -1.58, p-value 0.002833, 95 percent confidence interval -2.4598858 -0.7001142.
    #[test]
    fn the_paired_t_test_matches_students_example() {
        let first = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0];
        let second = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4];
        let tested = holm(&[first.iter().zip(second).map(|(a, b)| a - b).collect()])[0];
        let (low, high) = tested.interval.unwrap();
        assert!((tested.summary.mean + 1.58).abs() < 1e-12);
        assert!((tested.p.unwrap() - 0.002833).abs() < 1e-6, "{tested:?}");
        assert!((low + 2.4598858).abs() < 1e-6 && (high + 0.7001142).abs() < 1e-6, "{low} {high}");
    }

    /// R's `p.adjust(c(0.01, 0.04, 0.03, 0.005), "holm")` is 0.03 0.06 0.06 0.02.
    #[test]
    fn adjusted_p_values_match_r() {
        let steps = step_down(&[0.01, 0.04, 0.03, 0.005]);
        for (step, p) in steps.iter().zip([0.03, 0.06, 0.06, 0.02]) {
            assert!((step.p - p).abs() < 1e-12, "{steps:?}");
        }
        // 0.005 and 0.01 are below 5% / 4 and 5% / 3; 0.03 is not below 5% / 2, and 0.04 follows it.
        for (step, left) in steps.iter().zip([3.0, 2.0, 2.0, 4.0]) {
            assert!((step.alpha - 0.05 / left).abs() < 1e-12, "{steps:?}");
        }
    }

    #[test]
    fn intervals_exclude_zero_exactly_when_the_adjusted_p_is_significant() {
        let mut rng = random::stream(1, "intervals");
        for _ in 0..200 {
            let mut family = |shift: f64| -> Vec<f64> {
                random::normal(&mut rng, 4, 1.0).iter().map(|x| f64::from(*x) + shift).collect()
            };
            for tested in holm(&[family(0.0), family(1.5), family(3.0), family(6.0)]) {
                assert_eq!(tested.is_different(), tested.p.unwrap() <= 0.05, "{tested:?}");
            }
        }
    }

    #[test]
    fn one_seed_or_zero_variance_gives_no_test() {
        let one = holm(&[vec![0.5]])[0];
        assert_eq!((one.p, one.interval, one.is_different()), (None, None, false));
        assert!(!holm(&[vec![0.0; 5]])[0].is_different());
        assert!(holm(&[vec![0.1; 5]])[0].is_different());
        assert_eq!(bootstrap(&[(1.0, 1.0); 9]), None);
    }

    /// Pieces of equal length with differences from N(0.1, 1): the standard error of their mean is 0.05.
    #[test]
    fn bootstrap_width_matches_the_standard_error() {
        let draws = random::normal(&mut random::stream(1, "pieces"), 400, 1.0);
        let pieces: Vec<(f64, f64)> = draws.iter().map(|x| (10.0 * (f64::from(*x) + 0.1), 10.0)).collect();
        let (low, high) = bootstrap(&pieces).unwrap();
        let width = 2.0 * 1.96 * 0.05;
        assert!((high - low - width).abs() < 0.1 * width, "{low} {high}");
        assert_eq!(bootstrap(&pieces), Some((low, high)));
    }
}
