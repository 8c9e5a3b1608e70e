//! Time left for several runs: first the planned time, then corrected by the measured pace.

use std::time::Instant;

/// Estimates the time left. Work is measured in planned seconds.
#[derive(Clone, Copy, Debug)]
pub struct TimeLeft {
    began: Instant,
    /// Work done before this process.
    before: f64,
    all: f64,
    /// Amount of work after which the measured pace weighs as much as the planned one.
    trusted: f64,
}

impl TimeLeft {
    /// `trusted` should be about the work of one run.
    pub fn new(before: f64, all: f64, trusted: f64) -> TimeLeft {
        TimeLeft { began: Instant::now(), before, all, trusted }
    }

    /// Seconds left once `done` of the work is done.
    pub fn seconds(&self, done: f64) -> f64 {
        self.after(self.began.elapsed().as_secs_f64(), done)
    }

    fn after(&self, elapsed: f64, done: f64) -> f64 {
        let pace = (elapsed + self.trusted) / (done - self.before + self.trusted);
        // Without a plan the pace is unknown until some work is done.
        if pace.is_finite() { pace * (self.all - done).max(0.0) } else { f64::NAN }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_starts_as_planned_and_follows_the_measured_pace() {
        let left = TimeLeft::new(10.0, 110.0, 5.0);
        assert_eq!(left.after(0.0, 10.0), 100.0);
        assert_eq!(left.after(20.0, 30.0), 80.0);
        // At half the planned speed, which weighs more the longer it lasts.
        let early = left.after(2.0, 11.0) / 99.0;
        let late = left.after(100.0, 60.0) / 50.0;
        assert!((1.0..1.4).contains(&early) && (1.8..2.0).contains(&late), "{early} {late}");
        assert_eq!(left.after(300.0, 110.0), 0.0);
    }

    #[test]
    fn work_done_by_other_processes_shortens_the_time_left() {
        let left = TimeLeft::new(0.0, 100.0, 5.0);
        // Four processes: 40 seconds of work in 10.
        assert!(left.after(10.0, 40.0) < 0.4 * 60.0);
    }
}
