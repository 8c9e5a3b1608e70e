//! The time that several runs take together: as planned at first, then by the time that they take.

use std::time::Instant;

/// Work is counted in the seconds that it was planned to take.
#[derive(Clone, Copy, Debug)]
pub struct TimeLeft {
    began: Instant,
    /// Work that was done when this process began.
    before: f64,
    all: f64,
    /// Work after which what it took counts as much as what was planned.
    trusted: f64,
}

impl TimeLeft {
    /// Of `all` the work `before` is done. `trusted` is what a run takes, about.
    pub fn new(before: f64, all: f64, trusted: f64) -> TimeLeft {
        TimeLeft { began: Instant::now(), before, all, trusted }
    }

    /// Seconds that what is left takes once `done` of the work is done.
    pub fn seconds(&self, done: f64) -> f64 {
        self.after(self.began.elapsed().as_secs_f64(), done)
    }

    fn after(&self, elapsed: f64, done: f64) -> f64 {
        let pace = (elapsed + self.trusted) / (done - self.before + self.trusted);
        // Without a plan there is no pace before the first work is done.
        if pace.is_finite() { pace * (self.all - done).max(0.0) } else { f64::NAN }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_left_is_the_planned_one_at_first_and_then_follows_what_runs_take() {
        let left = TimeLeft::new(10.0, 110.0, 5.0);
        assert_eq!(left.after(0.0, 10.0), 100.0);
        // As planned.
        assert_eq!(left.after(20.0, 30.0), 80.0);
        // Twice as slow: the longer it goes on, the more that counts.
        let early = left.after(2.0, 11.0) / 99.0;
        let late = left.after(100.0, 60.0) / 50.0;
        assert!((1.0..1.4).contains(&early) && (1.8..2.0).contains(&late), "{early} {late}");
        assert_eq!(left.after(300.0, 110.0), 0.0);
    }

    #[test]
    fn what_others_finish_makes_the_rest_shorter() {
        let left = TimeLeft::new(0.0, 100.0, 5.0);
        // Four processes: 40 seconds of work in 10.
        assert!(left.after(10.0, 40.0) < 0.4 * 60.0);
    }
}
