//! How long a comparison takes and which differences it can detect, told before it runs.

use super::analysis::Analysis;
use super::design::Design;
use super::results::Results;
use super::statistics::{LEAST_SEEDS, detectable_among};
use crate::bail_input;
use crate::data::Dataset;
use crate::settings::{Length, Ops, Recipe, Settings};
use crate::support::memory;
use crate::support::waiting::waiting;
use crate::train::{self, Trainer};
use anyhow::Result;
use candle_core::Device;
use std::time::Duration;

/// Steps timed per arm, and about how long at most.
const TIMED_STEPS: usize = 20;
const TIMED_FOR: Duration = Duration::from_secs(5);

/// Runs side by side, each in a process of its own, are chosen if all runs of a seed take longer than this many seconds
/// and it's this many times as fast.
const WORTH_PROCESSES: f64 = 5.0;
const FASTER: f64 = 1.2;

/// Standard deviation over seeds of a paired difference, as a share of the loss, where nothing better is
/// known: see docs/results/README.md.
const TYPICAL_STD: f64 = 0.005;

/// Fewest steps and most seeds that a budget is spent on.
const LEAST_STEPS: usize = 50;
const MOST_SEEDS: u64 = 20;

/// How long things take.
#[derive(Clone, Debug)]
pub struct Timing {
    /// Seconds per step of each arm, in their order.
    pub steps: Vec<f64>,
    /// Seconds to score the validation text once.
    pub scoring: f64,
    /// Runs at once.
    pub jobs: usize,
    /// How many times as fast that is as one after the other, with all threads.
    pub speedup: f64,
    /// The initial root mean square of each arm's FFN outputs.
    pub ffn_output_rms: Vec<f64>,
    /// Share of the training text that a step reads.
    pub epochs_per_step: f64,
}

/// A comparison before it runs.
#[derive(Clone, Debug)]
pub struct Plan {
    pub timing: Timing,
    pub steps: usize,
    /// Seconds that each run takes, done or not, in the order of [`Design::runs`].
    pub run_seconds: Vec<f64>,
    pub runs_left: usize,
    /// Runs at once.
    pub jobs: usize,
    /// Seconds that the runs left take.
    pub seconds: f64,
    /// The least difference that will be found with a chance of 80%, as a share of the loss.
    pub detectable: f64,
    /// The spread that this assumes, as a share of the loss, and whether it was measured here.
    pub assumed_std: f64,
    pub measured: bool,
}

/// Times a few steps of every arm, in earnest but for nothing. Without `jobs`, chooses how many runs to train at once.
pub fn time(
    design: &Design,
    recipe: &Recipe,
    dataset: &Dataset,
    device: &Device,
    jobs: Option<usize>,
) -> Result<Timing> {
    let mut timing = Timing {
        steps: Vec::new(),
        scoring: 0.0,
        jobs: jobs.unwrap_or(1),
        speedup: 1.0,
        ffn_output_rms: Vec::new(),
        epochs_per_step: 0.0,
    };
    let seed = design.seeds.iter().copied().take(1).collect();
    let one_each = Design { seeds: seed, rates: Vec::new(), ..design.clone() };
    let plan = train::Plan::new(recipe, dataset)?;
    timing.epochs_per_step = plan.epochs / plan.steps as f64;
    for run in one_each.runs() {
        let _waiting = waiting(format!("timing {}", run.variant));
        let recipe = recipe.with(&run.settings())?;
        let mut trainer = Trainer::start(&recipe, dataset, device)?;
        let estimate = trainer.estimate()?;
        timing.ffn_output_rms.push(estimate.ffn_output_rms);
        let is_long = estimate.step_seconds > TIMED_FOR.as_secs_f64();
        let seconds = if is_long { f64::NAN } else { trainer.time_steps(TIMED_STEPS, TIMED_FOR)? };
        timing.steps.push(if seconds.is_finite() { seconds } else { estimate.step_seconds });
        if timing.scoring == 0.0 {
            timing.scoring = trainer.time_scoring()?;
        }
    }
    let is_long = timing.seed_seconds(design, plan.steps, recipe.training.eval_every) > WORTH_PROCESSES;
    if jobs.is_none() && is_long && recipe.ops == Ops::Fused && device.is_cpu() {
        let _waiting = waiting("timing runs side by side");
        let first = recipe.with(&one_each.runs()[0].settings())?;
        let speedup = side_by_side(&first, dataset, device, timing.steps[0])?;
        if speedup > FASTER {
            (timing.jobs, timing.speedup) = (rayon::current_num_threads(), speedup);
        }
    }
    Ok(timing)
}

/// How many times as fast one run per thread is as runs that take `alone` seconds per step with all threads.
fn side_by_side(recipe: &Recipe, dataset: &Dataset, device: &Device, alone: f64) -> Result<f64> {
    let threads = rayon::current_num_threads();
    if threads == 1 || !memory::fits(threads as f64 * train::Plan::new(recipe, dataset)?.memory) {
        return Ok(1.0);
    }
    let timed = || -> Result<f64> {
        let own = rayon::ThreadPoolBuilder::new().num_threads(1).build()?;
        own.install(|| Trainer::start(recipe, dataset, device)?.time_steps(TIMED_STEPS, TIMED_FOR))
    };
    let steps = std::thread::scope(|scope| {
        let timing: Vec<_> = (0..threads).map(|_| scope.spawn(timed)).collect();
        timing.into_iter().map(|one| one.join().expect("timing doesn't panic")).collect::<Result<Vec<f64>>>()
    })?;
    let step = steps.iter().sum::<f64>() / threads as f64;
    Ok(if step.is_finite() { threads as f64 * alone / step } else { 1.0 })
}

impl Timing {
    /// Seconds that a run of an arm takes, with so many steps and an evaluation every so many.
    fn run_seconds(&self, arm: usize, steps: usize, eval_every: usize) -> f64 {
        let evaluations = if eval_every == 0 { 1 } else { steps.div_ceil(eval_every) };
        (self.steps[arm] * steps as f64 + evaluations as f64 * self.scoring) / self.speedup
    }

    /// Seconds that a seed's runs take.
    fn seed_seconds(&self, design: &Design, steps: usize, eval_every: usize) -> f64 {
        let arms = 0..self.steps.len();
        let once: f64 = arms.map(|arm| self.run_seconds(arm, steps, eval_every)).sum();
        once * design.rates.len().max(1) as f64
    }
}

/// Steps and seeds that fit into a budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fit {
    pub steps: usize,
    pub seeds: u64,
}

/// As many seeds as the budget holds with the recipe's own steps, from 3 to 20; where it does not hold 3,
/// 3 seeds of fewer steps.
///
/// # Errors
/// If not even those fit.
pub fn fit(budget: Duration, design: &Design, timing: &Timing, recipe: &Recipe) -> Result<Fit> {
    let own = match recipe.training.length {
        Length::Steps(steps) => steps,
        Length::Epochs(epochs) => (epochs / timing.epochs_per_step).ceil() as usize,
    };
    let (seconds, every) = (budget.as_secs_f64(), recipe.training.eval_every);
    let seeds = (seconds / timing.seed_seconds(design, own, every)) as u64;
    if seeds >= LEAST_SEEDS as u64 {
        return Ok(Fit { steps: own, seeds: seeds.min(MOST_SEEDS) });
    }
    let fits = |steps: usize| LEAST_SEEDS as f64 * timing.seed_seconds(design, steps, every) <= seconds;
    let steps = (0..own).rev().find(|steps| steps % 10 == 0 && fits(*steps)).unwrap_or(0);
    if steps < LEAST_STEPS {
        bail_input!(
            "--budget is too small: {LEAST_SEEDS} seeds of {LEAST_STEPS} steps take {:.0} s",
            LEAST_SEEDS as f64 * timing.seed_seconds(design, LEAST_STEPS, every)
        );
    }
    Ok(Fit { steps, seeds: LEAST_SEEDS as u64 })
}

impl Plan {
    pub fn new(
        timing: Timing,
        design: &Design,
        recipe: &Recipe,
        results: &Results,
        before: &Analysis,
    ) -> Plan {
        let steps = match recipe.training.length {
            Length::Steps(steps) => steps,
            Length::Epochs(epochs) => (epochs / timing.epochs_per_step).ceil() as usize,
        };
        let runs = design.runs();
        // Activations innermost: see `Design::runs`.
        let arm = |run: usize| run % design.arms.len();
        let run_seconds: Vec<f64> = (0..runs.len())
            .map(|run| timing.run_seconds(arm(run), steps, recipe.training.eval_every))
            .collect();
        let left: Vec<f64> = run_seconds
            .iter()
            .zip(&runs)
            .filter(|(_, run)| results.find(run).is_none())
            .map(|(seconds, _)| *seconds)
            .collect();
        let measured = measured_std(before);
        let assumed_std = measured.unwrap_or(TYPICAL_STD);
        Plan {
            steps,
            run_seconds,
            runs_left: left.len(),
            jobs: timing.jobs.clamp(1, left.len().max(1)),
            seconds: left.iter().sum(),
            detectable: assumed_std * detectable_among(design.seeds.len(), design.tests()),
            assumed_std,
            measured: measured.is_some(),
            timing,
        }
    }

    pub fn epochs(&self) -> f64 {
        self.timing.epochs_per_step * self.steps as f64
    }
}

/// The spread of paired differences that the runs so far have, as a share of the loss: the root of the mean
/// variance of the pairs that have three seeds or more.
fn measured_std(analysis: &Analysis) -> Option<f64> {
    let loss = analysis.arms.first()?.loss.mean;
    let variances: Vec<f64> = analysis
        .pairs
        .iter()
        .filter(|pair| pair.n >= LEAST_SEEDS)
        .filter_map(|pair| Some((pair.std? / loss).powi(2)))
        .collect();
    let mean = variances.iter().sum::<f64>() / variances.len() as f64;
    (!variances.is_empty()).then(|| mean.sqrt())
}

/// The recipe with a plan's steps.
pub fn with_steps(recipe: &Recipe, steps: usize) -> Result<Recipe> {
    recipe.with(&Settings { steps: Some(steps), ..Settings::default() })
}
