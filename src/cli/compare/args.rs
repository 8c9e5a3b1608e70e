//! The arguments of `tinygpt compare`, and what they ask for.

use crate::activation::Activation;
use crate::cli::outputs::{Inputs, check_folder};
use crate::cli::print::Wide;
use crate::lab::compare::{
    ArmDesign, Assertion, Comparison, Design, Matching, Variant, Vary, check_place, load, place, unnamed,
};
use crate::settings::{LARGEST_SEED, List, MOST_STEPS, Recipe, Settings, arm_name, preset_name, within};
use crate::support::environment;
use crate::{bail_input, input_error};
use anyhow::Result;
use clap::Args;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Args)]
#[command(after_help = "\
Example: tinygpt compare --acts relu,gelu,swiglu --data my.txt --budget 30m
         tinygpt compare --acts relu2,swiglu --vary dim=64,128 --data my.txt
         tinygpt compare --acts relu,sigmoid --lrs 1e-3,3e-3,1e-2 --data my.txt")]
pub struct CompareArgs {
    /// Activations to compare, separated by commas, or `all` [default: relu,gelu,silu,swiglu]
    #[arg(long, value_name = "A,B,C", hide_possible_values = true)]
    pub acts: Option<List<Activation>>,
    /// Another setting to compare, such as optimizer=adamw,muon; may be given more than once
    ///
    /// One of act, optimizer, lr, dim, layers, dropout, init-std, backbone and batch-size. With two settings, such as --acts
    /// and one --vary, every combination is trained: the first setting is compared under each value of the second, and the
    /// differences between these values are tested, too.
    #[arg(long, value_name = "KEY=A,B")]
    pub vary: Vec<Vary>,
    /// Seeds per activation [default: 5]
    ///
    /// They count up from --seed. Verdicts need at least three.
    #[arg(long, value_name = "N", value_parser = within(1..=MOST_SEEDS))]
    pub seeds: Option<u64>,
    /// Activation, or value of --vary, that the others are compared with [default: relu, or the first]
    #[arg(long, value_name = "NAME", value_parser = arm_name(), hide_possible_values = true)]
    pub baseline: Option<String>,
    /// Test every pair of activations, not only each with the baseline
    ///
    /// The pairs are fixed before the first run. More of them need more seeds, because verdicts are corrected for their
    /// number.
    #[arg(long)]
    pub all_pairs: bool,
    /// Learning rates to try, separated by commas, instead of --lr
    ///
    /// Every activation and seed is trained at each, and an activation is judged at its best.
    #[arg(long, value_name = "A,B,C", conflicts_with = "lr")]
    pub lrs: Option<List<f64>>,
    /// Smallest difference of the loss that counts, such as 0.5% or 0.005
    ///
    /// Activations whose interval lies within it are equal.
    #[arg(long, value_name = "SHARE", value_parser = share, default_value = "0.5%")]
    pub matters: f64,
    /// Verdict to expect, such as 'swiglu better than relu', else exit with 4; may be given more than once
    ///
    /// 'A better than B', 'A worse than B' or 'A equal to B', for a pair that is tested.
    #[arg(long = "assert", value_name = "VERDICT")]
    pub assertions: Vec<Assertion>,
    /// What every FFN has as many of: params or flops
    #[arg(long = "match", value_enum, default_value = "params")]
    pub matching: Matching,
    /// Give every FFN the initial output of the baseline's
    #[arg(long)]
    pub match_init: bool,
    /// Time to take, such as 30m or 2h
    ///
    /// Chooses the number of seeds, and if that isn't enough the number of steps.
    #[arg(long, value_name = "TIME", value_parser = humantime::parse_duration, conflicts_with_all = ["seeds", "steps", "epochs"])]
    pub budget: Option<Duration>,
    /// Preset or .toml file to start from
    #[arg(long, value_name = "NAME|FILE", default_value = "default", value_parser = preset_name(), help_heading = "Model")]
    pub model: String,
    #[command(flatten)]
    pub settings: Settings,
    /// Directory of the comparison [default: runs/compare, runs/compare-2, ...]
    ///
    /// The same command resumes the comparison in it. More --acts, --seeds or --lrs extend it. Any other comparison needs a
    /// directory of its own. Without --out, it's the first directory that is free or holds this comparison.
    #[arg(long, value_name = "DIR", help_heading = "Run")]
    pub out: Option<PathBuf>,
    /// Replace the comparison in --out or runs/compare, and other files that are in the way
    #[arg(long, help_heading = "Run")]
    pub force: bool,
    /// Print the plan and stop
    ///
    /// Times a few steps, and prints the runs, their time, and the smallest difference that they can detect.
    #[arg(long, help_heading = "Run")]
    pub dry_run: bool,
    /// Processes to train in, which share the threads [default: measured]
    ///
    /// By default one per thread if that is faster than one for all threads.
    #[arg(long, value_name = "N", value_parser = within(1..=MOST_JOBS), help_heading = "Run")]
    pub jobs: Option<usize>,
    /// Train only run K of those that --dry-run counts, from 1 [default: $SLURM_ARRAY_TASK_ID]
    #[arg(long, value_name = "K", value_parser = within(1..=MOST_STEPS), help_heading = "Run")]
    pub only: Option<usize>,
    /// A process that --jobs starts
    #[arg(long, hide = true)]
    pub worker: bool,
    #[command(flatten, next_help_heading = "Run")]
    pub wide: Wide,
    /// Also write the charts as SVG and the table as CSV and Markdown to this directory
    #[arg(long, value_name = "DIR", help_heading = "Run")]
    pub plot: Option<PathBuf>,
    /// Print the result as a JSON object on the last line
    #[arg(long, help_heading = "Run")]
    pub json: bool,
}

/// What is compared if nothing is said.
const ACTS: &str = "relu,gelu,silu,swiglu";
const SEEDS: u64 = 5;
const MOST_SEEDS: u64 = 1000;
const MOST_JOBS: usize = 256;

/// Reads `0.5%` or `0.005`.
fn share(text: &str) -> Result<f64, String> {
    let (number, unit) = match text.strip_suffix('%') {
        Some(number) => (number, 100.0),
        None => (text, 1.0),
    };
    match number.trim().parse::<f64>() {
        Ok(number) if (0.0..=unit).contains(&number) => Ok(number / unit),
        _ => Err("it must be a share between 0% and 100%, such as 0.5% or 0.005".to_string()),
    }
}

impl CompareArgs {
    /// What arms differ in: one setting or two, of which the activation comes first.
    fn factors(&self) -> Result<Vec<Vary>> {
        let acts = match &self.acts {
            Some(acts) => Some(acts.to_vec()),
            None if self.vary.is_empty() => Some(ACTS.parse::<List<Activation>>()?.to_vec()),
            None => None,
        };
        let factors: Vec<Vary> =
            acts.iter().map(|acts| Vary::acts(acts)).chain(self.vary.iter().cloned()).collect();
        let keys: Vec<&str> = factors.iter().map(|factor| factor.key.as_str()).collect();
        match keys.as_slice() {
            [_, _, _, ..] => bail_input!("arms can differ in two settings, not in {}", keys.join(", ")),
            [a, b] if a == b => bail_input!("{a} is varied twice"),
            keys if keys.contains(&"lr") && self.lrs.is_some() => {
                bail_input!(
                    "--vary lr makes an arm of every rate and --lrs chooses one for each arm: use one of them"
                )
            }
            keys if keys.contains(&"act") && self.settings.act.is_some() => {
                bail_input!("compare takes --acts, a list, instead of --act")
            }
            _ => Ok(factors),
        }
    }

    /// The arms, one for each combination of values, and the baseline.
    fn arms(&self, factors: &[Vary], act: Activation) -> Result<(Vec<Variant>, Variant)> {
        let variant = |settings: Settings| Variant::new(settings.act.unwrap_or(act), settings);
        let (first, conditions) = match factors {
            [first, second] => (first, second.values.clone()),
            [first] => (first, vec![Settings::default()]),
            _ => bail_input!("nothing is compared: --acts or --vary says what"),
        };
        let under = |condition: &Settings| {
            first.values.iter().map(|value| variant(value.over(condition))).collect::<Vec<Variant>>()
        };
        let candidates = under(&conditions[0]);
        let named = |name: &str| {
            let act = name.parse::<Activation>().ok().filter(|_| first.key == "act");
            let number = name.parse::<f64>().ok();
            candidates.iter().copied().find(|arm| {
                let value = arm.value(&first.key).and_then(|value| value.as_f64());
                arm.said(&first.key) == name || value.is_some() && value == number || act == Some(arm.act())
            })
        };
        let baseline = match &self.baseline {
            Some(name) => match named(name) {
                Some(found) => found,
                None => {
                    let known: Vec<String> = candidates.iter().map(|arm| arm.said(&first.key)).collect();
                    bail_input!(
                        "--baseline {name} is not among the values of {}: {}",
                        first.key,
                        known.join(", ")
                    )
                }
            },
            None => named("relu").unwrap_or(candidates[0]),
        };
        Ok((conditions.iter().flat_map(under).collect(), baseline))
    }

    /// Processes, unless they are to be measured. Standard input can be read by one only.
    pub fn jobs(&self) -> Option<usize> {
        self.jobs.or(self.reads_stdin().then_some(1))
    }

    fn reads_stdin(&self) -> bool {
        self.settings.data.as_deref() == Some("-")
    }

    pub fn check(&self) -> Result<()> {
        if self.jobs() > Some(1) && self.reads_stdin() {
            bail_input!(
                "--jobs cannot give standard input to several processes: save the text to a file first"
            );
        }
        Ok(())
    }

    /// The comparison that was asked for, its arms not matched yet.
    pub fn design(&self, recipe: &Recipe) -> Result<Design> {
        let (seed, largest) = (recipe.training.seed, LARGEST_SEED - MOST_SEEDS);
        if seed > largest {
            bail_input!("--seed is {seed}; to count up from it, it must be at most {largest}");
        }
        let mut rates = self.lrs.as_ref().map_or_else(Vec::new, |rates| rates.to_vec());
        rates.sort_by(f64::total_cmp);
        for &lr in &rates {
            recipe
                .with(&Settings { lr: Some(lr), ..Settings::default() })
                .map_err(|error| input_error!("--lrs: {error}"))?;
        }
        let factors = self.factors()?;
        let (arms, baseline) = self.arms(&factors, recipe.act())?;
        let design = Design {
            baseline,
            keys: factors.into_iter().map(|factor| factor.key).collect(),
            all_pairs: self.all_pairs,
            arms: arms.into_iter().map(ArmDesign::new).collect(),
            seeds: seeds(recipe, self.seeds.unwrap_or(SEEDS)),
            rates,
            matters: self.matters,
            matching: self.matching,
            match_init: self.match_init,
        };
        for arm in &design.arms {
            recipe.with(&arm.settings()).map_err(|error| input_error!("{}: {error}", arm.variant))?;
        }
        self.assertions.iter().try_for_each(|assertion| assertion.check(&design))?;
        Ok(design)
    }

    /// The comparison that this command began before, which keeps the steps and seeds that `--budget` chose:
    /// the one in --out, or one without a name that `is_it`.
    pub fn begun(&self, is_it: impl Fn(&Comparison) -> bool) -> Option<Comparison> {
        match &self.out {
            _ if self.force || self.budget.is_none() => None,
            Some(out) => load(out).ok(),
            None => unnamed().find(|saved| saved.budget == self.budget && is_it(saved)),
        }
    }

    /// The directory for the comparison. Refuses one that holds another, before anything is timed.
    pub fn place(&self, comparison: &Comparison) -> Result<PathBuf> {
        let out = match &self.out {
            Some(out) => out.clone(),
            None if self.force => PathBuf::from("runs/compare"),
            None => place(comparison),
        };
        if self.force {
            self.inputs().refuse_inside(&out)?;
        }
        check_place(&out, comparison, self.force)?;
        self.plot.as_deref().map_or(Ok(()), |folder| check_folder("--plot", folder))?;
        Ok(out)
    }

    /// What a comparison reads.
    pub fn inputs(&self) -> Inputs {
        Inputs::default().path("--model", Some(&self.model)).settings(&self.settings)
    }

    /// The one run that this process trains, and the name of the setting that says so.
    pub fn only(&self) -> Result<Option<(usize, &'static str)>> {
        let task = "SLURM_ARRAY_TASK_ID";
        match self.only {
            Some(only) => Ok(Some((only, "--only"))),
            None => Ok(environment::number(task)?.map(|only| (only, task))),
        }
    }
}

/// As many seeds, counted up from the recipe's.
pub fn seeds(recipe: &Recipe, count: u64) -> Vec<u64> {
    (0..count).map(|i| recipe.training.seed + i).collect()
}
