//! Progress on standard error: a bar on a terminal, a line every few seconds elsewhere.

use super::plan::show_estimate;
use super::signals;
use super::text::{duration, grouped};
use crate::support::numbers::counted;
use crate::support::terminal::{bar, line_columns};
use crate::train::{Evaluation, Event, Request, StepReport, Watcher};
use indicatif::ProgressBar;
use std::time::{Duration, Instant};
use unicode_width::UnicodeWidthStr;

/// Time between progress lines when standard error isn't a terminal and so has no bar.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Width of a run's bar in columns.
const BAR: usize = 12;

/// Seconds that all runs still take, given the finished share of this run.
type TotalLeft = Box<dyn Fn(f64) -> f64>;

/// Prints the events of a run. Dropping it clears the bar.
pub struct Progress {
    bar: ProgressBar,
    /// Begins every line. Empty for a single run.
    label: String,
    last_line: Option<Instant>,
    /// When the current scoring began or last printed a line.
    scoring: Option<Instant>,
    total_left: Option<TotalLeft>,
}

impl Progress {
    /// Follows a single run.
    pub fn new() -> Progress {
        Progress::with_label(String::new())
    }

    /// Follows one of several runs.
    pub fn labelled(label: &str) -> Progress {
        Progress::with_label(format!("{label}  "))
    }

    fn with_label(label: String) -> Progress {
        Progress { bar: ProgressBar::hidden(), label, last_line: None, scoring: None, total_left: None }
    }

    /// Also shows the time left for all runs.
    pub fn of_several(self, total_left: impl Fn(f64) -> f64 + 'static) -> Progress {
        Progress { total_left: Some(Box::new(total_left)), ..self }
    }

    fn line(&self, text: &str) {
        note!("{}{text}", self.label);
    }

    fn begun(&mut self, first_step: usize, steps: usize) {
        let template = format!("{{prefix}}{{bar:{BAR}}} {{pos}}/{{len}} {{msg}}");
        self.bar = bar(steps, &template).with_prefix(self.label.clone());
        self.bar.set_position(first_step as u64);
    }

    fn stepped(&mut self, report: &StepReport) {
        if self.bar.is_hidden() {
            let is_due = self.last_line.is_none_or(|last| last.elapsed() >= LINE_EVERY);
            if is_due || report.step == report.steps {
                let message = self.message(report, usize::MAX);
                self.line(&format!("step {}/{}  {message}", report.step, report.steps));
                self.last_line = Some(Instant::now());
            }
            return;
        }
        let position = format!(" {0}/{0} ", report.steps).len();
        let used = self.label.width() + BAR + position;
        let room = line_columns().map_or(usize::MAX, |columns| columns.saturating_sub(used));
        self.bar.set_position(report.step as u64);
        self.bar.set_message(self.message(report, room));
    }

    /// The state of a run, without the less important parts if it has to fit in `room` columns.
    fn message(&self, report: &StepReport, room: usize) -> String {
        let loss = format!("loss {:.4}", report.loss);
        let speed = format!("  {} tokens/s", grouped(report.tokens_per_second as usize));
        let left = match report.step == report.steps {
            true => "  scoring".to_string(),
            false => format!("  {} left", duration(report.seconds_left)),
        };
        let total = self.total_left.as_ref().map_or(String::new(), |total| {
            format!(", {} for all runs", duration(total(report.step as f64 / report.steps as f64)))
        });
        let choices =
            [format!("{loss}{speed}{left}{total}"), format!("{loss}{left}{total}"), format!("{loss}{left}")];
        choices.into_iter().find(|text| text.width() <= room).unwrap_or(loss)
    }

    fn scored(&mut self, done: usize, all: usize) {
        let last = self.scoring.get_or_insert_with(Instant::now);
        if last.elapsed() < LINE_EVERY {
            return;
        }
        *last = Instant::now();
        let message = format!("scoring, {}% of the validation text", 100 * done / all.max(1));
        if self.bar.is_hidden() { self.line(&message) } else { self.bar.set_message(message) }
    }

    fn evaluated(&mut self, evaluation: &Evaluation) {
        self.scoring = None;
        let Evaluation { step, score, whole, best, floor } = evaluation;
        let (loss, perplexity) = (score.loss(), score.perplexity());
        let mut line = format!("step {step}: validation loss {loss:.4}, perplexity {perplexity:.3}");
        line += &bits_per_byte(score.bits_per_byte());
        if !whole {
            line += &format!(" (first {})", counted(score.tokens + 1, "token"));
        }
        if let Some(floor) = floor {
            line += &format!(", {:.4} above the floor of {floor:.4}", loss - floor);
        }
        if *best {
            line += ", best so far";
        }
        self.line(&line);
    }
}

impl Watcher for Progress {
    fn notice(&mut self, event: Event<'_>) {
        match event {
            Event::Begun { first_step, steps, estimate } => {
                if self.label.is_empty() {
                    show_estimate(&estimate);
                }
                self.begun(first_step, steps);
            }
            Event::Stepped(report) => self.stepped(&report),
            Event::Scored { done, all } => self.scored(done, all),
            Event::Evaluated(evaluation) => self.evaluated(&evaluation),
            Event::Told(text) => self.line(text),
            Event::Sampled(text) => text.trim().lines().for_each(|line| self.line(&format!("    | {line}"))),
        }
    }

    fn request(&mut self) -> Option<Request> {
        if signals::asked() { Some(Request::Stop) } else { signals::asked_to_save().then_some(Request::Save) }
    }
}

/// `, 0.9908 bits per byte`, or nothing if the tokenizer drops some of the text.
pub fn bits_per_byte(bits: Option<f64>) -> String {
    bits.map_or(String::new(), |bits| format!(", {bits:.4} bits per byte"))
}
