//! The time that several runs take together: as planned at first, then by the time that they take.

use std::ops::Range;
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
        // Nothing is known of the pace until the first piece of work is done, unless a plan says it.
        if pace.is_finite() { pace * (self.all - done).max(0.0) } else { f64::NAN }
    }
}

/// Stages that run in turn and can't be split: each is expected to take its usual time.
pub struct Stages {
    usual_seconds: Vec<f64>,
    time_left: TimeLeft,
}

/// The time left, counted down since a stage began.
#[derive(Clone, Copy, Debug)]
pub struct Countdown {
    pub stage: usize,
    began: Instant,
    left: f64,
    /// What is left once the stage is done.
    behind: f64,
}

impl Stages {
    pub fn new(usual_seconds: Vec<f64>) -> Stages {
        let mut stages = Stages { usual_seconds, time_left: TimeLeft::new(0.0, 0.0, 0.0) };
        stages.measure_from(0);
        stages
    }

    /// Takes no notice of how long the stages before this one took: what they make was there already.
    pub fn measure_from(&mut self, stage: usize) {
        let all = self.seconds(0..self.usual_seconds.len());
        self.time_left = TimeLeft::new(self.seconds(0..stage), all, all / self.usual_seconds.len() as f64);
    }

    /// The countdown of a stage that begins now, those before it being done.
    pub fn begin(&self, stage: usize) -> Countdown {
        let left = self.time_left.seconds(self.seconds(0..stage));
        let behind = self.seconds(stage + 1..self.usual_seconds.len());
        let share = behind / self.seconds(stage..self.usual_seconds.len());
        Countdown { stage, began: Instant::now(), left, behind: left * share }
    }

    fn seconds(&self, stages: Range<usize>) -> f64 {
        self.usual_seconds[stages].iter().sum()
    }
}

impl Countdown {
    /// Seconds left in all: no less than the stages behind this one take.
    pub fn seconds(&self) -> f64 {
        (self.left - self.began.elapsed().as_secs_f64()).max(self.behind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stage_that_takes_too_long_leaves_the_time_of_those_behind_it() {
        let stages = Stages::new(vec![0.0, 60.0, 30.0]);
        let first = stages.begin(1);
        assert!((first.seconds() - 90.0).abs() < 1.0, "{first:?}");
        let late = Countdown { left: 0.0, ..first };
        assert_eq!(late.seconds(), first.behind);
        assert!((first.behind - 30.0).abs() < 1.0);
    }

    #[test]
    fn the_time_left_is_the_planned_one_at_first_and_then_follows_what_runs_take() {
        let left = TimeLeft::new(10.0, 110.0, 5.0);
        assert_eq!(left.after(0.0, 10.0), 100.0);
        // As planned.
        assert_eq!(left.after(20.0, 30.0), 80.0);
        // It runs at half the speed, which weighs more the longer it lasts.
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
