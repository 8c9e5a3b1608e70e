//! The learning rate of each step: linear warmup, then a cosine down to a minimum.

use crate::settings::Training;
use crate::support::numbers::setting;

/// Warmup and cosine (Loshchilov & Hutter 2017), as nanoGPT counts them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Schedule {
    pub peak: f64,
    pub floor: f64,
    pub warmup: usize,
    pub steps: usize,
}

impl Schedule {
    pub fn new(training: &Training, warmup: usize, steps: usize) -> Schedule {
        Schedule { peak: training.lr, floor: training.min_lr, warmup, steps }
    }

    /// What this schedule changes for a run that followed another one up to `step`, in words.
    pub fn differs_from(&self, before: &Schedule, step: usize) -> Option<String> {
        (self.steps != before.steps).then(|| {
            format!(
                "the learning rate now falls to {} at step {} instead of {}: step {} has {:.3e}, and would have had {:.3e}",
                setting(self.floor),
                self.steps,
                before.steps,
                step + 1,
                self.lr(step),
                before.lr(step)
            )
        })
    }

    /// The learning rate of step `step`, counted from 0.
    pub fn lr(&self, step: usize) -> f64 {
        if step < self.warmup {
            return self.peak * (step + 1) as f64 / (self.warmup + 1) as f64;
        }
        let length = self.steps.saturating_sub(self.warmup).max(1);
        let progress = (step - self.warmup) as f64 / length as f64;
        let cosine = 0.5 * (1.0 + (std::f64::consts::PI * progress.min(1.0)).cos());
        self.floor + (self.peak - self.floor) * cosine
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// nanoGPT's `get_lr` with learning_rate 1e-3, min_lr 1e-4, warmup_iters 100,
    /// lr_decay_iters 2000, evaluated in Python.
    #[test]
    fn the_learning_rate_schedule_matches_nanogpt() {
        let schedule = Schedule { peak: 1e-3, floor: 1e-4, warmup: 100, steps: 2000 };
        let expected = [
            (0, 9.900990099009901e-06),
            (99, 9.900990099009901e-04),
            (100, 1e-3),
            (575, 8.681980515339464e-04),
            (1050, 5.5e-4),
            (1999, 1.0000061511516075e-04),
        ];
        for (step, lr) in expected {
            assert!((schedule.lr(step) - lr).abs() < 1e-12, "step {step}: {}", schedule.lr(step));
        }
    }
}
