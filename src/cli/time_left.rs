//! Time left for several runs: first the planned time, then corrected by the measured pace.

use std::ops::Range;
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

/// Time left of stages that run one after the other and can't be split. Each has a usual duration.
pub struct Stages {
    usual_seconds: Vec<f64>,
    time_left: TimeLeft,
}

/// Counts down the time left from the start of a stage.
#[derive(Clone, Copy, Debug)]
pub struct Countdown {
    pub stage: usize,
    began: Instant,
    left: f64,
    /// Seconds left after this stage.
    behind: f64,
}

impl Stages {
    pub fn new(usual_seconds: Vec<f64>) -> Stages {
        let mut stages = Stages { usual_seconds, time_left: TimeLeft::new(0.0, 0.0, 0.0) };
        stages.measure_from(0);
        stages
    }

    /// Measures the pace from this stage on. For earlier stages that reused existing results.
    pub fn measure_from(&mut self, stage: usize) {
        let all = self.seconds(0..self.usual_seconds.len());
        self.time_left = TimeLeft::new(self.seconds(0..stage), all, all / self.usual_seconds.len() as f64);
    }

    /// The countdown of a stage that begins now.
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
    /// Seconds left in total, at least those of the stages after this one.
    pub fn seconds(&self) -> f64 {
        (self.left - self.began.elapsed().as_secs_f64()).max(self.behind)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_overdue_stage_shows_the_time_of_the_stages_after_it() {
        let stages = Stages::new(vec![0.0, 60.0, 30.0]);
        let first = stages.begin(1);
        assert!((first.seconds() - 90.0).abs() < 1.0, "{first:?}");
        let late = Countdown { left: 0.0, ..first };
        assert_eq!(late.seconds(), first.behind);
        assert!((first.behind - 30.0).abs() < 1.0);
    }

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
