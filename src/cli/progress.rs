//! Following a run on standard error: a bar on a terminal, plain lines elsewhere.

use super::settings_lines::settings_lines;
use super::signals;
use super::text::{duration, grouped, scaled};
use crate::generate::score::Score;
use crate::model::ModelSize;
use crate::support::terminal::{bar, line_columns};
use crate::train::{Estimate, Evaluation, Event, Plan, Request, StepReport, Watcher};
use anyhow::Result;
use indicatif::ProgressBar;
use std::time::{Duration, Instant};
use unicode_width::UnicodeWidthStr;

/// Without a terminal, a line at most this often.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Columns of a run's bar.
const BAR: usize = 12;

/// Seconds that several runs still take, given the share of this run that is done.
type TotalLeft = Box<dyn Fn(f64) -> f64>;

/// Prints the events of a run.
pub struct Progress {
    bar: ProgressBar,
    /// Written in front of every line: which run of several this is.
    label: String,
    last_line: Option<Instant>,
    /// When the scoring that is going on began, or last wrote a line.
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

    /// Tells the time left of all runs, too.
    pub fn of_several(mut self, total_left: impl Fn(f64) -> f64 + 'static) -> Progress {
        self.total_left = Some(Box::new(total_left));
        self
    }

    fn line(&self, text: &str) {
        note!("{}{text}", self.label);
    }

    fn begun(&mut self, first_step: usize, steps: usize, estimate: &Estimate) {
        if self.label.is_empty() {
            show_estimate(estimate);
        }
        let template = format!("{{prefix}}{{bar:{BAR}}} {{pos}}/{{len}} {{msg}}");
        self.bar = bar(steps, &template).with_prefix(self.label.clone());
        self.bar.set_position(first_step as u64);
    }

    fn stepped(&mut self, report: &StepReport) {
        if !self.bar.is_hidden() {
            // The position as it will be at the end: it moves before the message does.
            let position = format!(" {0}/{0} ", report.steps).len();
            let used = self.label.width() + BAR + position;
            let room = line_columns().map(|columns| columns.saturating_sub(used));
            self.bar.set_position(report.step as u64);
            self.bar.set_message(self.message(report, room));
            return;
        }
        let now = Instant::now();
        if self.last_line.is_none_or(|last| now - last >= LINE_EVERY) || report.step == report.steps {
            self.line(&format!("step {}/{}  {}", report.step, report.steps, self.message(report, None)));
            self.last_line = Some(now);
        }
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

    /// The state of a run in `room` columns, or in as many as it needs.
    fn message(&self, report: &StepReport, room: Option<usize>) -> String {
        let loss = format!("loss {:.4}", report.loss);
        let speed = format!("  {} tokens/s", grouped(report.tokens_per_second as usize));
        let left = match report.step == report.steps {
            true => "  scoring".to_string(),
            false => format!("  {} left", duration(report.seconds_left)),
        };
        let total = self.total_left.as_ref().map_or(String::new(), |total| {
            format!(", {} in all", duration(total(report.step as f64 / report.steps as f64)))
        });
        // The least important first: what fits is never cut.
        let choices = [
            format!("{loss}{speed}{left}{total}"),
            format!("{loss}{left}{total}"),
            format!("{loss}{left}"),
            loss,
        ];
        let fits = |text: &&String| room.is_none_or(|room| text.width() <= room);
        choices.iter().find(fits).cloned().unwrap_or_default()
    }

    fn evaluated(&mut self, evaluation: &Evaluation) {
        self.scoring = None;
        let score = &evaluation.score;
        let part = if evaluation.whole {
            String::new()
        } else {
            format!(" (first {} tokens)", grouped(score.tokens + 1))
        };
        self.line(&format!(
            "step {}: validation loss {:.4}, perplexity {:.3}{}{part}{}{}",
            evaluation.step,
            score.loss(),
            score.perplexity(),
            bits_per_byte(score.bits_per_byte()),
            evaluation.floor.map_or(String::new(), |floor| above_floor(score, floor)),
            if evaluation.best { ", best so far" } else { "" },
        ));
        if let Some(warning) = evaluation.floor.and_then(|floor| below_floor(score, floor)) {
            self.line(&warning);
        }
    }

    fn sampled(&self, text: &str) {
        for line in text.trim().lines() {
            self.line(&format!("    | {line}"));
        }
    }
}

/// Follows work whose parts are counted: a bar on a terminal, elsewhere a line now and then.
pub struct Counted {
    what: &'static str,
    bar: ProgressBar,
    last_line: Instant,
}

impl Counted {
    /// `what` names the work: "reading".
    pub fn new(what: &'static str) -> Counted {
        Counted { what, bar: ProgressBar::hidden(), last_line: Instant::now() }
    }

    /// `done` of `all` parts are done.
    pub fn tell(&mut self, done: usize, all: usize) {
        if self.bar.length() != Some(all as u64) {
            self.bar = bar(all, "{prefix} {bar:12} {percent}%  {eta} left").with_prefix(self.what);
        }
        self.bar.set_position(done as u64);
        if self.bar.is_hidden() && self.last_line.elapsed() >= LINE_EVERY {
            note!("{}: {} of {}", self.what, grouped(done), grouped(all));
            self.last_line = Instant::now();
        }
    }
}

impl Counted {
    /// [`Counted::tell`] that fails if a signal asks to stop.
    pub fn follow(&mut self, done: usize, all: usize) -> Result<()> {
        self.tell(done, all);
        signals::check("in the middle")
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// `, 0.9908 bits per byte`, or nothing if the tokenizer drops some of the text.
pub fn bits_per_byte(bits: Option<f64>) -> String {
    bits.map_or(String::new(), |bits| format!(", {bits:.4} bits per byte"))
}

/// `, 0.1234 above the floor of 0.1911`
pub fn above_floor(score: &Score, floor: f64) -> String {
    format!(", {:.4} above the floor of {floor:.4}", score.loss() - floor)
}

/// How far a model's total may fall below the surprisal of the distribution that wrote the text.
/// The chance that any model does so by k nats is at most e^-k (the "no hypercompression"
/// inequality, Grünwald 2007, section 3.3): for 10 nats, one in 22,000. The other 10 are more than
/// the surprisal of a tale's first token, which the floor counts and the score does not.
const MARGIN: f64 = 10.0 + 10.0;

/// The warning that a loss is too good to be true.
pub fn below_floor(score: &Score, floor: f64) -> Option<String> {
    let below = (floor - score.loss()) * score.tokens as f64;
    (below > MARGIN).then(|| {
        format!(
            "warning: {below:.0} nats below the floor in all, which chance allows less than once in 22,000 times: has the model seen this text?"
        )
    })
}

impl Watcher for Progress {
    fn notice(&mut self, event: Event<'_>) {
        match event {
            Event::Begun { first_step, steps, estimate } => self.begun(first_step, steps, &estimate),
            Event::Stepped(report) => self.stepped(&report),
            Event::Scored { done, all } => self.scored(done, all),
            Event::Evaluated(evaluation) => self.evaluated(&evaluation),
            Event::Told(text) => self.line(text),
            Event::Sampled(text) => self.sampled(text),
        }
    }

    fn request(&mut self) -> Option<Request> {
        if signals::asked() { Some(Request::Stop) } else { signals::asked_to_save().then_some(Request::Save) }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Prints what will run.
pub fn show_plan(plan: &Plan) {
    for line in plan_lines(plan).into_iter().chain(settings_lines(plan)) {
        note!("{line}");
    }
}

/// Prints how long it will take, once that is known.
pub fn show_estimate(estimate: &Estimate) {
    note!(
        "time    about {}; initial FFN output {:.4} (root mean square)",
        duration(estimate.seconds),
        estimate.ffn_output_rms
    );
}

/// What will run, derived values first.
fn plan_lines(plan: &Plan) -> Vec<String> {
    let (config, size) = (&plan.config, &plan.size);
    let share = |part: usize| 100.0 * part as f64 / size.total as f64;
    let excess = 100.0 * ModelSize::ffn_excess(config);
    vec![
        format!(
            "model   {} {}: {} layers, {} heads, width {}, FFN {}, context {}, vocabulary {}",
            serde_json::json!(config.backbone).as_str().unwrap_or_default(),
            config.act,
            config.layers,
            config.heads,
            config.dim,
            config.ffn_dim,
            config.context,
            grouped(config.vocab_size),
        ),
        format!(
            "params  {} in all: embedding {} ({:.0}%), attention {} ({:.0}%), FFN {} ({:.0}%)",
            grouped(size.total),
            grouped(size.embedding),
            share(size.embedding),
            grouped(size.attention),
            share(size.attention),
            grouped(size.ffn),
            share(size.ffn),
        ),
        format!("FFN     {excess:+.1}% parameters against an ungated FFN of 4 x width"),
        format!("data    {}: {:.2} epochs of its training part", plan.data, plan.epochs),
        format!(
            "work    {} steps of {} tokens, {}FLOP per token",
            grouped(plan.steps - plan.first_step),
            grouped(plan.tokens_per_step),
            scaled(plan.flops_per_token),
        ),
        format!("memory  about {}B", scaled(plan.memory)),
    ]
}
