//! Following a run on standard error: a bar on a terminal, plain lines elsewhere.

use super::text::{duration, grouped, scaled};
use crate::failure::escape_controls;
use crate::model::ModelSize;
use crate::train::{Evaluation, Event, Plan, StepReport, Watcher};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::io::IsTerminal;
use std::time::{Duration, Instant};

/// Without a terminal, a line at most this often.
const LINE_EVERY: Duration = Duration::from_secs(5);

/// Prints the events of a run.
pub struct Progress {
    bar: ProgressBar,
    /// Written in front of every line: which run of several this is.
    label: String,
    last_line: Option<Instant>,
    show_plan: bool,
}

impl Progress {
    /// Follows a single run, its plan included.
    pub fn new() -> Progress {
        Progress::with_label(String::new(), true)
    }

    /// Follows one of several runs.
    pub fn labelled(label: &str) -> Progress {
        Progress::with_label(format!("{label}  "), false)
    }

    fn with_label(label: String, show_plan: bool) -> Progress {
        Progress { bar: ProgressBar::hidden(), label, last_line: None, show_plan }
    }

    fn line(&self, text: &str) {
        let text = format!("{}{text}", self.label);
        if self.bar.is_hidden() { eprintln!("{text}") } else { self.bar.println(text) }
    }

    fn planned(&mut self, plan: &Plan) {
        if self.show_plan {
            for line in plan_lines(plan) {
                self.line(&line);
            }
        }
        if std::io::stderr().is_terminal() {
            let style =
                ProgressStyle::with_template("{prefix}{bar:24} {pos}/{len} {msg}").expect("a valid template");
            self.bar = ProgressBar::with_draw_target(Some(plan.steps as u64), ProgressDrawTarget::stderr())
                .with_style(style.progress_chars("█▉▊▋▌▍▎▏ "))
                .with_prefix(self.label.clone());
            self.bar.set_position(plan.first_step as u64);
        }
    }

    fn stepped(&mut self, report: &StepReport) {
        let message = format!(
            "loss {:.4}  {} tokens/s  {} left",
            report.loss,
            grouped(report.tokens_per_second as usize),
            duration(report.seconds_left)
        );
        if !self.bar.is_hidden() {
            self.bar.set_position(report.step as u64);
            self.bar.set_message(message);
            return;
        }
        let now = Instant::now();
        if self.last_line.is_none_or(|last| now - last >= LINE_EVERY) || report.step == report.steps {
            self.line(&format!("step {}/{}  {message}", report.step, report.steps));
            self.last_line = Some(now);
        }
    }

    fn evaluated(&self, evaluation: &Evaluation) {
        let score = &evaluation.score;
        self.line(&format!(
            "step {}: validation loss {:.4}, perplexity {:.3}, {:.4} bits per byte{}{}",
            evaluation.step,
            score.loss(),
            score.perplexity(),
            score.bits_per_byte(),
            if evaluation.whole {
                String::new()
            } else {
                format!(" (first {} tokens)", grouped(score.tokens + 1))
            },
            if evaluation.best { ", best so far" } else { "" },
        ));
    }
}

impl Watcher for Progress {
    fn notice(&mut self, event: Event<'_>) {
        match event {
            Event::Planned(plan) => self.planned(plan),
            Event::Stepped(report) => self.stepped(&report),
            Event::Evaluated(evaluation) => self.evaluated(&evaluation),
            Event::Saved(_) => {}
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
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
            "params  {} in all: embedding {} ({:.0} %), attention {} ({:.0} %), FFN {} ({:.0} %)",
            grouped(size.total),
            grouped(size.embedding),
            share(size.embedding),
            grouped(size.attention),
            share(size.attention),
            grouped(size.ffn),
            share(size.ffn),
        ),
        format!(
            "FFN     {excess:+.1} % against an ungated FFN of 4 x width; initial output {:.4} (root mean square)",
            plan.ffn_output_rms
        ),
        format!(
            "data    {}: {} epochs of its training part",
            escape_controls(&plan.data),
            format_args!("{:.2}", plan.epochs)
        ),
        format!(
            "work    {} steps of {} tokens, {}FLOP per token",
            grouped(plan.steps - plan.first_step),
            grouped(plan.tokens_per_step),
            scaled(plan.flops_per_token),
        ),
        format!("needs   about {} and {}B of memory", duration(plan.seconds), scaled(plan.memory)),
    ]
}
