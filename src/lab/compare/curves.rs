//! How the loss fell: from the runs' metrics, over seeds.

use super::analysis::Curve;
use crate::run::{Metric, RunDir};
use anyhow::Result;
use std::path::Path;

/// Points of a curve of training losses, each the mean of as many steps.
const POINTS: usize = 60;
/// Fewer evaluations than these make no curve.
const LEAST_EVALUATIONS: usize = 3;

/// A run's loss over its steps.
struct Track {
    is_validation: bool,
    /// (tokens, seconds of training, loss)
    points: Vec<(f64, f64, f64)>,
}

/// The curve of an arm's runs, as far as the shortest of them goes; empty without any.
///
/// # Errors
/// If a line of a run's metrics can't be read.
pub fn curve(runs: &[impl AsRef<Path>]) -> Result<Curve> {
    let tracks = runs.iter().map(|run| Ok(track(&RunDir::at(run.as_ref()).metrics()?)));
    let tracks: Vec<Track> = tracks.collect::<Result<_>>()?;
    let is_validation = tracks.iter().all(|track| track.is_validation);
    let mut curve = Curve { is_validation, ..Curve::default() };
    let shortest = tracks.iter().map(|track| track.points.len()).min().unwrap_or(0);
    for i in 0..shortest {
        let at: Vec<(f64, f64, f64)> = tracks.iter().map(|track| track.points[i]).collect();
        let mean = |value: fn(&(f64, f64, f64)) -> f64| at.iter().map(value).sum::<f64>() / at.len() as f64;
        curve.tokens.push(mean(|point| point.0));
        curve.seconds.push(mean(|point| point.1));
        curve.mean.push(mean(|point| point.2));
        curve.low.push(at.iter().map(|point| point.2).fold(f64::INFINITY, f64::min));
        curve.high.push(at.iter().map(|point| point.2).fold(f64::NEG_INFINITY, f64::max));
    }
    Ok(curve)
}

fn track(metrics: &[Metric]) -> Track {
    let (mut steps, mut evaluations, mut now) = (Vec::new(), Vec::new(), (0.0, 0.0));
    for metric in metrics {
        match *metric {
            Metric::Step { loss: Some(loss), tokens, seconds, .. } => {
                now = (tokens as f64, now.1 + seconds);
                steps.push((now.0, now.1, loss));
            }
            Metric::Evaluation { val_loss, .. } => evaluations.push((now.0, now.1, val_loss)),
            Metric::Step { loss: None, .. } | Metric::Sample { .. } => {}
        }
    }
    if evaluations.len() >= LEAST_EVALUATIONS {
        return Track { is_validation: true, points: evaluations };
    }
    let together = steps.len().div_ceil(POINTS).max(1);
    let point = |steps: &[(f64, f64, f64)]| {
        let loss = steps.iter().map(|step| step.2).sum::<f64>() / steps.len() as f64;
        steps.last().map_or((0.0, 0.0, loss), |last| (last.0, last.1, loss))
    };
    Track { is_validation: false, points: steps.chunks_exact(together).map(point).collect() }
}

/// Seconds of training until a curve of validation losses reached `loss`, between its points on a line.
pub fn seconds_to(curve: &Curve, loss: f64) -> Option<f64> {
    let reached = curve.mean.iter().position(|mean| *mean <= loss).filter(|_| curve.is_validation)?;
    let Some(before) = reached.checked_sub(1) else { return Some(curve.seconds[reached]) };
    let (from, to) = (curve.mean[before], curve.mean[reached]);
    let share = (from - loss) / (from - to);
    Some(curve.seconds[before] + share * (curve.seconds[reached] - curve.seconds[before]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    fn trained(step: usize, loss: f64) -> Metric {
        let (lr, tokens) = (1e-3, 10 * step as u64);
        Metric::Step {
            step,
            loss: Some(loss),
            lr,
            grad_norm: None,
            scalars_share: None,
            scalars: BTreeMap::new(),
            tokens,
            seconds: 0.5,
            skipped: false,
        }
    }

    fn evaluated(step: usize, val_loss: f64) -> Metric {
        Metric::Evaluation { step, val_loss, val_perplexity: None, bits_per_byte: None, val_tokens: 9 }
    }

    #[test]
    fn curves_prefer_validation_losses_if_there_are_enough() {
        let mut metrics = Vec::new();
        for step in 1..=4 {
            metrics.push(trained(step, 9.0));
            metrics.push(evaluated(step, 5.0 - step as f64));
        }
        let points = track(&metrics).points;
        assert_eq!(points, [(10.0, 0.5, 4.0), (20.0, 1.0, 3.0), (30.0, 1.5, 2.0), (40.0, 2.0, 1.0)]);
        let training = track(&metrics[..4]);
        assert!(!training.is_validation);
        assert_eq!(training.points, [(10.0, 0.5, 9.0), (20.0, 1.0, 9.0)]);
    }

    #[test]
    fn time_to_a_loss_is_interpolated_between_points() {
        let curve = Curve {
            is_validation: true,
            seconds: vec![1.0, 2.0, 3.0],
            mean: vec![4.0, 3.0, 2.0],
            ..Curve::default()
        };
        assert_eq!(seconds_to(&curve, 2.5), Some(2.5));
        assert_eq!(seconds_to(&curve, 5.0), Some(1.0));
        assert_eq!(seconds_to(&curve, 1.0), None);
        assert_eq!(seconds_to(&Curve { is_validation: false, ..curve }, 2.5), None);
    }
}
