//! Means, spreads and paired differences.

use serde::Serialize;
use statrs::distribution::{ContinuousCDF, StudentsT};

/// A mean and its sample standard deviation.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Summary {
    pub n: usize,
    pub mean: f64,
    /// With n - 1 in the denominator; none below two values.
    pub std: Option<f64>,
}

/// A mean difference and where the true one lies with 95 % confidence.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Interval {
    pub mean: f64,
    /// None below two pairs.
    pub ci95: Option<(f64, f64)>,
}

pub fn summarize(values: &[f64]) -> Summary {
    let n = values.len();
    let mean = values.iter().sum::<f64>() / n as f64;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    Summary { n, mean, std: (n > 1).then(|| (squares / (n - 1) as f64).sqrt()) }
}

/// The mean of paired differences with Student's 95 % interval.
pub fn paired_difference(differences: &[f64]) -> Interval {
    let Summary { n, mean, std } = summarize(differences);
    let ci95 = std.and_then(|std| {
        let quantile = StudentsT::new(0.0, 1.0, (n - 1) as f64).ok()?.inverse_cdf(0.975);
        let half = quantile * std / (n as f64).sqrt();
        Some((mean - half, mean + half))
    });
    Interval { mean, ci95 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Student 1908's sleep data, as R's `t.test(extra ~ group, data = sleep, paired = TRUE)` prints
    /// it: mean of the differences -1.58, 95 percent confidence interval -2.4598858 -0.7001142.
    #[test]
    fn the_interval_is_that_of_students_own_example() {
        let first = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0];
        let second = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4];
        let differences: Vec<f64> = first.iter().zip(second).map(|(a, b)| a - b).collect();
        let interval = paired_difference(&differences);
        let (low, high) = interval.ci95.unwrap();
        assert!((interval.mean + 1.58).abs() < 1e-12);
        assert!((low + 2.4598858).abs() < 1e-6 && (high + 0.7001142).abs() < 1e-6, "{low} {high}");
    }

    #[test]
    fn one_pair_gives_no_interval() {
        assert_eq!(paired_difference(&[0.5]), Interval { mean: 0.5, ci95: None });
    }
}
